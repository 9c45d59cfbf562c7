package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest/faults"
	"github.com/pseudods/pseudods/tokens"
)

// TestLedger runs the suite of [tokens.Ledger] on sites that newSite makes, each
// empty. It is the test of INV-04: a token is accepted at most once, and never
// lost without its action.
func TestLedger(t *testing.T, newSite func(*testing.T) LedgerSite) {
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"Outcomes", testOutcomes},
		{"Race", testRace},
		{"RaceOfRetries", testRaceOfRetries},
		{"ManyTokens", testManyTokens},
		{"Cancelled", testCancelled},
		{"Capacity", testCapacity},
		{"EpochLimit", testEpochLimit},
		{"Retire", testRetire},
		{"RetireUnderWriters", testRetireUnderWriters},
		{"RetireOvertakes", testRetireOvertakes},
		{"Payment", testPayment},
		{"PaymentOrder", testPaymentOrder},
		{"CrashLosesNothing", testCrashLosesNothing},
		{"RestoreOlderCopy", testRestoreOlderCopy},
		{"RestoreSameCopy", testRestoreSameCopy},
		{"RestoreNothing", testRestoreNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, newSite)) })
	}
	t.Run("Writes", func(t *testing.T) {
		faults.Run(t, func(t *testing.T) faults.Site[Ledger] { return newSite(t) }, ledgerWrites)
	})
	t.Run("HistoriesAreLinearizable", func(t *testing.T) { testHistories(t, newSite) })
	for _, c := range []struct {
		name string
		run  func(b *bench, step int)
	}{
		{"FaultInSpend", testFaultInSpend},
		{"FaultThenOther", testFaultThenOther},
		{"FaultInPayment", testFaultInPayment},
		{"FaultInOpenEpoch", testFaultInOpenEpoch},
		{"FaultInRetire", testFaultInRetire},
	} {
		for step := range newSite(t).Steps() {
			t.Run(fmt.Sprintf("%s/step=%d", c.name, step), func(t *testing.T) { c.run(newBench(t, newSite), step) })
		}
	}
}

func testOutcomes(b *bench) {
	m := b.epoch("first", 100)
	other := b.epoch("second", 100)
	token, request := m.Token(), Digest("a")
	b.spend(token, request, tokens.Fresh)
	b.spend(token, request, tokens.Resume)
	b.spend(token, Digest("b"), tokens.ErrDoubleSpend)
	b.spend(token, request, tokens.Resume)
	b.spend(m.Token(), request, tokens.Fresh)     // one request, several tokens
	b.spend(other.Token(), request, tokens.Fresh) // the same nonce under another key
	b.spend(NewMint("unknown").Token(), request, tokens.ErrEpochUnknown)
	if _, err := b.ledger.Usage(b.ctx, NewMint("unknown").KeyID()); !errors.Is(err, tokens.ErrEpochUnknown) {
		b.Fatalf("usage of an unknown epoch: %v", err)
	}
	b.close()
	b.open()
	b.spend(token, Digest("b"), tokens.ErrDoubleSpend)
	b.spend(token, request, tokens.Resume)
}

// testRace spends one token on many requests at once: exactly one gets it.
func testRace(b *bench) {
	m := b.epoch("e", 1000)
	for range 10 {
		token := m.Token()
		var fresh, double atomic.Int32
		var winner atomic.Int32
		var wg sync.WaitGroup
		for g := range 64 {
			wg.Go(func() {
				switch outcome, err := b.ledger.Spend(b.ctx, token, Digest(g)); {
				case err == nil && outcome == tokens.Fresh:
					fresh.Add(1)
					winner.Store(int32(g))
				case errors.Is(err, tokens.ErrDoubleSpend):
					double.Add(1)
				default:
					b.Errorf("outcome %d, %v", outcome, err)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 || double.Load() != 63 {
			b.Fatalf("%d fresh, %d double spends", fresh.Load(), double.Load())
		}
		b.spend(token, Digest(int(winner.Load())), tokens.Resume)
	}
}

// testRaceOfRetries repeats few requests many times at once: of each token one
// request is accepted, once freshly and otherwise resumed.
func testRaceOfRetries(b *bench) {
	m := b.epoch("e", 1000)
	for range 10 {
		token := m.Token()
		const requests, repeats = 4, 16
		var fresh, accepted [requests]atomic.Int32
		var wg sync.WaitGroup
		for g := range requests * repeats {
			r := g % requests
			wg.Go(func() {
				outcome, err := b.ledger.Spend(b.ctx, token, Digest(r))
				if err == nil {
					accepted[r].Add(1)
					if outcome == tokens.Fresh {
						fresh[r].Add(1)
					}
				} else if !errors.Is(err, tokens.ErrDoubleSpend) {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		winners := 0
		for r := range requests {
			if n := accepted[r].Load(); n == 0 && fresh[r].Load() == 0 {
				continue
			}
			winners++
			if accepted[r].Load() != repeats || fresh[r].Load() != 1 {
				b.Fatalf("the winner was accepted %d times, %d fresh", accepted[r].Load(), fresh[r].Load())
			}
		}
		if winners != 1 {
			b.Fatalf("%d requests got one token", winners)
		}
	}
}

func testManyTokens(b *bench) {
	mints := []*Mint{b.epoch("a", 10000), b.epoch("b", 10000)}
	const workers, each = 32, 20
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			for i := range each {
				token := mints[g%2].Token()
				if outcome, err := b.ledger.Spend(b.ctx, token, Digest(g, i)); err != nil || outcome != tokens.Fresh {
					b.Errorf("outcome %d, %v", outcome, err)
				}
			}
		})
	}
	wg.Wait()
	for _, m := range mints {
		u, err := b.ledger.Usage(b.ctx, m.KeyID())
		if err != nil || u.Spent != workers*each/2 || u.Capacity != 10000 || u.Alarm() {
			b.Fatalf("usage %+v, %v", u, err)
		}
	}
}

// testCancelled: a call that ends with the context's error has not spent.
func testCancelled(b *bench) {
	m := b.epoch("e", 100)
	token := m.Token()
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	outcome, err := b.ledger.Spend(ctx, token, Digest("a"))
	b.want(outcome, err, context.Canceled)
	b.spend(token, Digest("b"), tokens.Fresh)
}

func testCapacity(b *bench) {
	b.want(0, b.ledger.OpenEpoch(b.ctx, NewMint("e").Epoch(0)), tokens.ErrNoCapacity)
	m := b.epoch("e", 10)
	var spent []uint64
	for i := range uint64(10) {
		u, err := b.ledger.Usage(b.ctx, m.KeyID())
		if err != nil || u.Spent != i || u.Alarm() != (i >= 8) {
			b.Fatalf("after %d: %+v, alarm %v, %v", i, u, u.Alarm(), err)
		}
		b.spend(m.Nth(i), Digest(i), tokens.Fresh)
		spent = append(spent, i)
	}
	b.spend(m.Nth(10), Digest(10), tokens.ErrCapacity)
	for _, i := range spent { // those that were accepted are not forgotten
		b.spend(m.Nth(i), Digest(i), tokens.Resume)
	}
	b.close()
	b.open()
	b.spend(m.Nth(10), Digest(10), tokens.ErrCapacity)
	if err := b.ledger.OpenEpoch(b.ctx, m.Epoch(11)); err != nil {
		b.Fatal(err)
	}
	b.spend(m.Nth(10), Digest(10), tokens.Fresh)
	b.spend(m.Nth(11), Digest(11), tokens.ErrCapacity)
}

func testEpochLimit(b *bench) {
	for i := range tokens.MaxEpochs {
		b.epoch(fmt.Sprint(i), 1)
	}
	err := b.ledger.OpenEpoch(b.ctx, NewMint("one more").Epoch(1))
	b.want(0, err, tokens.ErrTooManyEpochs)
	b.epoch("0", 2) // open already
	if err := b.ledger.RetireEpoch(b.ctx, NewMint("1").KeyID()); err != nil {
		b.Fatal(err)
	}
	b.epoch("one more", 1)
}

// testPaymentOrder lets requests that share tokens race, naming them in
// different orders: one of them gets all.
func testPaymentOrder(b *bench) {
	m := b.epoch("e", 1000)
	till := m.Till()
	for round := range uint64(10) {
		n := round * 3
		orders := [][3]uint64{{n, n + 1, n + 2}, {n + 2, n + 1, n}, {n + 1, n, n + 2}, {n + 2, n, n + 1}}
		var fresh atomic.Int32
		var wg sync.WaitGroup
		for g, order := range orders {
			payment, err := till.Verify("create", raw(m, order[:]...))
			if err != nil {
				b.Fatal(err)
			}
			wg.Go(func() {
				outcome, err := payment.Spend(b.ctx, b.ledger, Digest(round, g))
				if err == nil && outcome == tokens.Fresh {
					fresh.Add(1)
				} else if !errors.Is(err, tokens.ErrDoubleSpend) {
					b.Errorf("outcome %d, %v", outcome, err)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 {
			b.Fatalf("%d requests got the tokens", fresh.Load())
		}
	}
}
