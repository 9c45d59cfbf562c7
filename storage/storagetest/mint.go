package storagetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/tokens"
)

// Prices is the price list of minted tokens: "send" costs one, "create" three.
var Prices = &tokens.PriceList{
	Classes: map[tokens.Class]tokens.Terms{
		tokens.Send: {Issuer: "mint.example", TokenType: privacypass.VOPRFRistretto255},
	},
	Prices: map[string]tokens.Price{
		"send":   {Class: tokens.Send, Count: 1},
		"create": {Class: tokens.Send, Count: 3},
	},
}

// Origin is where minted tokens are good.
var Origin = tokens.Origin{Name: "ds.example"}

// mintKey stands in for a token key: whoever asks has a valid token. It lets
// suites spend thousands of tokens without the cost of issuing them.
type mintKey privacypass.KeyID

func (mintKey) TokenType() privacypass.TokenType { return privacypass.VOPRFRistretto255 }
func (k mintKey) ID() privacypass.KeyID          { return privacypass.KeyID(k) }
func (mintKey) Check(*privacypass.Token) error   { return nil }

// Mint makes tokens of one key. It may be used concurrently.
type Mint struct {
	key       mintKey
	challenge *privacypass.TokenChallenge
	expected  verify.Expected
	keys      *verify.KeySet
	made      atomic.Uint64
}

// NewMint returns the mint of that name; the same name gives the same key.
func NewMint(name string) *Mint {
	m := &Mint{key: mintKey(sha256.Sum256([]byte(name)))}
	m.challenge = must(Prices.Challenge(tokens.Send, Origin))
	m.expected = must(verify.Expect(m.challenge))
	m.keys = must(verify.NewKeySet(m.challenge.IssuerName, m.key))
	return m
}

// must is for what cannot fail with the constants above.
func must[T any](v T, err error) T {
	if err != nil {
		panic("storagetest: " + err.Error())
	}
	return v
}

// KeyID identifies the mint's key.
func (m *Mint) KeyID() privacypass.KeyID { return m.key.ID() }

// Key verifies the mint's tokens.
func (m *Mint) Key() verify.Key { return m.key }

// Epoch is the epoch of the mint's key.
func (m *Mint) Epoch(capacity uint64) tokens.Epoch {
	return tokens.Epoch{KeyID: m.KeyID(), Capacity: capacity}
}

// Raw returns the token of that number, not verified.
func (m *Mint) Raw(number uint64) *privacypass.Token {
	t := &privacypass.Token{
		TokenType:       privacypass.VOPRFRistretto255,
		ChallengeDigest: must(m.challenge.Digest()),
		KeyID:           m.KeyID(),
		Authenticator:   make([]byte, 64),
	}
	binary.BigEndian.PutUint64(t.Nonce[:], number)
	return t
}

// Nth returns the token of that number, verified.
func (m *Mint) Nth(number uint64) verify.Redeemed {
	return must(m.keys.Verify(m.Raw(number), m.expected))
}

// Token returns a new token, verified. Do not mix it with Nth.
func (m *Mint) Token() verify.Redeemed { return m.Nth(m.made.Add(1)) }

// Till returns a till that takes the mint's tokens.
func (m *Mint) Till() *tokens.Till {
	return must(tokens.NewTill(Prices, Origin, map[tokens.Class][]verify.Key{tokens.Send: {m.key}}))
}

// Digest returns a request digest that stands for the arguments.
func Digest(parts ...any) tokens.RequestDigest { return sha256.Sum256(fmt.Append(nil, parts...)) }
