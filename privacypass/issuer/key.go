package issuer

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
)

// Key is an issuance key of any token type. Keys are immutable and safe for
// concurrent use: all that derives from the private part, the public key among
// it, is computed when the key is made. What a Key prints as shows nothing.
type Key interface {
	TokenType() privacypass.TokenType
	// ID is the full token_key_id.
	ID() privacypass.KeyID
	// PublicKey is the "token-key" of directories and challenges.
	PublicKey() []byte
	// Marshal encodes the private key for [ParseKey].
	Marshal() secret.Bytes

	// evaluate answers blinded messages of the right size, all under one proof if
	// the type has proofs. Types without amortized batches get one message.
	evaluate(rand io.Reader, blinded [][]byte) (evaluated [][]byte, proof []byte, err error)
}

// GenerateKey makes a key of the type given. Keys of the VOPRF types come from
// rand; blind RSA keys come from Go's own generator whatever rand is.
func GenerateKey(t privacypass.TokenType, rand io.Reader) (Key, error) {
	if s, ok := suites[t]; ok {
		seed := make([]byte, s.ScalarSize())
		if _, err := io.ReadFull(rand, seed); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFault, err)
		}
		return DeriveKey(t, secret.New(seed))
	}
	if t == privacypass.BlindRSA {
		return generateRSA()
	}
	return nil, fmt.Errorf("%w: %v", privacypass.ErrTokenType, t)
}

// DeriveKey makes a key from a seed as RFC 9578, Section 5.5 says:
// DeriveKeyPair(seed, "PrivacyPass"). The seed has Ns octets, 48 for
// [privacypass.VOPRFP384] and 32 for [privacypass.VOPRFRistretto255]. Blind RSA
// has no such derivation: [privacypass.ErrTokenType].
func DeriveKey(t privacypass.TokenType, seed secret.Bytes) (Key, error) {
	s, ok := suites[t]
	if !ok {
		return nil, fmt.Errorf("%w: %v", privacypass.ErrTokenType, t)
	}
	if seed.Len() != s.ScalarSize() {
		return nil, fmt.Errorf("%w: seed of %d octets", ErrKeyFormat, seed.Len())
	}
	k, err := s.DeriveKey(seed.Reveal(), []byte("PrivacyPass"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return newVOPRFKey(t, k), nil
}

// ParseKey decodes what [Key.Marshal] encodes: the token type in two octets,
// then the serialized scalar (48 or 32 octets) or, for blind RSA, a DER PKCS #8
// PrivateKeyInfo. Blind RSA keys have two primes, 2048 bits and exponent 65537,
// and are checked for consistency.
func ParseKey(b secret.Bytes) (Key, error) {
	raw := b.Reveal()
	if len(raw) < 2 {
		return nil, fmt.Errorf("%w: %d octets", ErrKeyFormat, len(raw))
	}
	t := privacypass.TokenType(binary.BigEndian.Uint16(raw))
	if t == privacypass.BlindRSA {
		return parseRSA(raw[2:])
	}
	s, ok := suites[t]
	if !ok {
		return nil, fmt.Errorf("%w: %v", privacypass.ErrTokenType, t)
	}
	k, err := s.NewPrivateKey(raw[2:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	return newVOPRFKey(t, k), nil
}

func marshalKey(t privacypass.TokenType, body []byte) secret.Bytes {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(body)), uint16(t))
	return secret.New(append(b, body...))
}
