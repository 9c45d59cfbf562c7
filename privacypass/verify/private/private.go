// Package private makes the keys that redeem privately verifiable tokens, those
// of the VOPRF types 0x0005 and 0x0001. It is apart from package verify because
// it computes with the issuance key: an origin that redeems public tokens alone
// must not link it.
package private

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/voprf"
	"github.com/pseudods/pseudods/privacypass/verify"
)

type key struct {
	tokenType privacypass.TokenType
	id        privacypass.KeyID
	private   voprf.PrivateKey
}

var _ verify.Key = (*key)(nil)

// NewKey returns the verifying key for an issuance key as issuer.Key.Marshal
// encodes it: the token type in two octets, then the serialized scalar. The error
// is [verify.ErrKey], or [privacypass.ErrTokenType] for other types.
func NewKey(issuanceKey secret.Bytes) (verify.Key, error) {
	raw := issuanceKey.Reveal()
	if len(raw) < 2 {
		return nil, fmt.Errorf("%w: %d octets", verify.ErrKey, len(raw))
	}
	t := privacypass.TokenType(binary.BigEndian.Uint16(raw))
	var suite voprf.Suite
	switch t {
	case privacypass.VOPRFP384:
		suite = voprf.P384
	case privacypass.VOPRFRistretto255:
		suite = voprf.Ristretto255
	default:
		return nil, fmt.Errorf("%w: %v", privacypass.ErrTokenType, t)
	}
	private, err := suite.NewPrivateKey(raw[2:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrKey, err)
	}
	return &key{t, privacypass.KeyIDOf(private.Public()), private}, nil
}

func (k *key) TokenType() privacypass.TokenType { return k.tokenType }
func (k *key) ID() privacypass.KeyID            { return k.id }
func (k *key) String() string                   { return "[secret]" }

// Check evaluates the token's input and compares in constant time, RFC 9578,
// Section 5.4. A comparison that stops at the first difference would let a
// forger find an authenticator octet by octet.
func (k *key) Check(t *privacypass.Token) error {
	in := t.AuthenticatorInput()
	want, err := k.private.Evaluate(in[:])
	if err != nil || subtle.ConstantTimeCompare(want, t.Authenticator) != 1 {
		return verify.ErrAuthenticator
	}
	return nil
}
