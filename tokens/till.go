package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
)

// ErrSharedKey: one token key was given to two classes.
var ErrSharedKey = errors.New("tokens: classes share a key")

// The refusals of [Till.Verify]. A token that does not verify gives an error of
// the verify package. Nothing was written, and no token is lost.
var (
	// ErrTokenRequired: the operation costs tokens and none came with it.
	ErrTokenRequired = errors.New("tokens: token required")
	// ErrTokenCount: fewer or more tokens than the price, or the same one twice.
	ErrTokenCount = errors.New("tokens: wrong number of tokens")
)

// Till verifies the tokens that requests bring. It is immutable: when keys
// rotate, make a new one.
type Till struct {
	list  *PriceList
	desks map[Class]desk
}

type desk struct {
	challenge *privacypass.TokenChallenge
	expected  verify.Expected
	keys      *verify.KeySet
}

// NewTill returns a till with the live keys of each class of the list. A class
// without a live key refuses all tokens. A key that two classes have gives
// [ErrSharedKey]: tokens rationed for one would buy what the other does.
func NewTill(list *PriceList, origin Origin, keys map[Class][]verify.Key) (*Till, error) {
	if err := list.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPriceList, err)
	}
	t := &Till{list: list, desks: make(map[Class]desk)}
	owners := make(map[privacypass.KeyID]Class)
	for class, terms := range list.Classes {
		for _, key := range keys[class] {
			if owner, ok := owners[key.ID()]; ok && owner != class {
				return nil, ErrSharedKey
			}
			owners[key.ID()] = class
		}
		set, err := verify.NewKeySet(terms.Issuer, keys[class]...)
		if err != nil {
			return nil, err
		}
		challenge, err := list.Challenge(class, origin)
		if err != nil {
			return nil, err
		}
		expected, err := verify.Expect(challenge)
		if err != nil {
			return nil, err
		}
		t.desks[class] = desk{challenge, expected, set}
	}
	return t, nil
}

// Price returns what the operation costs and the challenge to answer, which the
// caller must not modify. It reports false for a free operation.
func (t *Till) Price(operation string) (Price, *privacypass.TokenChallenge, bool) {
	price, ok := t.list.Prices[operation]
	if !ok {
		return Price{}, nil, false
	}
	return price, t.desks[price.Class].challenge, true
}

// Verify checks that the tokens are what the operation costs. For a free
// operation tokens must be empty, so that nobody throws any away.
func (t *Till) Verify(operation string, tokens []*privacypass.Token) (Payment, error) {
	price := t.list.Prices[operation]
	if len(tokens) == 0 && price.Count > 0 {
		return Payment{}, ErrTokenRequired
	}
	if len(tokens) != price.Count {
		return Payment{}, ErrTokenCount
	}
	p := Payment{checked: true}
	desk := t.desks[price.Class]
	for _, token := range tokens {
		redeemed, err := desk.keys.Verify(token, desk.expected)
		if err != nil {
			return Payment{}, err
		}
		p.tokens = append(p.tokens, redeemed)
	}
	slices.SortFunc(p.tokens, compare)
	for i := 1; i < len(p.tokens); i++ {
		if compare(p.tokens[i-1], p.tokens[i]) == 0 {
			return Payment{}, ErrTokenCount
		}
	}
	return p, nil
}

// compare orders tokens by key and nonce: the order of their inserts.
func compare(a, b verify.Redeemed) int {
	aID, bID := a.KeyID(), b.KeyID()
	if c := bytes.Compare(aID[:], bID[:]); c != 0 {
		return c
	}
	aNonce, bNonce := a.Nonce(), b.Nonce()
	return bytes.Compare(aNonce[:], bNonce[:])
}
