package client

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/rsapss"
	"github.com/pseudods/pseudods/privacypass/internal/voprf"
)

// PublicKey is an issuer's public key, decoded once. It is immutable.
type PublicKey struct {
	tokenType privacypass.TokenType
	id        privacypass.KeyID
	encoded   []byte
	protocol  protocol
}

// protocol is the client's part of an issuance protocol. It holds no state: the
// secrets of a token are passed in.
type protocol interface {
	// draw makes the secrets of a new token.
	draw(rand io.Reader, zeroSalt bool) (blinding, error)
	// checkBlinding reports whether restored secrets have the right sizes.
	checkBlinding(b blinding) bool
	// blind returns the blinded message for a token input.
	blind(input []byte, b blinding) ([]byte, error)
	// finalize returns the authenticators, all of them checked.
	finalize(inputs [][]byte, b []blinding, blinded, evaluated [][]byte, proof []byte) ([][]byte, error)
}

// blinding holds what blinds one token: a scalar, or a salt and a factor with its
// inverse.
type blinding struct {
	factor, inverse, salt []byte
}

// ParsePublicKey decodes a "token-key" of the type given. It returns [ErrKey], or
// [privacypass.ErrTokenType].
func ParsePublicKey(t privacypass.TokenType, encoded []byte) (*PublicKey, error) {
	k := &PublicKey{tokenType: t, id: privacypass.KeyIDOf(encoded), encoded: bytes.Clone(encoded)}
	var err error
	switch t {
	case privacypass.VOPRFP384:
		k.protocol, err = newVOPRF(voprf.P384, encoded)
	case privacypass.VOPRFRistretto255:
		k.protocol, err = newVOPRF(voprf.Ristretto255, encoded)
	case privacypass.BlindRSA:
		var key *rsapss.PublicKey
		key, err = rsapss.ParseSPKI(encoded)
		k.protocol = blindRSA{key}
	default:
		return nil, fmt.Errorf("%w: %v", privacypass.ErrTokenType, t)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return k, nil
}

// TokenType returns the type of the tokens that the key issues.
func (k *PublicKey) TokenType() privacypass.TokenType { return k.tokenType }

// ID returns the full token_key_id.
func (k *PublicKey) ID() privacypass.KeyID { return k.id }

// Bytes returns the encoded key.
func (k *PublicKey) Bytes() []byte { return bytes.Clone(k.encoded) }

// voprfClient is RFC 9578, Section 5.
type voprfClient struct{ key voprf.PublicKey }

func newVOPRF(s voprf.Suite, encoded []byte) (protocol, error) {
	k, err := s.NewPublicKey(encoded)
	return voprfClient{k}, err
}

func (c voprfClient) draw(rand io.Reader, zeroSalt bool) (blinding, error) {
	if zeroSalt {
		return blinding{}, fmt.Errorf("%w: only blind RSA has a salt", ErrWant)
	}
	factor, err := c.key.RandomBlind(rand)
	if err != nil {
		return blinding{}, fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return blinding{factor: factor}, nil
}

func (c voprfClient) checkBlinding(b blinding) bool { return len(b.inverse)+len(b.salt) == 0 }

func (c voprfClient) blind(input []byte, b blinding) ([]byte, error) {
	return c.key.Blind(input, b.factor)
}

func (c voprfClient) finalize(inputs [][]byte, b []blinding, blinded, evaluated [][]byte, proof []byte) ([][]byte, error) {
	factors := make([][]byte, len(b))
	for i := range b {
		factors[i] = b[i].factor
	}
	return c.key.Finalize(inputs, factors, blinded, evaluated, proof)
}

// blindRSA is RFC 9578, Section 6.
type blindRSA struct{ key *rsapss.PublicKey }

func (c blindRSA) draw(rand io.Reader, zeroSalt bool) (b blinding, err error) {
	if !zeroSalt {
		b.salt = make([]byte, rsapss.SaltSize)
		if _, err := io.ReadFull(rand, b.salt); err != nil {
			return blinding{}, fmt.Errorf("%w: %w", ErrRandom, err)
		}
	}
	r, err := c.key.NewBlind(rand)
	if err != nil {
		return blinding{}, fmt.Errorf("%w: %w", ErrRandom, err)
	}
	b.factor, b.inverse = r.R, r.Inverse
	return b, nil
}

func (c blindRSA) checkBlinding(b blinding) bool {
	return len(b.salt) == 0 || len(b.salt) == rsapss.SaltSize
}

func (c blindRSA) blind(input []byte, b blinding) ([]byte, error) {
	return c.key.Blind(input, b.salt, rsapss.Blind{R: b.factor, Inverse: b.inverse})
}

func (c blindRSA) finalize(inputs [][]byte, b []blinding, _, evaluated [][]byte, _ []byte) ([][]byte, error) {
	authenticators := make([][]byte, len(inputs))
	for i, input := range inputs {
		var err error
		r := rsapss.Blind{R: b[i].factor, Inverse: b[i].inverse}
		if authenticators[i], err = c.key.Finalize(input, b[i].salt, evaluated[i], r); err != nil {
			return nil, err
		}
	}
	return authenticators, nil
}
