package storagetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

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
	keys      *verify.KeySet
	made      atomic.Uint64
}

// NewMint returns the mint of that name; the same name gives the same key.
func NewMint(t testing.TB, name string) *Mint {
	t.Helper()
	m := &Mint{key: mintKey(sha256.Sum256([]byte(name)))}
	var err error
	if m.challenge, err = Prices.Challenge(tokens.Send, Origin); err != nil {
		t.Fatal(err)
	}
	if m.keys, err = verify.NewKeySet(m.challenge.IssuerName, m.key); err != nil {
		t.Fatal(err)
	}
	return m
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
	digest, err := m.challenge.Digest()
	if err != nil {
		panic("storagetest: challenge without encoding: " + err.Error())
	}
	t := &privacypass.Token{
		TokenType:       privacypass.VOPRFRistretto255,
		ChallengeDigest: digest,
		KeyID:           m.KeyID(),
		Authenticator:   make([]byte, 64),
	}
	binary.BigEndian.PutUint64(t.Nonce[:], number)
	return t
}

// Nth returns the token of that number, verified.
func (m *Mint) Nth(t testing.TB, number uint64) verify.Redeemed {
	t.Helper()
	expected, err := verify.Expect(m.challenge)
	if err != nil {
		t.Fatal(err)
	}
	redeemed, err := m.keys.Verify(m.Raw(number), expected)
	if err != nil {
		t.Fatal(err)
	}
	return redeemed
}

// Token returns a new token, verified. Do not mix it with Nth.
func (m *Mint) Token(t testing.TB) verify.Redeemed {
	t.Helper()
	return m.Nth(t, m.made.Add(1))
}

// Till returns a till that takes the mint's tokens.
func (m *Mint) Till(t testing.TB) *tokens.Till {
	t.Helper()
	till, err := tokens.NewTill(Prices, Origin, map[tokens.Class][]verify.Key{tokens.Send: {m.key}})
	if err != nil {
		t.Fatal(err)
	}
	return till
}

// Digest returns a request digest that stands for the arguments.
func Digest(parts ...any) tokens.RequestDigest { return sha256.Sum256(fmt.Append(nil, parts...)) }
