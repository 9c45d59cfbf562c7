package mls

import (
	"crypto/hkdf"
	"errors"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

const labelPrefix = "MLS 1.0 "

var (
	// ErrSignature: a signature does not verify, or its key is malformed.
	ErrSignature = errors.New("mls: invalid signature")
	// ErrDecrypt: a ciphertext does not open under the key.
	ErrDecrypt = errors.New("mls: decryption failed")
	// ErrPublicKey: a public key is not one of the suite's scheme.
	ErrPublicKey = errors.New("mls: malformed public key")
	// ErrPrivateKey: a private key is not one of the suite's scheme.
	ErrPrivateKey = errors.New("mls: malformed private key")
)

// ExpandWithLabel derives length octets (RFC 9420, Section 8).
func (s *Suite) ExpandWithLabel(sec secret.Bytes, label string, context []byte, length int) secret.Bytes {
	var w tlscodec.Writer
	w.Uint16(uint16(length))
	w.Opaque([]byte(labelPrefix + label))
	w.Opaque(context)
	info, err := w.Bytes()
	if err != nil || length > 0xffff {
		panic("mls: KDFLabel has no encoding")
	}
	out, err := hkdf.Expand(s.hash.New, sec.Reveal(), string(info), length)
	if err != nil {
		panic("mls: HKDF-Expand failed: " + err.Error())
	}
	return secret.New(out)
}

// DeriveSecret derives HashSize octets (RFC 9420, Section 8).
func (s *Suite) DeriveSecret(sec secret.Bytes, label string) secret.Bytes {
	return s.ExpandWithLabel(sec, label, nil, s.HashSize())
}

// DeriveTreeSecret derives length octets for one generation of a ratchet
// (RFC 9420, Section 9).
func (s *Suite) DeriveTreeSecret(sec secret.Bytes, label string, generation uint32, length int) secret.Bytes {
	var w tlscodec.Writer
	w.Uint32(generation)
	ctx, _ := w.Bytes()
	return s.ExpandWithLabel(sec, label, ctx, length)
}

// RefHash hashes value under a label that is part of the RFC, such as
// "MLS 1.0 KeyPackage Reference" (RFC 9420, Section 5.2).
func (s *Suite) RefHash(label string, value []byte) []byte {
	var w tlscodec.Writer
	w.Opaque([]byte(label))
	w.Opaque(value)
	in, err := w.Bytes()
	if err != nil {
		panic("mls: RefHashInput has no encoding")
	}
	return s.Hash(in)
}

// labelled encodes SignContent (RFC 9420, Section 5.1.2) and EncryptContext
// (Section 5.1.3), which have the same shape.
func labelled(label string, content []byte) []byte {
	w := tlscodec.NewWriter(make([]byte, 0, len(labelPrefix)+len(label)+len(content)+8))
	w.Opaque([]byte(labelPrefix + label))
	w.Opaque(content)
	b, err := w.Bytes()
	if err != nil {
		panic("mls: labelled content has no encoding")
	}
	return b
}

// SignWithLabel signs content (RFC 9420, Section 5.1.2).
func (k *SignatureKey) SignWithLabel(label string, content []byte) ([]byte, error) {
	return k.sign(labelled(label, content))
}

// VerifyWithLabel checks a signature over content (RFC 9420, Section 5.1.2). It
// returns nil or [ErrSignature]. All its inputs are public.
func (s *Suite) VerifyWithLabel(public []byte, label string, content, sig []byte) error {
	if !s.sig.verify(public, labelled(label, content), sig) {
		return ErrSignature
	}
	return nil
}

// EncryptWithLabel encrypts to an HPKE public key (RFC 9420, Section 5.1.3). It
// fails with [ErrPublicKey] if the key is malformed.
func (s *Suite) EncryptWithLabel(public []byte, label string, context, plaintext []byte) (HPKECiphertext, error) {
	return s.kem.seal(public, labelled(label, context), plaintext)
}

// DecryptWithLabel opens what [Suite.EncryptWithLabel] made. It fails with
// [ErrPrivateKey] or [ErrDecrypt].
func (s *Suite) DecryptWithLabel(private HPKEPrivateKey, label string, context []byte, c HPKECiphertext) ([]byte, error) {
	return s.kem.open(private.Reveal(), labelled(label, context), c)
}
