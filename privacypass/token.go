package privacypass

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

const (
	// NonceSize is the size of a token's nonce in octets.
	NonceSize = 32
	// AuthenticatorInputSize is the size of the part of a token that its
	// authenticator covers.
	AuthenticatorInputSize = 2 + NonceSize + sha256.Size + sha256.Size
)

// Token is the default token structure of RFC 9577, Section 2.2. Whoever holds
// a token can spend it: treat it as a secret until it is redeemed.
type Token struct {
	TokenType       TokenType
	Nonce           [NonceSize]byte
	ChallengeDigest [sha256.Size]byte
	KeyID           KeyID
	// Authenticator is as long as the token type says: 48, 256 or 64 octets.
	Authenticator []byte
}

// ParseToken decodes a token of a supported type. It returns [ErrTokenType] for
// other types, reserved ones among them, and [ErrMalformed] for any other fault.
// The result says nothing about the token's validity.
func ParseToken(b []byte) (*Token, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	t := &Token{TokenType: TokenType(r.Uint16())}
	if err := r.Err(); err != nil {
		return nil, malformed("token", err)
	}
	p, err := t.TokenType.Params()
	if err != nil {
		return nil, err
	}
	copy(t.Nonce[:], r.Fixed(NonceSize))
	copy(t.ChallengeDigest[:], r.Fixed(sha256.Size))
	copy(t.KeyID[:], r.Fixed(sha256.Size))
	t.Authenticator = r.Fixed(p.AuthenticatorSize)
	if err := r.Finish(); err != nil {
		return nil, malformed("token", err)
	}
	return t, nil
}

// AuthenticatorInput returns the octets that the authenticator covers: all
// fields before it.
func (t *Token) AuthenticatorInput() [AuthenticatorInputSize]byte {
	var in [AuthenticatorInputSize]byte
	binary.BigEndian.PutUint16(in[:], uint16(t.TokenType))
	rest := in[2:]
	rest = rest[copy(rest, t.Nonce[:]):]
	rest = rest[copy(rest, t.ChallengeDigest[:]):]
	copy(rest, t.KeyID[:])
	return in
}

// Marshal encodes t. It returns [ErrTokenType], or [ErrInvalid] if the
// authenticator does not have the size that the type says.
func (t *Token) Marshal() ([]byte, error) {
	p, err := t.TokenType.Params()
	if err != nil {
		return nil, err
	}
	if len(t.Authenticator) != p.AuthenticatorSize {
		return nil, fmt.Errorf("%w: authenticator of %d octets", ErrInvalid, len(t.Authenticator))
	}
	in := t.AuthenticatorInput()
	return append(append(make([]byte, 0, p.TokenSize()), in[:]...), t.Authenticator...), nil
}
