package verify

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/rsapss"
)

// Variant is a variant of blind RSA, which fixes the salt length of tokens.
type Variant uint8

const (
	// PSS is RSABSSA-SHA384-PSS-Deterministic, with salts of 48 octets: what RFC
	// 9578, Section 6.4 tells verifiers to accept.
	PSS Variant = iota
	// PSSZero is RSABSSA-SHA384-PSSZERO-Deterministic, without salt.
	PSSZero
)

type blindRSA struct {
	id        privacypass.KeyID
	key       *rsapss.PublicKey
	saltSizes []int
}

var _ Key = (*blindRSA)(nil)

// NewBlindRSA returns the key of type 0x0002 with the encoded public key given.
// It accepts tokens of the variants listed, of [PSS] alone if none is. The error
// is [ErrKey].
func NewBlindRSA(publicKey []byte, variants ...Variant) (Key, error) {
	key, err := rsapss.ParseSPKI(publicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := &blindRSA{id: privacypass.KeyIDOf(publicKey), key: key}
	if len(variants) == 0 || slices.Contains(variants, PSS) {
		k.saltSizes = append(k.saltSizes, rsapss.SaltSize)
	}
	if slices.Contains(variants, PSSZero) {
		k.saltSizes = append(k.saltSizes, 0)
	}
	if len(k.saltSizes) == 0 {
		return nil, fmt.Errorf("%w: unknown variant", ErrKey)
	}
	return k, nil
}

func (k *blindRSA) TokenType() privacypass.TokenType { return privacypass.BlindRSA }
func (k *blindRSA) ID() privacypass.KeyID            { return k.id }

// Check verifies the signature, RFC 9578, Section 6.4.
func (k *blindRSA) Check(t *privacypass.Token) error {
	in := t.AuthenticatorInput()
	for _, size := range k.saltSizes {
		if k.key.Verify(in[:], t.Authenticator, size) == nil {
			return nil
		}
	}
	return ErrAuthenticator
}
