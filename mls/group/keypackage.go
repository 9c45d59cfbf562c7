package group

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// KeyPackage is a client's own KeyPackage with its private parts.
type KeyPackage struct {
	Public  *mls.KeyPackage
	InitKey mls.HPKEPrivateKey
	LeafKey mls.HPKEPrivateKey
	Signer  *mls.SignatureKey
}

// KeyPackageOptions says what is special about a KeyPackage. The zero value is
// the usual one.
type KeyPackageOptions struct {
	// LastResort marks a KeyPackage that may be used more than once, for when a
	// client's others are used up. Groups joined with it share the init key, so
	// it should be replaced as soon as it was used.
	LastResort bool
	Extensions mls.Extensions // of the KeyPackage, not of its leaf
}

// NewKeyPackage makes a KeyPackage, keeps its private parts in cfg.KeyPackages
// and returns the public part to publish (RFC 9420, Section 10). It fails with
// [mls.ErrKeyPackage], [mls.ErrLeafNode], [mls.ErrExtension] if c does not make
// a valid one, with [ErrNoStore], or with the error of the store.
func NewKeyPackage(cfg Config, c *Client, o KeyPackageOptions) (*mls.KeyPackage, error) {
	cfg = cfg.withDefaults()
	if cfg.KeyPackages == nil {
		return nil, ErrNoStore
	}
	p, err := generateKeyPackage(cfg.Rand, c, o)
	if err != nil {
		return nil, err
	}
	ref, err := p.Ref()
	if err != nil {
		return nil, err
	}
	return p.Public, cfg.KeyPackages.PutKeyPackage(ref, p)
}

func generateKeyPackage(rand io.Reader, c *Client, o KeyPackageOptions) (*KeyPackage, error) {
	s, err := c.Suite.Suite()
	if err != nil {
		return nil, err
	}
	p := &KeyPackage{Signer: c.Signer}
	k := &mls.KeyPackage{Version: mls.MLS10, CipherSuite: c.Suite, LeafNode: c.leaf(), Extensions: o.Extensions}
	if o.LastResort {
		k.Extensions = append(k.Extensions.Without(mls.ExtensionTypeLastResort), mls.Extension{Type: mls.ExtensionTypeLastResort})
	}
	for _, e := range k.Extensions { // RFC 9420, Section 10
		if !mls.IsGREASE(e.Type) && !k.LeafNode.Capabilities.SupportsExtension(e.Type) {
			return nil, fmt.Errorf("%w: extension %v not among the capabilities", mls.ErrKeyPackage, e.Type)
		}
	}
	if p.InitKey, k.InitKey, err = s.GenerateKeyPair(rand); err != nil {
		return nil, err
	}
	if p.LeafKey, k.LeafNode.EncryptionKey, err = s.GenerateKeyPair(rand); err != nil {
		return nil, err
	}
	if err := k.LeafNode.Sign(c.Signer, nil, 0); err != nil {
		return nil, err
	}
	if err := k.Sign(c.Signer); err != nil {
		return nil, err
	}
	p.Public = k
	return p, k.Verify(s)
}

// Ref returns the hash that names p.
func (p *KeyPackage) Ref() (mls.KeyPackageRef, error) {
	s, err := p.Public.CipherSuite.Suite()
	if err != nil {
		return nil, err
	}
	return p.Public.Ref(s)
}

// Marshal encodes p with its private keys, for a [KeyPackageStore] that keeps
// octets.
func (p *KeyPackage) Marshal() (secret.Bytes, error) {
	b, err := mls.Marshal((*keyPackageCodec)(p))
	return secret.New(b), err
}

// ParseKeyPackage decodes what [KeyPackage.Marshal] made, and copies b. It fails
// with [ErrState].
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	p := new(KeyPackage)
	if err := mls.Unmarshal(bytes.Clone(b), (*keyPackageCodec)(p)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return p, nil
}

type keyPackageCodec KeyPackage

func (p *keyPackageCodec) MarshalTLS(w *tlscodec.Writer) {
	p.Public.MarshalTLS(w)
	w.Opaque(p.InitKey.Reveal())
	w.Opaque(p.LeafKey.Reveal())
	w.Opaque(p.Signer.Private().Reveal())
}

func (p *keyPackageCodec) UnmarshalTLS(r *tlscodec.Reader) {
	p.Public = new(mls.KeyPackage)
	p.Public.UnmarshalTLS(r)
	p.InitKey = mls.HPKEPrivateKey{Bytes: takeSecret(r)}
	p.LeafKey = mls.HPKEPrivateKey{Bytes: takeSecret(r)}
	if s, err := p.Public.CipherSuite.Suite(); err != nil {
		r.Fail(err)
	} else {
		p.Signer = takeSignatureKey(r, s)
	}
}
