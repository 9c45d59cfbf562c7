package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/pseudods/pseudods/privacypass"
)

// Key checks the authenticators made under one issuance key. Implementations
// are immutable and safe for concurrent use; only this package and
// verify/private should have any, since a [KeySet] believes them.
type Key interface {
	TokenType() privacypass.TokenType
	// ID is the full token_key_id of the key that Check uses.
	ID() privacypass.KeyID
	// Check returns [ErrAuthenticator] unless the key made t's authenticator.
	Check(t *privacypass.Token) error
}

// Expected is a challenge that tokens are expected to answer, with its digest.
// It may be kept and used for any number of tokens. The zero value expects
// nothing and refuses every token.
type Expected struct {
	issuer    string
	tokenType privacypass.TokenType
	digest    [sha256.Size]byte
	set       bool
}

// Expect prepares a challenge. The errors are those of
// [privacypass.TokenChallenge.Marshal].
func Expect(c *privacypass.TokenChallenge) (Expected, error) {
	digest, err := c.Digest()
	if err != nil {
		return Expected{}, err
	}
	return Expected{c.IssuerName, c.TokenType, digest, true}, nil
}

// KeySet holds the live keys of one issuer. It is immutable: on rotation build
// another and swap a pointer.
type KeySet struct {
	issuer string
	keys   []Key
	ids    []privacypass.KeyID
}

// NewKeySet returns a set of the keys of the issuer that challenges call by that
// name. Keys are told apart by their full identifiers; truncated ones may
// collide. The same key twice is [ErrDuplicateKey].
func NewKeySet(issuerName string, keys ...Key) (*KeySet, error) {
	s := &KeySet{issuer: issuerName}
	for _, k := range keys {
		if s.find(k.TokenType(), k.ID()) != nil {
			return nil, fmt.Errorf("%w: type %v", ErrDuplicateKey, k.TokenType())
		}
		s.keys, s.ids = append(s.keys, k), append(s.ids, k.ID())
	}
	return s, nil
}

// find returns the key with the type and the full identifier given, or nil. It
// looks at all keys whichever fits.
func (s *KeySet) find(t privacypass.TokenType, id privacypass.KeyID) Key {
	at := -1
	for i, k := range s.keys {
		same := subtle.ConstantTimeEq(int32(k.TokenType()), int32(t)) & subtle.ConstantTimeCompare(s.ids[i][:], id[:])
		at = subtle.ConstantTimeSelect(same, i, at)
	}
	if at < 0 {
		return nil
	}
	return s.keys[at]
}

// Verify checks t against the challenge that it was to answer and against the
// one key that it names in full. Cheap checks come first: a token for another
// challenge costs no cryptography.
//
// A client chooses all that the authenticator covers, the key identifier among
// it, while the issuer signs blindly. A token that carries the identifier of
// another key than its own is therefore easy to make; trying keys until one fits
// would let it be recorded as spent under a key that retires sooner. Here it is
// checked under the key it names alone, and refused.
func (s *KeySet) Verify(t *privacypass.Token, e Expected) (Redeemed, error) {
	if !e.set || e.issuer != s.issuer || e.tokenType != t.TokenType ||
		subtle.ConstantTimeCompare(e.digest[:], t.ChallengeDigest[:]) != 1 {
		return Redeemed{}, ErrChallenge
	}
	k := s.find(t.TokenType, t.KeyID)
	if k == nil {
		return Redeemed{}, ErrUnknownKey
	}
	if err := k.Check(t); err != nil {
		return Redeemed{}, err
	}
	id := k.ID()
	if !id.Equal(t.KeyID) {
		return Redeemed{}, ErrUnknownKey // a Key that changes its identifier
	}
	return Redeemed{t.TokenType, id, t.Nonce, t.ChallengeDigest}, nil
}
