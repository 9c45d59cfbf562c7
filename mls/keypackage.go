package mls

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// KeyPackage is what a client publishes so that others can add it to groups
// (RFC 9420, Section 10).
type KeyPackage struct {
	Version     ProtocolVersion
	CipherSuite CipherSuite
	InitKey     []byte // HPKE public key
	LeafNode    LeafNode
	Extensions  Extensions
	Signature   []byte
}

// KeyPackageRef is the hash that names a KeyPackage (RFC 9420, Section 5.2).
type KeyPackageRef []byte

// ErrKeyPackage: a KeyPackage breaks a rule of RFC 9420, Section 10.1.
var ErrKeyPackage = errors.New("mls: invalid KeyPackage")

func (p *KeyPackage) marshalContent(w *tlscodec.Writer) {
	w.Uint16(uint16(p.Version))
	w.Uint16(uint16(p.CipherSuite))
	w.Opaque(p.InitKey)
	p.LeafNode.MarshalTLS(w)
	p.Extensions.MarshalTLS(w)
}

// MarshalTLS encodes p.
func (p *KeyPackage) MarshalTLS(w *tlscodec.Writer) {
	p.marshalContent(w)
	w.Opaque(p.Signature)
}

// UnmarshalTLS decodes p.
func (p *KeyPackage) UnmarshalTLS(r *tlscodec.Reader) {
	*p = KeyPackage{Version: ProtocolVersion(r.Uint16()), CipherSuite: CipherSuite(r.Uint16()), InitKey: r.Opaque()}
	p.LeafNode.UnmarshalTLS(r)
	p.Extensions.UnmarshalTLS(r)
	p.Signature = r.Opaque()
}

func (p *KeyPackage) tbs() ([]byte, error) {
	var w tlscodec.Writer
	p.marshalContent(&w)
	return w.Bytes()
}

// Sign sets the signature over everything else in p.
func (p *KeyPackage) Sign(key *SignatureKey) error {
	tbs, err := p.tbs()
	if err != nil {
		return fmt.Errorf("%w: KeyPackage: %w", ErrEncode, err)
	}
	p.Signature, err = key.SignWithLabel("KeyPackageTBS", tbs)
	return err
}

// Ref returns the hash that names p, HashSize octets.
func (p *KeyPackage) Ref(s *Suite) (KeyPackageRef, error) {
	b, err := Marshal(p)
	if err != nil {
		return nil, err
	}
	return s.RefHash("MLS 1.0 KeyPackage Reference", b), nil
}

// Verify checks p by itself (RFC 9420, Section 10.1): version and suite, the
// leaf node with its signature, the signature over the whole, and that the init
// key is well-formed and differs from the leaf's encryption key. Lifetimes need
// a clock and are the caller's to check. Errors wrap [ErrKeyPackage],
// [ErrLeafNode], [ErrPublicKey], [ErrExtension] or [ErrSignature].
func (p *KeyPackage) Verify(s *Suite) error {
	if p.Version != MLS10 {
		return fmt.Errorf("%w: version %d", ErrKeyPackage, p.Version)
	}
	if p.CipherSuite != s.id {
		return fmt.Errorf("%w: cipher suite %v in a group of %v", ErrKeyPackage, p.CipherSuite, s.id)
	}
	if err := s.CheckHPKEPublicKey(p.InitKey); err != nil {
		return fmt.Errorf("%w: init key: %w", ErrKeyPackage, err)
	}
	if bytes.Equal(p.InitKey, p.LeafNode.EncryptionKey) {
		return fmt.Errorf("%w: init key equals encryption key", ErrKeyPackage)
	}
	if err := p.LeafNode.Check(s, LeafNodeSourceKeyPackage); err != nil {
		return err
	}
	if err := p.Extensions.CheckUnique(); err != nil {
		return err
	}
	if err := p.LeafNode.VerifySignature(s, nil, 0); err != nil {
		return err
	}
	tbs, err := p.tbs()
	if err != nil {
		return fmt.Errorf("%w: KeyPackage: %w", ErrEncode, err)
	}
	if err := s.VerifyWithLabel(p.LeafNode.SignatureKey, "KeyPackageTBS", tbs, p.Signature); err != nil {
		return fmt.Errorf("KeyPackage: %w", err)
	}
	return nil
}

// LastResort reports whether p is marked as one that may be used more than
// once: by the extension that deployed clients send, or by the component of
// draft-ietf-mls-extensions-08
func (p *KeyPackage) LastResort() bool {
	if _, ok := p.Extensions.Find(ExtensionTypeLastResort); ok {
		return true
	}
	var d AppDataDictionary
	if ok, err := p.Extensions.Decode(ExtensionTypeAppDataDictionary, &d); !ok || err != nil {
		return false
	}
	_, ok := d.Find(ComponentLastResort)
	return ok
}
