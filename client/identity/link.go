package identity

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// LinkKeySize is the size of a [LinkKey] in octets.
const LinkKeySize = chacha20poly1305.KeySize

// linkPadding: plaintexts are padded to a multiple of this many octets, so that
// the length of a link does not tell who is behind it.
const linkPadding = 256

var (
	// ErrLink: an identity link does not open, or what it holds is malformed.
	ErrLink = errors.New("identity: link does not open")
	// ErrLinkSignature: the real key did not sign this pseudonym with this leaf
	// key.
	ErrLinkSignature = errors.New("identity: link is not signed for this leaf")
	// ErrUnverified: the verifier does not accept the key for the credential.
	ErrUnverified = errors.New("identity: key does not belong to the credential")
)

// LinkKey opens one member's identity link.
type LinkKey struct{ secret.Bytes }

// Identity is a real identity: a credential and the Ed25519 key behind it.
type Identity struct {
	Credential mls.Credential
	Key        *mls.SignatureKey
}

// New makes an identity with a fresh key.
func New(c mls.Credential, rand io.Reader) (*Identity, error) {
	s, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return nil, err
	}
	key, err := s.GenerateSignatureKey(rand)
	if err != nil {
		return nil, err
	}
	return &Identity{Credential: c, Key: key}, nil
}

// Opened is what an identity link says.
type Opened struct {
	Credential mls.Credential
	Key        ed25519.PublicKey
}

// Verifier decides whether key belongs to the holder of a real credential.
type Verifier func(c *mls.Credential, key ed25519.PublicKey) bool

const linkLabel = "pseudods 1.0 IdentityLink"

// linkTBS is what the real key signs: the pseudonymous credential without the
// link, and the signature key of the leaf that carries it.
func linkTBS(c *wire.PseudonymousCredential, leafKey []byte) []byte {
	var w tlscodec.Writer
	w.Raw(c.Client[:])
	w.Raw(c.User[:])
	w.Opaque([]byte(c.Provider))
	w.Opaque(c.UserAuthKey)
	w.Opaque(leafKey)
	b, err := w.Bytes()
	if err != nil {
		panic("identity: IdentityLinkTBS has no encoding")
	}
	return b
}

// linkAAD binds a ciphertext to the pseudonyms it belongs to.
func linkAAD(c *wire.PseudonymousCredential) []byte {
	return append(append([]byte(linkLabel), c.Client[:]...), c.User[:]...)
}

// Pseudonym is what a client needs to appear in a group: the credential for its
// leaf, the key that opens its link, and what the two were made for.
type Pseudonym struct {
	Credential wire.PseudonymousCredential
	LinkKey    LinkKey
}

// NewPseudonym draws a client pseudonym and a link key and seals id for a leaf
// with the given signature key. user and userAuthKey are the user's in the
// group: drawn by the user's first client and shared with its others.
func (id *Identity) NewPseudonym(rand io.Reader, user wire.Pseudonym, provider string, userAuthKey ed25519.PublicKey, leafKey []byte) (*Pseudonym, error) {
	p := &Pseudonym{Credential: wire.PseudonymousCredential{User: user, Provider: provider, UserAuthKey: userAuthKey}}
	if _, err := io.ReadFull(rand, p.Credential.Client[:]); err != nil {
		return nil, err
	}
	key := make([]byte, LinkKeySize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, err
	}
	p.LinkKey = LinkKey{secret.New(key)}
	return p, id.Relink(rand, p, leafKey)
}

// Relink seals the link anew for another signature key of the leaf. Pseudonyms
// and link key stay.
func (id *Identity) Relink(rand io.Reader, p *Pseudonym, leafKey []byte) error {
	sig, err := id.Key.SignWithLabel(linkLabel, linkTBS(&p.Credential, leafKey))
	if err != nil {
		return err
	}
	var w tlscodec.Writer
	id.Credential.MarshalTLS(&w)
	w.Opaque(id.Key.Public())
	w.Opaque(sig)
	plain, err := w.Bytes()
	if err != nil {
		return fmt.Errorf("identity: real credential: %w", err)
	}
	plain = append(plain, make([]byte, (linkPadding-len(plain)%linkPadding)%linkPadding)...)
	link, err := seal(rand, p.LinkKey.Bytes, plain, linkAAD(&p.Credential))
	p.Credential.IdentityLink = link
	return err
}

// OpenLink opens the link of the member whose leaf has the given signature key,
// and checks it. It fails with [ErrLink], [ErrLinkSignature] or [ErrUnverified].
func OpenLink(c *wire.PseudonymousCredential, leafKey []byte, key LinkKey, verify Verifier) (*Opened, error) {
	plain, err := open(key.Bytes, c.IdentityLink, linkAAD(c))
	if err != nil {
		return nil, ErrLink
	}
	r := tlscodec.NewReader(plain, tlscodec.Limits{})
	var o Opened
	o.Credential.UnmarshalTLS(r)
	o.Key = r.Opaque()
	sig := r.Opaque()
	padding := r.Rest()
	if r.Finish() != nil || len(o.Key) != ed25519.PublicKeySize || len(padding) >= linkPadding || !allZero(padding) {
		return nil, ErrLink
	}
	s, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return nil, err
	}
	if s.VerifyWithLabel(o.Key, linkLabel, linkTBS(c, leafKey), sig) != nil {
		return nil, ErrLinkSignature
	}
	if !verify(&o.Credential, o.Key) {
		return nil, ErrUnverified
	}
	return &o, nil
}

func allZero(b []byte) bool {
	for _, o := range b {
		if o != 0 {
			return false
		}
	}
	return true
}

// seal encrypts under XChaCha20-Poly1305 with a random nonce in front: one key
// seals at most a few times, and 24 random octets do not repeat.
func seal(rand io.Reader, key secret.Bytes, plain, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key.Reveal())
	if err != nil {
		return nil, err
	}
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, err
	}
	return aead.Seal(out, out, plain, aad), nil
}

func open(key secret.Bytes, sealed, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key.Reveal())
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, ErrLink
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], aad)
}

// Pinned returns a verifier that accepts the first key it meets for a credential
// and from then on that key alone. It is not safe for concurrent use.
func Pinned() Verifier {
	known := map[string]ed25519.PublicKey{}
	return func(c *mls.Credential, key ed25519.PublicKey) bool {
		name, err := mls.Marshal(c)
		if err != nil {
			return false
		}
		if old, ok := known[string(name)]; ok {
			return old.Equal(key)
		}
		known[string(name)] = key
		return true
	}
}
