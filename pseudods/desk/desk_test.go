package desk_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/pseudods/desk"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func list(prices map[string]tokens.Price) *tokens.PriceList {
	return &tokens.PriceList{Classes: storagetest.Prices.Classes, Prices: prices}
}

func till(l *tokens.PriceList, mints ...*storagetest.Mint) *tokens.Till {
	var keys []verify.Key
	for _, m := range mints {
		keys = append(keys, m.Key())
	}
	return must(tokens.NewTill(l, storagetest.Origin, map[tokens.Class][]verify.Key{tokens.Send: keys}))
}

func token(m *storagetest.Mint, n uint64) []byte { return must(m.Raw(n).Marshal()) }

func anyRole(o wire.Operation) bool { return o.IsGroup() || o.IsQueue() }

func wantCode(t *testing.T, what string, err error, code wire.Code) {
	t.Helper()
	if !errors.Is(err, &wire.Error{Code: code}) {
		t.Errorf("%s: got %v, want code %d", what, err, code)
	}
}

// TestPayment: a price is paid by as many tokens as it says, once.
func TestPayment(t *testing.T) {
	mint := storagetest.NewMint("a")
	ledger := must(storagetest.NewReferenceSite().Open())
	defer ledger.Close()
	ctx := context.Background()
	if err := ledger.OpenEpoch(ctx, mint.Epoch(100)); err != nil {
		t.Fatal(err)
	}
	l := list(map[string]tokens.Price{wire.OpCreateGroup.PriceName(): {Class: tokens.Send, Count: 2}})
	d := desk.New(wire.PriceNames(anyRole), till(l, mint), ledger)
	_, err := d.Verify(wire.OpCreateGroup, nil)
	wantCode(t, "no token", err, wire.CodeTokenRequired)
	for name, given := range map[string][][]byte{
		"one":            {token(mint, 1)},
		"one twice":      {token(mint, 1), token(mint, 1)},
		"three":          {token(mint, 1), token(mint, 2), token(mint, 3)},
		"malformed":      {token(mint, 1)[1:], token(mint, 2)},
		"trailing octet": {append(token(mint, 1), 0), token(mint, 2)},
		"another key":    {token(mint, 1), token(storagetest.NewMint("b"), 2)},
		"too many":       make([][]byte, tokens.MaxCount+1),
	} {
		_, err := d.Verify(wire.OpCreateGroup, given)
		wantCode(t, name, err, wire.CodeTokenInvalid)
	}
	pay := func(ctx context.Context, request byte, numbers ...uint64) error {
		var given [][]byte
		for _, n := range numbers {
			given = append(given, token(mint, n))
		}
		p, err := d.Verify(wire.OpCreateGroup, given)
		if err != nil || p == nil {
			t.Fatalf("%v, %v", p, err)
		}
		return p.Spend(ctx, [32]byte{request})
	}
	for range 2 { // a retry is paid for
		if err := pay(ctx, 1, 1, 2); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "another request", pay(ctx, 2, 3, 2), wire.CodeTokenSpent)
	if err := ledger.RetireEpoch(ctx, mint.KeyID()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a retired key", pay(ctx, 3, 8, 9), wire.CodeTokenInvalid)
}

// TestBurst: tokens with an operation of a group that is free pay for a burst, if
// there is a price for it; others are refused.
func TestBurst(t *testing.T) {
	mint := storagetest.NewMint("a")
	names := wire.PriceNames(anyRole)
	free := desk.New(names, till(list(nil), mint), nil)
	sold := desk.New(names, till(list(map[string]tokens.Price{wire.PriceBurst: {Class: tokens.Send, Count: 1}}), mint), nil)
	one := [][]byte{token(mint, 1)}
	if p, err := sold.Verify(wire.OpSendMessage, one); err != nil || p == nil || p.Count() != 1 {
		t.Errorf("a burst: %v, %v", p, err)
	}
	if p, err := sold.Verify(wire.OpSendMessage, nil); err != nil || p != nil {
		t.Errorf("within the limits: %v, %v", p, err)
	}
	_, err := free.Verify(wire.OpSendMessage, one)
	wantCode(t, "no price for it", err, wire.CodeTokenInvalid)
	_, err = sold.Verify(wire.OpWelcomeInfo, one)
	wantCode(t, "an operation without limits", err, wire.CodeTokenInvalid)
	_, err = sold.Verify(wire.OpCreateQueue, one)
	wantCode(t, "an operation of a queue", err, wire.CodeTokenInvalid)
}

// TestLook: a token that does not verify makes the desk look for a new till, each
// time; what verifies, and no token, does not.
func TestLook(t *testing.T) {
	old, next := storagetest.NewMint("a"), storagetest.NewMint("b")
	l := list(map[string]tokens.Price{wire.OpCreateGroup.PriceName(): {Class: tokens.Send, Count: 1}})
	d := desk.New(wire.PriceNames(anyRole), till(l, old), nil)
	looks, there := 0, false
	d.SetLook(func() {
		looks++
		if there {
			d.SetTill(till(l, old, next))
		}
	})
	_, err := d.Verify(wire.OpCreateGroup, [][]byte{token(next, 1)})
	wantCode(t, "before the key is there", err, wire.CodeTokenInvalid)
	there = true
	if p, err := d.Verify(wire.OpCreateGroup, [][]byte{token(next, 1)}); err != nil || p == nil {
		t.Errorf("with the key there: %v", err)
	}
	if _, err := d.Verify(wire.OpCreateGroup, [][]byte{token(old, 1)}); err != nil {
		t.Errorf("a known key: %v", err)
	}
	_, err = d.Verify(wire.OpCreateGroup, nil)
	wantCode(t, "no token", err, wire.CodeTokenRequired)
	if looks != 2 {
		t.Errorf("looked %d times", looks)
	}
}

// TestLookTogether: of two requests with tokens of a new key one notices the key,
// and both get the till that knows it.
func TestLookTogether(t *testing.T) {
	old, next := storagetest.NewMint("a"), storagetest.NewMint("b")
	l := list(map[string]tokens.Price{wire.OpCreateGroup.PriceName(): {Class: tokens.Send, Count: 1}})
	d := desk.New(wire.PriceNames(anyRole), till(l, old), nil)
	var both sync.WaitGroup // have failed with the old till
	both.Add(2)
	var once sync.Once
	d.SetLook(func() {
		both.Done()
		both.Wait()
		once.Do(func() { d.SetTill(till(l, old, next)) })
	})
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = d.Verify(wire.OpCreateGroup, [][]byte{token(next, uint64(i))}) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// FuzzVerify: no octets in place of a token give another error than a refusal.
func FuzzVerify(f *testing.F) {
	mint := storagetest.NewMint("a")
	l := list(map[string]tokens.Price{wire.OpCreateGroup.PriceName(): {Class: tokens.Send, Count: 1}})
	d := desk.New(wire.PriceNames(anyRole), till(l, mint), nil)
	f.Add(token(mint, 1))
	f.Add([]byte{0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := d.Verify(wire.OpCreateGroup, [][]byte{b})
		if refused := new(wire.Error); err != nil && !errors.As(err, &refused) {
			t.Errorf("%v", err)
		}
		if parsed, parseErr := privacypass.ParseToken(b); p != nil && (parseErr != nil || parsed.KeyID != mint.KeyID()) {
			t.Errorf("%x is taken", b)
		}
	})
}
