package issuer

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/voprf"
)

var suites = map[privacypass.TokenType]voprf.Suite{
	privacypass.VOPRFP384:         voprf.P384,
	privacypass.VOPRFRistretto255: voprf.Ristretto255,
}

// voprfKey is a key of RFC 9578, Section 5.
type voprfKey struct {
	tokenType privacypass.TokenType
	id        privacypass.KeyID
	public    []byte
	key       voprf.PrivateKey
}

var _ Key = (*voprfKey)(nil)

func newVOPRFKey(t privacypass.TokenType, k voprf.PrivateKey) *voprfKey {
	public := k.Public()
	return &voprfKey{t, privacypass.KeyIDOf(public), public, k}
}

func (k *voprfKey) TokenType() privacypass.TokenType { return k.tokenType }
func (k *voprfKey) ID() privacypass.KeyID            { return k.id }
func (k *voprfKey) PublicKey() []byte                { return bytes.Clone(k.public) }
func (k *voprfKey) Marshal() secret.Bytes            { return marshalKey(k.tokenType, k.key.Bytes()) }
func (k *voprfKey) String() string                   { return "[secret]" }

func (k *voprfKey) evaluate(rand io.Reader, blinded [][]byte) ([][]byte, []byte, error) {
	evaluated, proof, err := k.key.BlindEvaluate(rand, blinded)
	switch {
	case errors.Is(err, voprf.ErrElement):
		return nil, nil, ErrElement
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrFault, err)
	}
	return evaluated, proof, nil
}
