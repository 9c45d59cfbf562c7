// Package storetest is the conformance suite of [attester.Store].
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// Driver makes the stores under test.
type Driver struct {
	// Open returns an empty store that lives as long as the test.
	Open func(t *testing.T) attester.Store
	// Reopen ends a store that Open or Reopen returned, without letting it
	// finish anything, and opens what it left behind. Nil if nothing is left.
	Reopen func(t *testing.T, s attester.Store) attester.Store
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for name, test := range map[string]func(*testing.T, Driver){
		"charge":      testCharge,
		"repetition":  testRepetition,
		"partitions":  testPartitions,
		"once":        testOnce,
		"reduce":      testReduce,
		"verdicts":    testVerdicts,
		"drop":        testDrop,
		"drop races":  testDropRaces,
		"charge race": testChargeRace,
		"copies race": testCopiesRace,
		"reopen":      testReopen,
	} {
		t.Run(name, func(t *testing.T) { test(t, d) })
	}
}

func account(n int) (a attester.Account) {
	copy(a[:], fmt.Sprintf("%032d", n))
	return a
}

func digest(n int) (d attester.Digest) {
	copy(d[:], fmt.Sprintf("%032d", n))
	return d
}

func charge(epoch attester.Epoch, request, tokens, limit int) attester.Charge {
	return attester.Charge{
		Slot:    attester.Slot{Class: "send", Epoch: epoch},
		Request: digest(request), Tokens: tokens, Limit: limit,
		Reply: fmt.Appendf(nil, "reply %d", request),
	}
}

func mustCharge(t *testing.T, s attester.Store, a attester.Account, c attester.Charge) {
	t.Helper()
	reply, err := s.Charge(context.Background(), a, c)
	if err != nil || !bytes.Equal(reply, c.Reply) {
		t.Fatalf("charge of %d within %d: %q, %v", c.Tokens, c.Limit, reply, err)
	}
}

func mustExhaust(t *testing.T, s attester.Store, a attester.Account, c attester.Charge) {
	t.Helper()
	if reply, err := s.Charge(context.Background(), a, c); !errors.Is(err, attester.ErrExhausted) || reply != nil {
		t.Fatalf("charge of %d over %d: %q, %v", c.Tokens, c.Limit, reply, err)
	}
}

func look(t *testing.T, s attester.Store, a attester.Account, epoch attester.Epoch, request int) attester.View {
	t.Helper()
	v, err := s.Look(context.Background(), a, attester.Slot{Class: "send", Epoch: epoch}, digest(request))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func testCharge(t *testing.T, d Driver) {
	s := d.Open(t)
	if v := look(t, s, account(1), 7, 1); v.Standing.Seen || v.Spent != 0 || v.Reply != nil {
		t.Fatalf("a new account looks like %+v", v)
	}
	mustExhaust(t, s, account(1), charge(7, 1, 11, 10))
	if v := look(t, s, account(1), 7, 1); v.Standing.Seen || v.Spent != 0 || v.Reply != nil {
		t.Fatalf("a refused charge left %+v", v)
	}
	mustCharge(t, s, account(1), charge(7, 1, 6, 10))
	mustExhaust(t, s, account(1), charge(7, 2, 5, 10))
	mustCharge(t, s, account(1), charge(7, 3, 4, 10))
	mustExhaust(t, s, account(1), charge(7, 4, 1, 10))
	mustExhaust(t, s, account(1), charge(7, 4, 1, 0))
	v := look(t, s, account(1), 7, 3)
	if !v.Standing.Seen || v.Standing.First != 7 || v.Spent != 10 || string(v.Reply) != "reply 3" {
		t.Fatalf("after two charges: %+v", v)
	}
	if v := look(t, s, account(1), 7, 2); v.Reply != nil {
		t.Fatal("a refused charge stored its reply")
	}
	mustCharge(t, s, account(1), charge(9, 1, 1, 10))
	if v := look(t, s, account(1), 9, 1); v.Standing.First != 7 || v.Spent != 1 {
		t.Fatalf("in a later epoch: %+v", v)
	}
}

func testRepetition(t *testing.T, d Driver) {
	s := d.Open(t)
	mustCharge(t, s, account(1), charge(1, 1, 10, 10))
	again := charge(1, 1, 10, 10)
	again.Reply = []byte("another rendering")
	reply, err := s.Charge(context.Background(), account(1), again)
	if err != nil || string(reply) != "reply 1" {
		t.Fatalf("repetition got %q, %v", reply, err)
	}
	again.Limit = 0 // an allowance cut since does not take back what was issued
	if reply, err = s.Charge(context.Background(), account(1), again); err != nil || string(reply) != "reply 1" {
		t.Fatalf("repetition under a cut got %q, %v", reply, err)
	}
	if v := look(t, s, account(1), 1, 1); v.Spent != 10 {
		t.Fatalf("repetitions were charged: %d", v.Spent)
	}
	// What the caller does to its slices afterwards is not the store's business.
	own := charge(1, 2, 0, 10)
	mustCharge(t, s, account(1), own)
	clear(own.Reply)
	clear(look(t, s, account(1), 1, 2).Reply)
	if v := look(t, s, account(1), 1, 2); string(v.Reply) != "reply 2" {
		t.Fatalf("the stored reply changed to %q", v.Reply)
	}
}

func testPartitions(t *testing.T, d Driver) {
	s := d.Open(t)
	mustCharge(t, s, account(1), charge(1, 1, 10, 10))
	other := charge(1, 1, 10, 10)
	other.Slot.Class = "sen" // a prefix of the other class's name
	for _, mustBeFresh := range []func(){
		func() { mustCharge(t, s, account(2), charge(1, 1, 10, 10)) },
		func() { mustCharge(t, s, account(1), charge(2, 1, 10, 10)) },
		func() { mustCharge(t, s, account(1), other) },
	} {
		mustBeFresh()
	}
	for _, v := range []attester.View{look(t, s, account(1), 1, 1), look(t, s, account(2), 1, 1), look(t, s, account(1), 2, 1)} {
		if v.Spent != 10 {
			t.Errorf("spent %d, want 10", v.Spent)
		}
	}
}

func testOnce(t *testing.T, d Driver) {
	s := d.Open(t)
	c := charge(30, 1, 4, 10)
	c.Once = true
	mustCharge(t, s, account(1), c)
	if v := look(t, s, account(1), 30, 1); v.Standing.Seen || v.Spent != 4 {
		t.Fatalf("an account of one allowance left %+v", v)
	}
}

func testReduce(t *testing.T, d Driver) {
	s, ctx := d.Open(t), context.Background()
	for _, step := range []struct {
		cut  attester.Cut
		now  attester.Epoch
		want attester.Cut
	}{
		{attester.Cut{Percent: 50, Full: 4, Until: 5}, 1, attester.Cut{Percent: 50, Full: 4, Until: 5}},
		{attester.Cut{Percent: 50, Full: 4, Until: 5}, 1, attester.Cut{Percent: 50, Full: 4, Until: 5}},
		{attester.Cut{Percent: 20, Full: 5, Until: 8}, 4, attester.Cut{Percent: 50, Full: 5, Until: 8}},
		{attester.Cut{Percent: 10, From: 7, Full: 7, Until: 9}, 7, attester.Cut{Percent: 17, Full: 7, Until: 9}},
		{attester.Cut{Percent: 10, From: 9, Full: 9, Until: 10}, 9, attester.Cut{Percent: 10, From: 9, Full: 9, Until: 10}},
		{attester.Cut{Percent: 10, Full: 10, Until: 11}, 10, attester.Cut{Percent: 10, Full: 10, Until: 11}},
	} {
		if err := s.Reduce(ctx, account(1), &attester.Reduction{Cut: step.cut}, step.now); err != nil {
			t.Fatal(err)
		}
		if v := look(t, s, account(1), 1, 1); v.Standing.Cut != step.want || v.Standing.Seen {
			t.Fatalf("after %+v at %d: %+v", step.cut, step.now, v.Standing)
		}
	}
	mustCharge(t, s, account(1), charge(8, 1, 1, 10))
	if err := s.Reduce(ctx, account(1), &attester.Reduction{Cut: attester.Cut{Percent: 100, Full: 8, Until: 9}}, 8); err != nil {
		t.Fatal(err)
	}
	want := attester.Standing{Seen: true, First: 8, Cut: attester.Cut{Percent: 100, Full: 10, Until: 11}}
	if v := look(t, s, account(1), 8, 1); v.Standing != want {
		t.Fatalf("standing %+v, want %+v", v.Standing, want)
	}
	if v := look(t, s, account(2), 8, 1); v.Standing != (attester.Standing{}) {
		t.Fatalf("another account's standing is %+v", v.Standing)
	}
}

// testVerdicts: a verdict counts once, all of an epoch as the heaviest, and those of
// later epochs add up as their policy says.
func testVerdicts(t *testing.T, d Driver) {
	s, ctx := d.Open(t), context.Background()
	verdict := func(id byte, percent uint8, now attester.Epoch) *attester.Reduction {
		return &attester.Reduction{Cut: attester.NewCut(percent, now+1, 1, 4), Repeat: attester.Repeat{Percent: 20, Epochs: 2, Most: 80}, ID: [16]byte{id}, Expires: now + 3}
	}
	want := func(c attester.Cut) {
		t.Helper()
		if v := look(t, s, account(1), 1, 1); v.Standing.Cut != c {
			t.Fatalf("the cut is %+v, want %+v", v.Standing.Cut, c)
		}
	}
	first := attester.Cut{Percent: 50, From: 11, Full: 11, Until: 15, Strikes: 1, Last: 10}
	for id := range byte(20) {
		if err := s.Reduce(ctx, account(1), verdict(id+1, 30+id, 10), 10); err != nil {
			t.Fatal(err)
		}
	}
	first.Percent = 49
	want(first)
	for _, now := range []attester.Epoch{10, 11} {
		if err := s.Reduce(ctx, account(1), verdict(7, 100, 10), now); !errors.Is(err, attester.ErrRepeated) {
			t.Fatalf("again: %v", err)
		}
		want(first)
	}
	if err := s.Reduce(ctx, account(2), verdict(7, 100, 10), 10); err != nil { // another account's
		t.Fatal(err)
	}
	if err := s.Reduce(ctx, account(1), verdict(30, 50, 12), 12); err != nil {
		t.Fatal(err)
	}
	want(attester.Cut{Percent: 70, From: 11, Full: 15, Until: 19, Strikes: 2, Last: 12})
	// Verdicts are forgotten with the epoch in which they expire.
	if err := s.DropBefore(ctx, 14); err != nil {
		t.Fatal(err)
	}
	if err := s.Reduce(ctx, account(1), verdict(7, 100, 10), 14); !errors.Is(err, attester.ErrPast) {
		t.Fatalf("after its epoch: %v", err)
	}
	if _, err := s.Charge(ctx, account(1), charge(13, 1, 1, 10)); !errors.Is(err, attester.ErrPast) {
		t.Fatalf("a charge to its epoch: %v", err)
	}
	want(attester.Cut{Percent: 70, From: 11, Full: 15, Until: 19, Strikes: 2, Last: 12})
	// After the whole allowance is back, all is forgotten.
	if err := s.Reduce(ctx, account(1), verdict(31, 40, 19), 19); err != nil {
		t.Fatal(err)
	}
	want(attester.Cut{Percent: 40, From: 20, Full: 20, Until: 24, Strikes: 1, Last: 19})
}

func testDrop(t *testing.T, d Driver) {
	s := d.Open(t)
	for epoch := attester.Epoch(254); epoch < 259; epoch++ { // over an octet's edge
		mustCharge(t, s, account(1), charge(epoch, 1, 10, 10))
		mustCharge(t, s, account(2), charge(epoch, 1, 10, 10))
	}
	for range 2 {
		if err := s.DropBefore(context.Background(), 257); err != nil {
			t.Fatal(err)
		}
	}
	for epoch := attester.Epoch(254); epoch < 259; epoch++ {
		v := look(t, s, account(2), epoch, 1)
		if gone := v.Spent == 0 && v.Reply == nil; gone != (epoch < 257) {
			t.Errorf("epoch %d: gone is %t", epoch, gone)
		}
		if v.Standing.First != 254 || !v.Standing.Seen {
			t.Errorf("standing dropped: %+v", v.Standing)
		}
		_, err := s.Charge(context.Background(), account(2), charge(epoch, 2, 1, 100))
		if past := errors.Is(err, attester.ErrPast); past != (epoch < 257) || !past && err != nil {
			t.Errorf("charge to epoch %d after the drop: %v", epoch, err)
		}
	}
	// What was dropped stays so, under whatever bound, and no other epoch is.
	for _, bound := range []attester.Epoch{1, 1 << 40} {
		if err := s.DropBefore(context.Background(), bound); err != nil {
			t.Fatal(err)
		}
	}
	mustCharge(t, s, account(3), charge(300, 1, 1, 1))
	if _, err := s.Charge(context.Background(), account(2), charge(256, 2, 1, 100)); !errors.Is(err, attester.ErrPast) {
		t.Errorf("a dropped epoch came back: %v", err)
	}
}

func testDropRaces(t *testing.T, d Driver) {
	s := d.Open(t)
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		mustCharge(t, s, account(i), charge(1, 1, 1, 1))
	}
	wg.Go(func() {
		for range 10 {
			if err := s.DropBefore(context.Background(), 2); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range n {
		wg.Go(func() {
			c := charge(2, 1, 1, 1)
			if reply, err := s.Charge(context.Background(), account(i), c); err != nil || !bytes.Equal(reply, c.Reply) {
				t.Errorf("charge while dropping: %q, %v", reply, err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		if v := look(t, s, account(i), 2, 1); v.Spent != 1 {
			t.Fatalf("account %d lost its charge", i)
		}
	}
}

// testChargeRace lets different requests of one account race for an allowance
// that has room for a few of them.
func testChargeRace(t *testing.T, d Driver) {
	s := d.Open(t)
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			switch _, err := s.Charge(context.Background(), account(1), charge(1, i, 3, 20)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, attester.ErrExhausted):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if v := look(t, s, account(1), 1, 0); won.Load() != 6 || v.Spent != 18 {
		t.Fatalf("%d requests of 3 tokens won, %d spent of 20", won.Load(), v.Spent)
	}
}

// testCopiesRace lets copies of one request race: all must get the same reply
// for one charge, although each brings a reply of its own.
func testCopiesRace(t *testing.T, d Driver) {
	s := d.Open(t)
	replies := make([][]byte, 64)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			c := charge(1, 1, 10, 10)
			c.Reply = fmt.Appendf(nil, "rendering %d", i)
			var err error
			if replies[i], err = s.Charge(context.Background(), account(1), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range replies {
		if !bytes.Equal(r, replies[0]) {
			t.Fatalf("copies of one request got %q and %q", replies[0], r)
		}
	}
	if v := look(t, s, account(1), 1, 1); v.Spent != 10 || !bytes.Equal(v.Reply, replies[0]) {
		t.Fatalf("after the race: %d spent, reply %q", v.Spent, v.Reply)
	}
}

func testReopen(t *testing.T, d Driver) {
	if d.Reopen == nil {
		return
	}
	s, crashes := d.Open(t), 20
	if testing.Short() {
		crashes = 5
	}
	for i := range crashes {
		mustCharge(t, s, account(i), charge(1, 1, 6, 10))
		s = d.Reopen(t, s)
		mustExhaust(t, s, account(i), charge(1, 2, 6, 10))
		if v := look(t, s, account(i), 1, 1); v.Spent != 6 || string(v.Reply) != "reply 1" || !v.Standing.Seen {
			t.Fatalf("after a crash: %+v", v)
		}
	}
}
