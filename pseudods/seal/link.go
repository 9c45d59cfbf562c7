package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// LinkKeySize is the size of a [LinkKey] in octets.
const LinkKeySize = NoncedKeySize

// linkPadding: plaintexts are padded to a multiple of this many octets, so that
// the length of a link does not tell who is behind it.
const linkPadding = 256

var (
	// ErrLink: an identity link does not open, or what it holds is malformed.
	ErrLink = errors.New("seal: identity link does not open")
	// ErrLinkSignature: the real key did not sign this pseudonym with this leaf
	// key.
	ErrLinkSignature = errors.New("seal: identity link is not signed for this leaf")
)

// LinkKey opens one member's identity link.
type LinkKey struct{ secret.Bytes }

// Linked is what an identity link says: who is behind a pseudonym. Whether the key
// is that of the credential's holder is for others to decide.
type Linked struct {
	Credential mls.Credential
	Key        ed25519.PublicKey
}

const linkLabel = "pseudods 1.0 IdentityLink"

// linkTBS is what the real key signs: the pseudonymous credential without the
// link, and the signature key of the leaf that carries it.
func linkTBS(c *wire.PseudonymousCredential, leafKey []byte) ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(c.Client[:])
	w.Raw(c.User[:])
	w.Opaque([]byte(c.Provider))
	w.Opaque(c.UserAuthKey)
	w.Opaque(leafKey)
	return w.Bytes()
}

// linkAAD binds a ciphertext to the pseudonyms it belongs to.
func linkAAD(c *wire.PseudonymousCredential) []byte {
	return append(append([]byte(linkLabel), c.Client[:]...), c.User[:]...)
}

// SealLink makes the identity link of a pseudonymous credential for a leaf with
// the given signature key. It fails with [mls.ErrEncode], or if rand does.
func SealLink(rand io.Reader, key LinkKey, c *wire.PseudonymousCredential, leafKey []byte, real *mls.Credential, signer *mls.SignatureKey) ([]byte, error) {
	tbs, err := linkTBS(c, leafKey)
	if err != nil {
		return nil, err
	}
	sig, err := signer.SignWithLabel(linkLabel, tbs)
	if err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	real.MarshalTLS(&w)
	w.Opaque(signer.Public())
	w.Opaque(sig)
	plain, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("real credential: %w", err)
	}
	plain = append(plain, make([]byte, (linkPadding-len(plain)%linkPadding)%linkPadding)...)
	return SealNonced(rand, key.Bytes, plain, linkAAD(c))
}

// OpenLink opens the link of the member whose leaf has the given signature key,
// and checks that the real key signed it. It fails with [ErrLink] or
// [ErrLinkSignature].
func OpenLink(c *wire.PseudonymousCredential, leafKey []byte, key LinkKey) (*Linked, error) {
	plain, err := OpenNonced(key.Bytes, c.IdentityLink, linkAAD(c))
	if err != nil {
		return nil, ErrLink
	}
	r := tlscodec.NewReader(plain, tlscodec.Limits{})
	var l Linked
	l.Credential.UnmarshalTLS(r)
	l.Key = r.Opaque()
	sig := r.Opaque()
	padding := r.Rest()
	if r.Finish() != nil || len(l.Key) != ed25519.PublicKeySize || len(padding) >= linkPadding || !allZero(padding) {
		return nil, ErrLink
	}
	s, err := mls.X25519AES128GCM.Suite() // of those with Ed25519
	if err != nil {
		return nil, err
	}
	tbs, err := linkTBS(c, leafKey)
	if err != nil || s.VerifyWithLabel(l.Key, linkLabel, tbs, sig) != nil {
		return nil, ErrLinkSignature
	}
	return &l, nil
}

func allZero(b []byte) bool {
	for _, o := range b {
		if o != 0 {
			return false
		}
	}
	return true
}
