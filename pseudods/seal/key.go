package seal

import (
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// PrivateKey is a private HPKE key. It is immutable and safe for concurrent use.
type PrivateKey struct {
	key    hpke.PrivateKey
	public wire.HPKEKey
}

func scheme(k wire.KEM) (hpke.KEM, error) {
	switch k {
	case wire.X25519:
		return hpke.DHKEM(ecdh.X25519()), nil
	case wire.XWing:
		return hpke.MLKEM768X25519(), nil
	}
	return nil, fmt.Errorf("%w: unknown KEM", ErrKey)
}

// GenerateKey makes a key.
func GenerateKey(k wire.KEM) (*PrivateKey, error) {
	s, err := scheme(k)
	if err != nil {
		return nil, err
	}
	key, err := s.GenerateKey()
	if err != nil {
		return nil, err
	}
	return newPrivateKey(k, key), nil
}

// ParseKey reads what [PrivateKey.Marshal] returned. It fails with [ErrKey].
func ParseKey(k wire.KEM, private secret.Bytes) (*PrivateKey, error) {
	s, err := scheme(k)
	if err != nil {
		return nil, err
	}
	key, err := s.NewPrivateKey(private.Reveal())
	if err != nil {
		return nil, ErrKey
	}
	return newPrivateKey(k, key), nil
}

func newPrivateKey(k wire.KEM, key hpke.PrivateKey) *PrivateKey {
	return &PrivateKey{key, wire.HPKEKey{KEM: k, Public: key.PublicKey().Bytes()}}
}

// Public returns the public key, which the caller must not modify.
func (k *PrivateKey) Public() *wire.HPKEKey { return &k.public }

// Marshal returns the private key in the encoding of RFC 9180, Section 7.1.2, or
// the seed for X-Wing: 32 octets either way.
func (k *PrivateKey) Marshal() (secret.Bytes, error) {
	b, err := k.key.Bytes()
	return secret.New(b), err
}

func parsePublic(k *wire.HPKEKey) (hpke.PublicKey, error) {
	s, err := scheme(k.KEM)
	if err != nil {
		return nil, err
	}
	public, err := s.NewPublicKey(k.Public)
	if err != nil {
		return nil, ErrKey
	}
	return public, nil
}

// CheckKey fails with [ErrKey] unless k is a public key that can be sealed to. One of
// low order parses, and is found by encapsulating to it.
func CheckKey(k *wire.HPKEKey) error {
	_, _, err := sealTo(k, "", nil, nil)
	return err
}

// sealTo encrypts to a public key, with associated data.
func sealTo(k *wire.HPKEKey, info string, aad, plaintext []byte) (kemOutput, ciphertext []byte, err error) {
	public, err := parsePublic(k)
	if err != nil {
		return nil, nil, err
	}
	// A public key of low order fails here.
	kemOutput, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, nil, ErrKey
	}
	ciphertext, err = sender.Seal(aad, plaintext)
	return kemOutput, ciphertext, err
}

func (k *PrivateKey) open(info string, aad, kemOutput, ciphertext []byte) ([]byte, error) {
	recipient, err := hpke.NewRecipient(kemOutput, k.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := recipient.Open(aad, ciphertext)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}
