package mls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// CipherSuite identifies an MLS cipher suite (RFC 9420, Section 17.1).
type CipherSuite uint16

// The cipher suites this package implements. The names leave out what follows
// from the KEM: the signature scheme and the hash.
const (
	X25519AES128GCM        CipherSuite = 0x0001 // SHA-256, Ed25519; mandatory to implement
	P256AES128GCM          CipherSuite = 0x0002 // SHA-256, ECDSA P-256
	X25519ChaCha20Poly1305 CipherSuite = 0x0003 // SHA-256, Ed25519
	X448AES256GCM          CipherSuite = 0x0004 // SHA-512, Ed448
	P521AES256GCM          CipherSuite = 0x0005 // SHA-512, ECDSA P-521
	X448ChaCha20Poly1305   CipherSuite = 0x0006 // SHA-512, Ed448
	P384AES256GCM          CipherSuite = 0x0007 // SHA-384, ECDSA P-384

	// XWingAES256GCM is X-Wing (ML-KEM-768 with X25519), SHA-384, Ed25519, as
	// draft-ietf-mls-pq-ciphersuites-06 composes it. That draft has no code
	// points yet, so this one is from the private-use range and is agreed with
	// nobody. Renumber it here.
	XWingAES256GCM CipherSuite = 0xF101
)

// ErrUnsupportedSuite: the cipher suite is not in this package's table.
var ErrUnsupportedSuite = errors.New("mls: unsupported cipher suite")

// Suite is the set of primitives of one cipher suite. There is one value per
// suite; it is immutable and safe for concurrent use.
type Suite struct {
	id   CipherSuite
	hash crypto.Hash
	kem  kem
	sig  signatureScheme

	newAEAD func(key []byte) (cipher.AEAD, error)
	keySize int // AEAD.Nk of RFC 9180; AEAD.Nn is 12 in every suite
}

const nonceSize = 12

var suites = map[CipherSuite]*Suite{
	X25519AES128GCM:        newSuite(X25519AES128GCM, crypto.SHA256, stdKEM{hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES128GCM(), 32, true}, ed25519Scheme{}, newGCM, 16),
	P256AES128GCM:          newSuite(P256AES128GCM, crypto.SHA256, stdKEM{hpke.DHKEM(ecdh.P256()), hpke.HKDFSHA256(), hpke.AES128GCM(), 65, false}, ecdsaP256, newGCM, 16),
	X25519ChaCha20Poly1305: newSuite(X25519ChaCha20Poly1305, crypto.SHA256, stdKEM{hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), 32, true}, ed25519Scheme{}, chacha20poly1305.New, 32),
	X448AES256GCM:          newSuite(X448AES256GCM, crypto.SHA512, x448AES256GCM, ed448Scheme{}, newGCM, 32),
	P521AES256GCM:          newSuite(P521AES256GCM, crypto.SHA512, stdKEM{hpke.DHKEM(ecdh.P521()), hpke.HKDFSHA512(), hpke.AES256GCM(), 133, false}, ecdsaP521, newGCM, 32),
	X448ChaCha20Poly1305:   newSuite(X448ChaCha20Poly1305, crypto.SHA512, x448ChaCha20Poly1305, ed448Scheme{}, chacha20poly1305.New, 32),
	P384AES256GCM:          newSuite(P384AES256GCM, crypto.SHA384, stdKEM{hpke.DHKEM(ecdh.P384()), hpke.HKDFSHA384(), hpke.AES256GCM(), 97, false}, ecdsaP384, newGCM, 32),
	XWingAES256GCM:         newSuite(XWingAES256GCM, crypto.SHA384, stdKEM{hpke.MLKEM768X25519(), hpke.HKDFSHA384(), hpke.AES256GCM(), 1216, true}, ed25519Scheme{}, newGCM, 32),
}

func newSuite(id CipherSuite, h crypto.Hash, k kem, s signatureScheme, aead func([]byte) (cipher.AEAD, error), keySize int) *Suite {
	return &Suite{id: id, hash: h, kem: k, sig: s, newAEAD: aead, keySize: keySize}
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Suite returns the primitives of c, or [ErrUnsupportedSuite].
func (c CipherSuite) Suite() (*Suite, error) {
	if s, ok := suites[c]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w 0x%04x", ErrUnsupportedSuite, uint16(c))
}

// CipherSuites returns the suites this package implements, in the order of
// their numbers.
func CipherSuites() []CipherSuite {
	return []CipherSuite{X25519AES128GCM, P256AES128GCM, X25519ChaCha20Poly1305, X448AES256GCM,
		P521AES256GCM, X448ChaCha20Poly1305, P384AES256GCM, XWingAES256GCM}
}

// ID returns the suite's number.
func (s *Suite) ID() CipherSuite { return s.id }

// HashSize returns KDF.Nh, the size in octets of hashes, MACs and secrets.
func (s *Suite) HashSize() int { return s.hash.Size() }

// KeySize returns AEAD.Nk in octets.
func (s *Suite) KeySize() int { return s.keySize }

// NonceSize returns AEAD.Nn in octets.
func (s *Suite) NonceSize() int { return nonceSize }

// Hash returns the suite's hash of the concatenation of parts.
func (s *Suite) Hash(parts ...[]byte) []byte {
	h := s.hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// MAC returns HMAC under the suite's hash, HashSize octets.
func (s *Suite) MAC(key, data []byte) []byte {
	m := hmac.New(s.hash.New, key)
	m.Write(data)
	return m.Sum(nil)
}

// VerifyMAC reports, in constant time, whether tag is [Suite.MAC] of data.
func (s *Suite) VerifyMAC(key, data, tag []byte) bool {
	return hmac.Equal(s.MAC(key, data), tag)
}

// Extract is KDF.Extract of RFC 5869 with the suite's hash.
func (s *Suite) Extract(salt, ikm []byte) []byte {
	prk, err := hkdf.Extract(s.hash.New, ikm, salt)
	if err != nil {
		panic("mls: HKDF-Extract failed: " + err.Error())
	}
	return prk
}

// Seal encrypts with the suite's AEAD. The key and nonce must have the suite's
// sizes; they are derived, so another size is this program's fault.
func (s *Suite) Seal(key, nonce, aad, plaintext []byte) []byte {
	return s.aead(key).Seal(nil, nonce, plaintext, aad)
}

// Open decrypts with the suite's AEAD, or fails with [ErrDecrypt].
func (s *Suite) Open(key, nonce, aad, ciphertext []byte) ([]byte, error) {
	pt, err := s.aead(key).Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrDecrypt
	}
	return pt, nil
}

func (s *Suite) aead(key []byte) cipher.AEAD {
	a, err := s.newAEAD(key)
	if err != nil {
		panic("mls: AEAD key of a wrong size: " + err.Error())
	}
	return a
}
