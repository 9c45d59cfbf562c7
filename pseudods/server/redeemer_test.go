package server

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	issuerapi "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// TestTokensBuyOnce: an operation wants a token of its class, and each token buys
// one request, however often that is repeated.
func TestTokensBuyOnce(t *testing.T) {
	c := config(t)
	cheap(&c)
	testTokensBuyOnce(t, c)
}

func testTokensBuyOnce(t *testing.T, c Config) {
	s, stop := start(t, c)
	u := newUser(t, s.URL(DS))
	sign, segments := newSigner(), must(seal.GenerateKey(wire.X25519))
	create := &wire.CreateQueue{OwnerKey: [32]byte(sign.Public()), SegmentKey: *segments.Public()}
	ask := func(paid [][]byte) []byte { return u.request(wire.OpCreateQueue, create, sign, paid) }
	err := u.send(wire.OpCreateQueue, ask(nil), nil)
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeTokenRequired {
		t.Fatalf("free: %v", err)
	}
	wanted := must(privacypass.ParseChallenges(refused.Challenges))
	if want := must(must(u.doc.Prices.Challenge(tokens.Queue, u.doc.Origin())).Marshal()); !bytes.Equal(wanted[0].Challenge, want) {
		t.Error("the challenge is another than the price list's")
	}
	u.wantCode("another class", u.send(wire.OpCreateQueue, ask(u.fetch(tokens.Connect, 1)), nil), wire.CodeTokenInvalid)
	u.wantCode("the other role's class", u.send(wire.OpCreateQueue, ask(u.fetch(tokens.Send, 1)), nil), wire.CodeTokenInvalid)
	paid := u.fetch(tokens.Queue, 1)
	request := ask(paid)
	for range 2 { // a retry gets the same answer
		if err := u.send(wire.OpCreateQueue, request, nil); err != nil {
			t.Fatal(err)
		}
	}
	u.wantCode("the token again", u.send(wire.OpCreateQueue, ask(paid), nil), wire.CodeTokenSpent)
	stop()
	s, _ = start(t, c)
	u.doc = provider(t, s.URL(DS))
	u.wantCode("the token after a restart", u.send(wire.OpCreateQueue, ask(paid), nil), wire.CodeTokenSpent)
	if err := u.send(wire.OpCreateQueue, request, nil); err != nil {
		t.Errorf("the request after a restart: %v", err)
	}
}

// TestRotationRefusesNoGoodToken rotates the keys of a class again and again while
// clients fetch tokens and spend them at once, and others spend what they fetched
// before.
func TestRotationRefusesNoGoodToken(t *testing.T) {
	c := config(t)
	cheap(&c)
	s, _ := start(t, c)
	saved := newUser(t, s.URL(DS))
	old := saved.fetch(tokens.Queue, 8)
	ring := must(s.cfg.Issuer.OpenRing(daemon.Dir(s.cfg.Issuer.Dir)))
	slot := keyring.Slot{Class: string(tokens.Queue), Type: privacypass.VOPRFRistretto255}
	var done atomic.Bool
	var wg sync.WaitGroup
	spent := make([]atomic.Value, 4) // the key of the token that a client spent last
	for i := range spent {
		u := newUser(t, s.URL(DS))
		wg.Go(func() {
			for !done.Load() {
				paid := u.fetch(tokens.Queue, 8)
				u.purse = map[tokens.Class][][]byte{tokens.Queue: paid}
				u.newOwner(wire.QueueSettings{}) // fails the test if a token is refused
				spent[i].Store(must(privacypass.ParseToken(paid[0])).KeyID)
			}
		})
	}
	// renewed waits until each client has spent a token under the newest key, so
	// that all that it fetches from then on is under this key or later ones. The
	// issuer notices a key in its own time.
	renewed := func() {
		t.Helper()
		newest := ring.Live(slot, time.Now())[0].ID()
		deadline := time.Now().Add(2 * time.Minute)
		for i := range spent {
			for ; spent[i].Load() != newest; time.Sleep(10 * time.Millisecond) {
				if t.Failed() || time.Now().After(deadline) {
					t.Fatal("clients do not get on")
				}
			}
		}
	}
	const apart = 1100 * time.Millisecond // keys begin in different seconds
	time.Sleep(apart)
	// The first rotation leaves the old key beside the new one.
	if err := ring.Rotate(slot, keyring.AtOnce, time.Now()); err != nil {
		t.Fatal(err)
	}
	saved.purse[tokens.Queue] = old
	for range len(old) {
		saved.newOwner(wire.QueueSettings{})
	}
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		time.Sleep(apart)
		renewed() // what was fetched under the oldest key is spent
		before := ring.Live(slot, time.Now())
		if err := ring.Rotate(slot, keyring.AtOnce, time.Now()); err != nil {
			t.Fatal(err)
		}
		// The oldest key is gone. What clients fetched under the one before the new
		// one is good.
		if after := ring.Live(slot, time.Now()); len(after) != 2 || after[1].ID() != before[0].ID() {
			t.Fatalf("%d keys live", len(after))
		}
	}
	renewed()
	done.Store(true)
	wg.Wait()
}

// TestKeyNotYetSeen: the issuer uses a new key before the queue service has looked
// for one.
func TestKeyNotYetSeen(t *testing.T) {
	c := config(t)
	cheap(&c)
	s := must(New(c))
	defer s.Close()
	s.servers.Start()
	go s.issuer.Tend(s.run) // and nobody looks for the queue service
	u := newUser(t, s.URL(DS))
	class := func() *issuerapi.Class { return must(u.issuer.Class(t.Context(), string(tokens.Queue))) }
	before := must(class().Keys(u.kind, time.Now()))[0].ID()
	ring := must(s.cfg.Issuer.OpenRing(daemon.Dir(s.cfg.Issuer.Dir)))
	if err := ring.Rotate(keyring.Slot{Class: string(tokens.Queue), Type: u.kind}, keyring.Compromised, time.Now()); err != nil {
		t.Fatal(err)
	}
	for must(class().Keys(u.kind, time.Now()))[0].ID() == before {
		time.Sleep(20 * time.Millisecond)
	}
	u.newOwner(wire.QueueSettings{})
}

// TestRetiredEpochs: the epoch of a key that has gone closes after a while, unless
// its class has no key left.
func TestRetiredEpochs(t *testing.T) {
	c := config(t)
	cheap(&c)
	s := must(New(c))
	defer s.Close()
	r := s.qs.redeemer
	ring := must(s.cfg.Issuer.OpenRing(daemon.Dir(s.cfg.Issuer.Dir)))
	slot := keyring.Slot{Class: string(tokens.Queue), Type: privacypass.VOPRFRistretto255}
	old := ring.Live(slot, time.Now())[0].ID()
	if err := ring.Rotate(slot, keyring.Compromised, time.Now()); err != nil {
		t.Fatal(err)
	}
	looked := func() *tokens.Till {
		r.look()
		return r.till
	}
	first := r.till
	second := looked()
	if second == first || looked() != second {
		t.Error("a new key is not noticed once")
	}
	if err := r.retire(t.Context(), time.Now().Add(retireAfter/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ledger.Usage(t.Context(), old); err != nil {
		t.Errorf("closed too early: %v", err)
	}
	files := must(filepath.Glob(filepath.Join(s.cfg.TokenKeys, "connect.*.key")))
	away := t.TempDir()
	for _, f := range files {
		if err := os.Rename(f, filepath.Join(away, filepath.Base(f))); err != nil {
			t.Fatal(err)
		}
	}
	if till := r.till; len(files) == 0 || looked() == till {
		t.Fatalf("%d key files of another class", len(files))
	}
	later := time.Now().Add(retireAfter + time.Minute)
	if err := r.retire(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ledger.Usage(t.Context(), old); err != nil {
		t.Errorf("closed although a class has no key: %v", err)
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(away, filepath.Base(f)), f); err != nil {
			t.Fatal(err)
		}
	}
	r.look()
	if err := r.retire(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ledger.Usage(t.Context(), old); !errors.Is(err, tokens.ErrEpochRetired) {
		t.Errorf("still open: %v", err)
	}
}

// TestPublicTokens: an origin apart from the issuer verifies tokens of type 0x0002
// by the issuer's directory, from the first request after the issuer answers.
func TestPublicTokens(t *testing.T) {
	elsewhere := config(t)
	cheap(&elsewhere)
	elsewhere.Roles = []Role{Issuer}
	elsewhere.Prices = DefaultPrices("localhost")
	for class := range elsewhere.Prices.Classes {
		elsewhere.Prices.Classes[class] = tokens.Terms{Issuer: "localhost", TokenType: privacypass.BlindRSA}
	}
	issuer, _ := start(t, elsewhere)
	c := config(t)
	c.Roles, c.Prices, c.Issuer.URL = []Role{DS, QS}, elsewhere.Prices, issuer.URL(Issuer)
	c.TokenDirectories = map[string]string{}
	for class := range c.Prices.Classes {
		c.TokenDirectories[string(class)] = issuer.URL(Issuer) + "/" + string(class) + privacypass.DirectoryPath
	}
	s, _ := start(t, c)
	u := newUser(t, s.URL(DS))
	u.kind = privacypass.BlindRSA
	u.newOwner(wire.QueueSettings{})
}
