package mls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
)

type signFunc = func(message []byte) ([]byte, error)

// signatureScheme is one of RFC 9420, Section 5.1.1.
type signatureScheme interface {
	parse(private []byte) (sign signFunc, public []byte, err error)
	check(public []byte) bool
	verify(public, message, sig []byte) bool
	seedSize() int
}

// SignatureKey is a private signature key of one scheme. It is immutable and
// safe for concurrent use.
type SignatureKey struct {
	sign   signFunc
	public []byte
	raw    secret.Bytes
}

// ParseSignatureKey reads a private key: the seed for EdDSA (32 octets for
// Ed25519, 57 for Ed448), the big-endian scalar for ECDSA. It fails with
// [ErrPrivateKey].
func (s *Suite) ParseSignatureKey(private secret.Bytes) (*SignatureKey, error) {
	sign, public, err := s.sig.parse(private.Reveal())
	if err != nil {
		return nil, err
	}
	return &SignatureKey{sign: sign, public: public, raw: private}, nil
}

// GenerateSignatureKey makes a key from rand.
func (s *Suite) GenerateSignatureKey(rand io.Reader) (*SignatureKey, error) {
	seed := make([]byte, s.sig.seedSize())
	for range 64 { // an ECDSA scalar is out of range with negligible probability but for P-521
		if _, err := io.ReadFull(rand, seed); err != nil {
			return nil, err
		}
		if s.sig == signatureScheme(ecdsaP521) {
			seed[0] &= 1
		}
		if k, err := s.ParseSignatureKey(secret.Clone(seed)); err == nil {
			clear(seed)
			return k, nil
		}
	}
	return nil, ErrPrivateKey
}

// Public returns the public key in the encoding of RFC 9420, Section 5.1.1.
// The caller must not modify it.
func (k *SignatureKey) Public() []byte { return k.public }

// Private returns what [Suite.ParseSignatureKey] reads.
func (k *SignatureKey) Private() secret.Bytes { return k.raw }

// CheckSignaturePublicKey fails with [ErrPublicKey] unless public is a
// well-formed key of the suite's signature scheme.
func (s *Suite) CheckSignaturePublicKey(public []byte) error {
	if !s.sig.check(public) {
		return ErrPublicKey
	}
	return nil
}

type ed25519Scheme struct{}

func (ed25519Scheme) parse(private []byte) (signFunc, []byte, error) {
	if len(private) != ed25519.SeedSize {
		return nil, nil, ErrPrivateKey
	}
	key := ed25519.NewKeyFromSeed(private)
	sign := func(message []byte) ([]byte, error) { return ed25519.Sign(key, message), nil }
	return sign, key[ed25519.SeedSize:], nil
}

func (ed25519Scheme) check(public []byte) bool { return len(public) == ed25519.PublicKeySize }

func (ed25519Scheme) verify(public, message, sig []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, sig)
}

func (ed25519Scheme) seedSize() int { return ed25519.SeedSize }

// ecdsaScheme signs the hash of the message; signatures are DER, public keys
// uncompressed points.
type ecdsaScheme struct {
	curve elliptic.Curve
	hash  crypto.Hash
}

var (
	ecdsaP256 = &ecdsaScheme{elliptic.P256(), crypto.SHA256}
	ecdsaP384 = &ecdsaScheme{elliptic.P384(), crypto.SHA384}
	ecdsaP521 = &ecdsaScheme{elliptic.P521(), crypto.SHA512}
)

func (e *ecdsaScheme) digest(message []byte) []byte {
	h := e.hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func (e *ecdsaScheme) parse(private []byte) (signFunc, []byte, error) {
	// Published keys come without leading zeros; the parser wants them.
	if len(private) > e.seedSize() {
		return nil, nil, ErrPrivateKey
	}
	padded := make([]byte, e.seedSize())
	copy(padded[len(padded)-len(private):], private)
	key, err := ecdsa.ParseRawPrivateKey(e.curve, padded)
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, nil, ErrPrivateKey
	}
	sign := func(message []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, e.digest(message)) }
	return sign, public, nil
}

func (e *ecdsaScheme) check(public []byte) bool {
	_, err := ecdsa.ParseUncompressedPublicKey(e.curve, public)
	return err == nil
}

func (e *ecdsaScheme) verify(public, message, sig []byte) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(e.curve, public)
	return err == nil && ecdsa.VerifyASN1(key, e.digest(message), sig)
}

func (e *ecdsaScheme) seedSize() int { return (e.curve.Params().BitSize + 7) / 8 }
