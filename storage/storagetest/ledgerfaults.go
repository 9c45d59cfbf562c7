package storagetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

func raw(m *Mint, numbers ...uint64) (out []*privacypass.Token) {
	for _, n := range numbers {
		out = append(out, m.Raw(n))
	}
	return out
}

func testRetire(b *bench) {
	m, kept := b.epoch("old", 100), b.epoch("kept", 100)
	spent, unspent := m.Token(), m.Token()
	b.spend(spent, Digest("a"), tokens.Fresh)
	keptToken := kept.Token()
	b.spend(keptToken, Digest("a"), tokens.Fresh)
	for range 2 { // repeating it changes nothing
		if err := b.ledger.RetireEpoch(b.ctx, m.KeyID()); err != nil {
			b.Fatal(err)
		}
	}
	never := NewMint("never opened")
	if err := b.ledger.RetireEpoch(b.ctx, never.KeyID()); err != nil {
		b.Fatal(err)
	}
	for range 2 {
		b.spend(spent, Digest("a"), tokens.ErrEpochRetired)
		b.spend(unspent, Digest("a"), tokens.ErrEpochRetired)
		b.spend(keptToken, Digest("a"), tokens.Resume)
		b.want(0, b.ledger.OpenEpoch(b.ctx, m.Epoch(100)), tokens.ErrEpochRetired)
		b.want(0, b.ledger.OpenEpoch(b.ctx, never.Epoch(100)), tokens.ErrEpochRetired)
		_, err := b.ledger.Usage(b.ctx, m.KeyID())
		b.want(0, err, tokens.ErrEpochRetired)
		b.close()
		b.open()
	}
}

// testRetireUnderWriters retires epochs while others are written: no writer of
// another epoch fails, and none of a retired one is accepted afterwards.
func testRetireUnderWriters(b *bench) {
	kept := b.epoch("kept", 1<<30)
	stop := make(chan bool)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if outcome, err := b.ledger.Spend(b.ctx, kept.Token(), Digest(g, i)); err != nil || outcome != tokens.Fresh {
					b.Errorf("kept epoch: outcome %d, %v", outcome, err)
					return
				}
			}
		})
	}
	for round := range 3 {
		old := b.epoch(string(rune('a'+round)), 1<<30)
		var writers sync.WaitGroup
		for g := range 4 {
			writers.Go(func() {
				for i := 0; ; i++ {
					_, err := b.ledger.Spend(b.ctx, old.Token(), Digest(g, i))
					if errors.Is(err, tokens.ErrEpochRetired) {
						return
					}
					if err != nil {
						b.Errorf("retired epoch: %v", err)
						return
					}
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		if err := b.ledger.RetireEpoch(b.ctx, old.KeyID()); err != nil {
			b.Error(err)
		}
		writers.Wait()
	}
	close(stop)
	wg.Wait()
	u, err := b.ledger.Usage(b.ctx, kept.KeyID())
	if err != nil || u.Spent != kept.made.Load() || u.Spent == 0 {
		b.Fatalf("usage %+v of %d, %v", u, kept.made.Load(), err)
	}
}

// lateContext holds up the first call that asks it for an error.
type lateContext struct {
	context.Context
	once             *sync.Once
	entered, release chan bool
}

func (c lateContext) Err() error {
	c.once.Do(func() {
		close(c.entered)
		<-c.release
	})
	return c.Context.Err()
}

// testRetireOvertakes lets an epoch retire while a call for one of its spent
// tokens is under way: the call must not find the emptied partition.
func testRetireOvertakes(b *bench) {
	m := b.epoch("e", 100)
	token := m.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	ctx := lateContext{b.ctx, new(sync.Once), make(chan bool), make(chan bool)}
	var wg sync.WaitGroup
	wg.Go(func() {
		outcome, err := b.ledger.Spend(ctx, token, Digest("b"))
		if !errors.Is(err, tokens.ErrEpochRetired) {
			b.Errorf("outcome %d, %v", outcome, err)
		}
	})
	<-ctx.entered
	if err := b.ledger.RetireEpoch(b.ctx, m.KeyID()); err != nil {
		b.Error(err)
	}
	close(ctx.release)
	wg.Wait()
}

func testPayment(b *bench) {
	m := b.epoch("e", 1000)
	till := m.Till()
	pay := func(request string, want any, numbers ...uint64) {
		b.Helper()
		payment, err := till.Verify("create", raw(m, numbers...))
		if err != nil {
			b.Fatal(err)
		}
		outcome, err := payment.Spend(b.ctx, b.ledger, Digest(request))
		b.want(outcome, err, want)
	}
	pay("a", tokens.Fresh, 1, 2, 3)
	pay("a", tokens.Resume, 3, 1, 2)
	pay("b", tokens.ErrDoubleSpend, 4, 5, 3)
	pay("b", tokens.ErrDoubleSpend, 4, 5, 3)
	pay("a", tokens.Resume, 1, 2, 3)
}

// testFaultInPayment crashes at each insert of a payment: the same request is
// then carried out, once freshly, and no other gets one of its tokens.
func testFaultInPayment(b *bench, step int) {
	m := b.epoch("e", 1000)
	till := m.Till()
	for first := range uint64(3) { // so many inserts succeed before the fault
		n := 10 * first
		payment, err := till.Verify("create", raw(m, n, n+1, n+2))
		if err != nil {
			b.Fatal(err)
		}
		for i := range first {
			b.spend(m.Nth(n+i), Digest("a"), tokens.Fresh)
		}
		b.site.Fail(step)
		outcome, err := payment.Spend(b.ctx, b.ledger, Digest("a"))
		if err == nil {
			// The step belongs to no spending; fail the ledger for good all the same.
			b.want(outcome, err, tokens.Fresh)
		} else {
			b.want(outcome, err, tokens.ErrUnavailable)
		}
		b.crash()
		if _, err = payment.Spend(b.ctx, b.ledger, Digest("a")); err != nil {
			b.Fatalf("the same request after a crash: %v", err)
		}
		outcome, err = payment.Spend(b.ctx, b.ledger, Digest("a"))
		b.want(outcome, err, tokens.Resume)
		for i := range uint64(3) {
			b.spend(m.Nth(n+i), Digest("b"), tokens.ErrDoubleSpend)
		}
	}
}

// testFaultInSpend: after a failure at any step and a crash the same request
// gets its token, and no other does.
func testFaultInSpend(b *bench, step int) {
	m := b.epoch("e", 1000)
	before, token := m.Token(), m.Token()
	b.spend(before, Digest("a"), tokens.Fresh)
	b.site.Fail(step)
	outcome, err := b.ledger.Spend(b.ctx, token, Digest("a"))
	failed := err != nil
	if failed {
		b.want(outcome, err, tokens.ErrUnavailable)
		b.spend(token, Digest("b"), tokens.ErrUnavailable) // down until opened again
	}
	b.crash()
	outcome, err = b.ledger.Spend(b.ctx, token, Digest("a"))
	if err != nil || !failed && outcome != tokens.Resume {
		b.Fatalf("the same request after a crash: outcome %d, %v", outcome, err)
	}
	b.spend(token, Digest("a"), tokens.Resume)
	b.spend(token, Digest("b"), tokens.ErrDoubleSpend)
	b.spend(before, Digest("b"), tokens.ErrDoubleSpend)
	b.spend(before, Digest("a"), tokens.Resume)
}

// testFaultThenOther: after a failure and a crash another request comes first.
// It gets the token only if the failed one had not, and then keeps it.
func testFaultThenOther(b *bench, step int) {
	m := b.epoch("e", 1000)
	token := m.Token()
	b.site.Fail(step)
	_, err := b.ledger.Spend(b.ctx, token, Digest("a"))
	failed := err != nil
	b.crash()
	outcome, err := b.ledger.Spend(b.ctx, token, Digest("b"))
	if err == nil {
		if !failed {
			b.Fatal("an acknowledged token was spent again")
		}
		b.want(outcome, err, tokens.Fresh)
		b.spend(token, Digest("a"), tokens.ErrDoubleSpend)
		b.spend(token, Digest("b"), tokens.Resume)
		return
	}
	b.want(outcome, err, tokens.ErrDoubleSpend)
	b.spend(token, Digest("a"), tokens.Resume)
}

func testFaultInOpenEpoch(b *bench, step int) {
	m := NewMint("e")
	b.site.Fail(step)
	if err := b.ledger.OpenEpoch(b.ctx, m.Epoch(10)); err != nil {
		b.want(0, err, tokens.ErrUnavailable)
		// Its opening is not known to be durable, so no token may be taken.
		if outcome, err := b.ledger.Spend(b.ctx, m.Token(), Digest("a")); err == nil {
			b.Fatalf("spent in an epoch that did not open: outcome %d", outcome)
		}
	}
	b.crash()
	b.epoch("e", 10)
	token := m.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	b.crash()
	b.spend(token, Digest("a"), tokens.Resume)
}

// testFaultInRetire: a retirement cut short is either not begun or finished by
// the next Open; repeating it succeeds, and nothing else is lost.
func testFaultInRetire(b *bench, step int) {
	m, kept := b.epoch("old", 100), b.epoch("kept", 100)
	token, keptToken := m.Token(), kept.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	b.spend(keptToken, Digest("a"), tokens.Fresh)
	b.site.Fail(step)
	if err := b.ledger.RetireEpoch(b.ctx, m.KeyID()); err != nil {
		b.want(0, err, tokens.ErrUnavailable)
	}
	b.crash()
	if outcome, err := b.ledger.Spend(b.ctx, token, Digest("b")); err == nil {
		b.Fatalf("a spent token of a retiring epoch was accepted: outcome %d", outcome)
	}
	if err := b.ledger.RetireEpoch(b.ctx, m.KeyID()); err != nil {
		b.Fatal(err)
	}
	b.spend(token, Digest("a"), tokens.ErrEpochRetired)
	b.want(0, b.ledger.OpenEpoch(b.ctx, m.Epoch(100)), tokens.ErrEpochRetired)
	b.spend(keptToken, Digest("a"), tokens.Resume)
	b.spend(keptToken, Digest("b"), tokens.ErrDoubleSpend)
}
