package storagetest

import (
	"sync"

	"github.com/pseudods/pseudods/tokens"
)

// testCrashLosesNothing crashes under load: what was acknowledged stays so.
func testCrashLosesNothing(b *bench) {
	m := b.epoch("e", 1<<20)
	var number uint64
	for range 3 {
		first := number
		var wg sync.WaitGroup
		for range 16 {
			for range 4 {
				n := number
				number++
				wg.Go(func() {
					if outcome, err := b.ledger.Spend(b.ctx, m.Nth(n), Digest(n)); err != nil || outcome != tokens.Fresh {
						b.Errorf("outcome %d, %v", outcome, err)
					}
				})
			}
		}
		wg.Wait()
		b.crash()
		for n := first; n < number; n++ {
			b.spend(m.Nth(n), Digest("other"), tokens.ErrDoubleSpend)
			b.spend(m.Nth(n), Digest(n), tokens.Resume)
		}
	}
	if u, err := b.ledger.Usage(b.ctx, m.KeyID()); err != nil || u.Spent != number {
		b.Fatalf("usage %+v of %d, %v", u, number, err)
	}
}

// testRestoreOlderCopy puts an older copy in place: all epochs that were open,
// in the copy or after it, are fenced for good; retired ones stay retired, and a
// new key works.
func testRestoreOlderCopy(b *bench) {
	old, retired := b.epoch("old", 100), b.epoch("retired", 100)
	known := old.Token()
	b.spend(known, Digest("a"), tokens.Fresh)
	if err := b.ledger.RetireEpoch(b.ctx, retired.KeyID()); err != nil {
		b.Fatal(err)
	}
	restore, err := b.site.Copy() // while it is open
	if err != nil {
		b.Fatal(err)
	}
	later := b.epoch("later", 100) // the copy does not know it
	lost, lostLater := old.Token(), later.Token()
	b.spend(lost, Digest("a"), tokens.Fresh)
	b.spend(lostLater, Digest("a"), tokens.Fresh)
	b.close()
	if err := restore(); err != nil {
		b.Fatal(err)
	}
	for range 2 {
		b.open()
		b.spend(known, Digest("a"), tokens.ErrEpochFenced)
		b.spend(lost, Digest("b"), tokens.ErrEpochFenced)
		b.spend(lostLater, Digest("b"), tokens.ErrEpochFenced)
		b.want(0, b.ledger.OpenEpoch(b.ctx, old.Epoch(100)), tokens.ErrEpochFenced)
		b.want(0, b.ledger.OpenEpoch(b.ctx, later.Epoch(100)), tokens.ErrEpochFenced)
		b.want(0, b.ledger.OpenEpoch(b.ctx, retired.Epoch(100)), tokens.ErrEpochRetired)
		b.close()
	}
	b.open()
	fresh := b.epoch("new key", 100)
	token := fresh.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	b.crash()
	b.spend(token, Digest("a"), tokens.Resume)
	b.spend(lost, Digest("b"), tokens.ErrEpochFenced)
	if err := b.ledger.RetireEpoch(b.ctx, old.KeyID()); err != nil {
		b.Fatal(err)
	}
}

// testRestoreSameCopy puts a copy in place that misses nothing.
func testRestoreSameCopy(b *bench) {
	m := b.epoch("e", 100)
	token := m.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	b.close()
	restore, err := b.site.Copy()
	if err != nil {
		b.Fatal(err)
	}
	b.open()
	b.spend(token, Digest("a"), tokens.Resume)
	b.close()
	if err := restore(); err != nil {
		b.Fatal(err)
	}
	b.open()
	b.spend(token, Digest("a"), tokens.Resume)
	b.spend(token, Digest("b"), tokens.ErrDoubleSpend)
}

// testRestoreNothing puts the empty store in place of a used one.
func testRestoreNothing(b *bench) {
	b.close()
	restore, err := b.site.Copy()
	if err != nil {
		b.Fatal(err)
	}
	b.open()
	m := b.epoch("e", 100)
	token := m.Token()
	b.spend(token, Digest("a"), tokens.Fresh)
	b.close()
	if err := restore(); err != nil {
		b.Fatal(err)
	}
	b.open()
	b.spend(token, Digest("b"), tokens.ErrEpochFenced)
	b.want(0, b.ledger.OpenEpoch(b.ctx, m.Epoch(100)), tokens.ErrEpochFenced)
}
