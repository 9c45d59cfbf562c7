package tokens_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// countingLedger counts the calls of Spend that reach the ledger.
type countingLedger struct {
	tokens.Ledger
	spends int
}

func (l *countingLedger) Spend(ctx context.Context, r verify.Redeemed, d tokens.RequestDigest) (tokens.Outcome, error) {
	l.spends++
	return l.Ledger.Spend(ctx, r, d)
}

func openLedger(t *testing.T, m *storagetest.Mint) *countingLedger {
	t.Helper()
	l, err := storagetest.NewReferenceSite().Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.OpenEpoch(t.Context(), m.Epoch(1000)); err != nil {
		t.Fatal(err)
	}
	return &countingLedger{Ledger: l}
}

func TestTillRefuses(t *testing.T) {
	m := storagetest.NewMint("e")
	till := m.Till()
	foreign := storagetest.NewMint("other").Raw(1)
	elsewhere := m.Raw(1)
	elsewhere.ChallengeDigest[0] ^= 1
	for name, c := range map[string]struct {
		operation string
		tokens    []*privacypass.Token
		want      error
	}{
		"none":            {"send", nil, tokens.ErrTokenRequired},
		"too many":        {"send", []*privacypass.Token{m.Raw(1), m.Raw(2)}, tokens.ErrTokenCount},
		"too few":         {"create", []*privacypass.Token{m.Raw(1), m.Raw(2)}, tokens.ErrTokenCount},
		"the same twice":  {"create", []*privacypass.Token{m.Raw(1), m.Raw(2), m.Raw(1)}, tokens.ErrTokenCount},
		"for a free one":  {"look", []*privacypass.Token{m.Raw(1)}, tokens.ErrTokenCount},
		"unknown key":     {"send", []*privacypass.Token{foreign}, verify.ErrUnknownKey},
		"other challenge": {"send", []*privacypass.Token{elsewhere}, verify.ErrChallenge},
		"one of three":    {"create", []*privacypass.Token{m.Raw(1), foreign, m.Raw(2)}, verify.ErrRefused},
	} {
		if p, err := till.Verify(c.operation, c.tokens); !errors.Is(err, c.want) || p.Count() != 0 {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestTillPrices(t *testing.T) {
	till := storagetest.NewMint("e").Till()
	price, challenge, ok := till.Price("create")
	if !ok || price.Count != 3 || price.Class != tokens.Send || challenge.IssuerName != "mint.example" {
		t.Fatalf("%+v, %+v, %v", price, challenge, ok)
	}
	if _, _, ok := till.Price("look"); ok {
		t.Fatal("a price for a free operation")
	}
}

func TestTillWithoutKeysRefusesAll(t *testing.T) {
	till, err := tokens.NewTill(storagetest.Prices, storagetest.Origin, nil)
	check(t, err)
	if _, err := till.Verify("send", []*privacypass.Token{storagetest.NewMint("e").Raw(1)}); !errors.Is(err, verify.ErrUnknownKey) {
		t.Fatalf("got %v", err)
	}
}

// TestClassesShareNoKey: a token rationed for one class must not buy what
// another does.
func TestClassesShareNoKey(t *testing.T) {
	list, err := tokens.ParsePriceList([]byte(`{"classes":{"create":{"issuer":"mint.example","token-type":5},` +
		`"send":{"issuer":"mint.example","token-type":5}},"prices":{"create-group":{"class":"create","count":1}}}`))
	check(t, err)
	send, create := storagetest.NewMint("send"), storagetest.NewMint("create")
	_, err = tokens.NewTill(list, storagetest.Origin, map[tokens.Class][]verify.Key{
		tokens.Send: {send.Key()}, tokens.Create: {create.Key(), send.Key()},
	})
	if !errors.Is(err, tokens.ErrSharedKey) {
		t.Fatalf("got %v", err)
	}
	till, err := tokens.NewTill(list, storagetest.Origin, map[tokens.Class][]verify.Key{
		tokens.Send: {send.Key()}, tokens.Create: {create.Key()},
	})
	check(t, err)
	if _, err := till.Verify("create-group", []*privacypass.Token{send.Raw(1)}); !errors.Is(err, verify.ErrUnknownKey) {
		t.Fatalf("a token of another class: %v", err)
	}
	if _, err := till.Verify("create-group", []*privacypass.Token{create.Raw(1)}); err != nil {
		t.Fatal(err)
	}
}

// TestINV04ForgedTokensReachNoLedger: what does not verify writes nothing.
func TestINV04ForgedTokensReachNoLedger(t *testing.T) {
	m := storagetest.NewMint("e")
	l := openLedger(t, m)
	forged := storagetest.NewMint("forger").Raw(1)
	if p, err := m.Till().Verify("send", []*privacypass.Token{forged}); err == nil {
		t.Fatalf("a forged token gave a payment of %d", p.Count())
	}
	if l.spends != 0 {
		t.Fatal("the ledger was asked")
	}
}

func TestPaymentOfNothingIsFresh(t *testing.T) {
	m := storagetest.NewMint("e")
	l := openLedger(t, m)
	p, err := m.Till().Verify("look", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if outcome, err := p.Spend(t.Context(), l, storagetest.Digest("a")); err != nil || outcome != tokens.Fresh {
			t.Fatalf("outcome %d, %v", outcome, err)
		}
	}
}

func TestZeroPaymentPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a payment that was never verified was spent")
		}
	}()
	tokens.Payment{}.Spend(t.Context(), nil, storagetest.Digest("a"))
}

// TestINV04PaymentIsFreshOnce: a payment whose inserts were cut short is Fresh
// when its last insert happens, and only then.
func TestINV04PaymentIsFreshOnce(t *testing.T) {
	m := storagetest.NewMint("e")
	l := openLedger(t, m)
	till := m.Till()
	request := storagetest.Digest("a")
	for _, n := range []uint64{1, 2} { // of 1, 2, 3
		if _, err := l.Spend(t.Context(), m.Nth(n), request); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []tokens.Outcome{tokens.Fresh, tokens.Resume} {
		p, err := till.Verify("create", []*privacypass.Token{m.Raw(3), m.Raw(1), m.Raw(2)})
		if err != nil {
			t.Fatal(err)
		}
		if outcome, err := p.Spend(t.Context(), l, request); err != nil || outcome != want {
			t.Fatalf("outcome %d, %v; want %d", outcome, err, want)
		}
	}
}

// TestForgery pays with real tokens of type 0x0005 and one whose authenticator
// was changed.
func TestForgery(t *testing.T) {
	line := newLine(t)
	good := line.issue(t, rand.Reader, 2)
	if _, err := line.till.Verify("send-message", good[:1]); err != nil {
		t.Fatal(err)
	}
	bad := *good[1]
	bad.Authenticator = append([]byte(nil), bad.Authenticator...)
	bad.Authenticator[0] ^= 1
	if _, err := line.till.Verify("send-message", []*privacypass.Token{&bad}); !errors.Is(err, verify.ErrAuthenticator) {
		t.Fatalf("got %v", err)
	}
}
