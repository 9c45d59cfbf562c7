package privacypass

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
)

// TokenType is a value of the "Privacy Pass Token Type" registry of RFC 9577,
// Section 6.2. It names an issuance protocol and its key and token encodings.
type TokenType uint16

// The supported token types.
const (
	// VOPRFP384 is VOPRF(P-384, SHA-384), RFC 9578, Section 5.
	VOPRFP384 TokenType = 0x0001
	// BlindRSA is Blind RSA (2048-bit), RFC 9578, Section 6. Its tokens are
	// publicly verifiable.
	BlindRSA TokenType = 0x0002
	// VOPRFRistretto255 is VOPRF(ristretto255, SHA-512),
	// draft-ietf-privacypass-batched-tokens-07, Section 8.1.
	VOPRFRistretto255 TokenType = 0x0005
)

// Params holds the sizes of a token type. All are in octets.
type Params struct {
	// Name is the registered name.
	Name string
	// PublicKeySize is the size of the encoded public key ("token-key").
	PublicKeySize int
	// BlindedSize is the size of one blinded message (Ne, or Nk for blind RSA),
	// and of one evaluated message or blind signature.
	BlindedSize int
	// ProofSize is the size of the proof (Ns + Ns), 0 for blind RSA.
	ProofSize int
	// AuthenticatorSize is Nk.
	AuthenticatorSize int
	// Public: tokens verify under the public key.
	Public bool
	// Amortized: many tokens may be issued under one proof.
	Amortized bool
}

// TokenSize is the size of a token, authenticator included.
func (p Params) TokenSize() int { return AuthenticatorInputSize + p.AuthenticatorSize }

// RequestSize is the size of a [TokenRequest].
func (p Params) RequestSize() int { return 3 + p.BlindedSize }

// ResponseSize is the size of a [TokenResponse].
func (p Params) ResponseSize() int { return p.BlindedSize + p.ProofSize }

var registry = map[TokenType]Params{
	VOPRFP384: {
		Name: "VOPRF(P-384, SHA-384)", PublicKeySize: 49, BlindedSize: 49, ProofSize: 96,
		AuthenticatorSize: 48, Amortized: true,
	},
	BlindRSA: {
		Name: "Blind RSA (2048-bit)", PublicKeySize: 342, BlindedSize: 256,
		AuthenticatorSize: 256, Public: true,
	},
	VOPRFRistretto255: {
		Name: "VOPRF(ristretto255, SHA-512)", PublicKeySize: 32, BlindedSize: 32, ProofSize: 64,
		AuthenticatorSize: 64, Amortized: true,
	},
}

// TokenTypes returns the supported types in ascending order.
func TokenTypes() []TokenType { return []TokenType{VOPRFP384, BlindRSA, VOPRFRistretto255} }

// Params returns the sizes of t, or [ErrTokenType].
func (t TokenType) Params() (Params, error) {
	p, ok := registry[t]
	if !ok {
		return Params{}, fmt.Errorf("%w: %v", ErrTokenType, t)
	}
	return p, nil
}

// String returns the value as "0x0005".
func (t TokenType) String() string { return fmt.Sprintf("0x%04X", uint16(t)) }

// grease lists the reserved types of RFC 9577, Section 6.2.1.
var grease = []TokenType{
	0x0000, 0x02AA, 0x1132, 0x2E96, 0x3CD3, 0x4473, 0x5A63, 0x6D32, 0x7F3F,
	0x8D07, 0x916B, 0xA6A4, 0xBEAB, 0xC3F3, 0xDA42, 0xE944, 0xF057,
}

// IsGrease reports whether t is one of the 17 values that RFC 9577 reserves so
// that implementations stay able to ignore types they do not know.
func (t TokenType) IsGrease() bool { return slices.Contains(grease, t) }

// KeyID is a token_key_id: the SHA-256 digest of an encoded public key
// (RFC 9578, Sections 5.5 and 6.5).
type KeyID [sha256.Size]byte

// KeyIDOf returns the identifier of an encoded public key.
func KeyIDOf(publicKey []byte) KeyID { return sha256.Sum256(publicKey) }

// Truncated returns the truncated_token_key_id of requests, the last octet.
// About one pair of keys in 256 shares it: it selects among the live keys of an
// issuer and identifies nothing.
func (id KeyID) Truncated() uint8 { return id[len(id)-1] }

// Equal compares all 32 octets in constant time.
func (id KeyID) Equal(other KeyID) bool {
	return subtle.ConstantTimeCompare(id[:], other[:]) == 1
}
