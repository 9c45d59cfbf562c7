package identity

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// LinkKeySize is the size of a [LinkKey] in octets.
const LinkKeySize = seal.LinkKeySize

var (
	// ErrLink: an identity link does not open, or what it holds is malformed.
	ErrLink = seal.ErrLink
	// ErrLinkSignature: the real key did not sign this pseudonym with this leaf
	// key.
	ErrLinkSignature = seal.ErrLinkSignature
	// ErrUnverified: the verifier does not accept the key for the credential.
	ErrUnverified = errors.New("identity: key does not belong to the credential")
)

// LinkKey opens one member's identity link.
type LinkKey = seal.LinkKey

// Opened is what an identity link says.
type Opened = seal.Linked

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

// Verifier decides whether key belongs to the holder of a real credential.
type Verifier func(c *mls.Credential, key ed25519.PublicKey) bool

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
	p.LinkKey = LinkKey{Bytes: secret.New(key)}
	return p, id.Relink(rand, p, leafKey)
}

// Relink seals the link anew for another signature key of the leaf. Pseudonyms
// and link key stay.
func (id *Identity) Relink(rand io.Reader, p *Pseudonym, leafKey []byte) error {
	link, err := seal.SealLink(rand, p.LinkKey, &p.Credential, leafKey, &id.Credential, id.Key)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	p.Credential.IdentityLink = link
	return nil
}

// OpenLink opens the link of the member whose leaf has the given signature key,
// and checks it. It fails with [ErrLink], [ErrLinkSignature] or [ErrUnverified].
func OpenLink(c *wire.PseudonymousCredential, leafKey []byte, key LinkKey, verify Verifier) (*Opened, error) {
	o, err := seal.OpenLink(c, leafKey, key)
	if err != nil {
		return nil, err
	}
	if !verify(&o.Credential, o.Key) {
		return nil, ErrUnverified
	}
	return o, nil
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
