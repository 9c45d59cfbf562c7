package queuetest

import (
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func testCrashLosesNothing(b *bench) {
	id, m := b.queue(1, nil), qs.Mark{1}
	b.publish(part(1, 0, 40, true), wire.PoolStatus{Batch: 1, Left: 40})
	b.befriend()
	var last uint64
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		for n := range uint64(10) {
			b.outcome(entryOf(id, m, uint64(round)*10+n+1), wire.Delivered, true)
		}
		b.wantTake(today, round, packageName(1, round))
		b.must(b.store.PutPayload(b.ctx, payloadID(today, byte(round)), []byte("payload"), 1))
		b.crash()
		last = b.wantEntries(id, today, m, upTo(last+1, last+10)...)
		b.must(b.store.AckQueue(b.ctx, id, today, last))
		b.crash()
		b.wantEntries(id, today, m)
		b.wantTake(today, round, packageName(1, round))
		b.wantPayload(payloadID(today, byte(round)), []byte("payload"))
	}
	b.outcome(entryOf(id, m, uint64(rounds)*10), wire.Delivered, false)
	b.wantTake(today, 99, packageName(1, rounds))
}

// testFaultInAppend: what was acknowledged is there; what failed may be, and
// comes in once by being tried again.
func testFaultInAppend(b *bench, step int) {
	id, m := b.queue(1, nil), qs.Mark{1}
	b.outcome(entryOf(id, m, 1), wire.Delivered, true)
	b.site.Fail(step)
	out, err := b.store.Append(b.ctx, today, []qs.Append{entryOf(id, m, 2), entryOf(id, m, 3)})
	b.crash()
	if err == nil {
		if !out[0].Fresh || !out[1].Fresh {
			b.Fatalf("got %v", out)
		}
		b.wantEntries(id, today, m, 1, 2, 3)
	}
	out, again := b.store.Append(b.ctx, today, []qs.Append{entryOf(id, m, 2), entryOf(id, m, 3)})
	b.must(again)
	if out[0].Outcome != wire.Delivered || out[1].Outcome != wire.Delivered || err == nil && (out[0].Fresh || out[1].Fresh) {
		b.Fatalf("tried again: %v", out)
	}
	b.wantEntries(id, today, m, 1, 2, 3)
}

// testFaultInAck: an acknowledgement cut short removes nothing beyond what was
// asked, and can be repeated.
func testFaultInAck(b *bench, step int) {
	const n = 4500
	id, m := b.queue(1, func(s *wire.QueueSettings) { s.MaxEntries, s.MaxBytes = 1<<16, 1<<30 }), qs.Mark{1}
	var entries []qs.Append
	for _, i := range upTo(1, n) {
		entries = append(entries, entryOf(id, m, i))
	}
	_, err := b.store.Append(b.ctx, today, entries)
	b.must(err)
	b.site.Fail(step)
	failed := b.store.AckQueue(b.ctx, id, today, n-10)
	b.crash()
	got, last := b.read(id, today, 0)
	if last != n || len(got) < 10 || failed == nil && len(got) != 10 {
		b.Fatalf("%d entries up to %d are left", len(got), last)
	}
	b.must(b.store.AckQueue(b.ctx, id, today, n-10))
	b.wantEntries(id, today, m, upTo(n-9, n)...)
}

// testFaultInTake: no KeyPackage leaves twice, and the same request gets one.
func testFaultInTake(b *bench, step int) {
	b.publish(part(1, 0, 3, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	b.wantTake(today, 1, packageName(1, 0))
	b.site.Fail(step)
	second, failed := b.take(today, 2)
	b.crash()
	third, err := b.take(today, 3)
	b.must(err)
	again, err := b.take(today, 2)
	b.must(err)
	if failed == nil && again != second {
		b.Fatalf("a retry got %q, not %q", again, second)
	}
	for _, other := range []string{again, string(packageName(1, 0))} {
		if third == other {
			b.Fatalf("%q left twice", third)
		}
	}
	b.wantTake(today, 2, []byte(again))
}

// testFaultInPublish: the old batch serves as a whole or the new one does.
func testFaultInPublish(b *bench, step int) {
	b.publish(part(1, 0, 3, true), wire.PoolStatus{Batch: 1, Left: 3})
	b.befriend()
	b.publish(part(2, 0, 2, false), wire.PoolStatus{Batch: 1, Left: 3, Staged: 2})
	b.site.Fail(step)
	_, failed := b.store.Publish(b.ctx, group, part(2, 2, 2, true))
	b.crash()
	got, err := b.take(today, 1)
	b.must(err)
	inUse := uint64(2)
	if got == string(packageName(1, 0)) && failed != nil {
		inUse = 1
	}
	if got != string(packageName(inUse, 0)) {
		b.Fatalf("took %q", got)
	}
	b.wantTake(today, 2, packageName(inUse, 1))
	b.must(func() error { _, err := b.store.Publish(b.ctx, group, part(2, 2, 2, true)); return err }())
	if inUse == 1 {
		b.wantTake(today, 3, packageName(2, 0))
	} else {
		b.wantTake(today, 3, packageName(2, 2))
	}
}

// testFaultInDelete: a queue or pool being deleted is there as a whole or gone,
// and nothing of it comes back.
func testFaultInDelete(b *bench, step int) {
	const n = 2500
	id, m := b.queue(1, func(s *wire.QueueSettings) { s.MaxEntries, s.MaxBytes = 1<<16, 1<<30 }), qs.Mark{1}
	var entries []qs.Append
	for _, i := range upTo(1, n) {
		entries = append(entries, entryOf(id, m, i))
	}
	_, err := b.store.Append(b.ctx, today, entries)
	b.must(err)
	b.site.Fail(step)
	failed := b.store.DeleteQueue(b.ctx, id)
	b.crash()
	if _, err := b.store.Queue(b.ctx, id); err == nil {
		if failed == nil {
			b.Fatal("the queue is back")
		}
		if got, _ := b.read(id, today, 0); len(got) != n {
			b.Fatalf("a queue with %d of %d entries", len(got), n)
		}
		b.must(b.store.DeleteQueue(b.ctx, id))
	}
	b.queue(1, nil)
	b.wantEntries(id, today, m)
	b.outcome(entryOf(id, m, 1), wire.Delivered, true)
	b.wantEntries(id, today, m, 1)
}

func testFaultInPayload(b *bench, step int) {
	kept, id := payloadID(today, 1), payloadID(today, 2)
	b.must(b.store.PutPayload(b.ctx, kept, []byte("kept"), 2))
	b.must(b.store.Release(b.ctx, kept, []uint16{0}))
	b.site.Fail(step)
	failed := b.store.PutPayload(b.ctx, id, make([]byte, 300<<10), 1)
	b.crash()
	b.wantPayload(kept, []byte("kept"))
	if got, err := b.store.Payload(b.ctx, id); failed == nil || err == nil {
		b.must(err)
		if len(got) != 300<<10 {
			b.Fatalf("payload of %d octets", len(got))
		}
	}
	b.site.Fail(step)
	failed = b.store.Release(b.ctx, kept, []uint16{1})
	b.crash()
	if _, err := b.store.Payload(b.ctx, kept); failed == nil {
		b.want(err, qs.ErrNotFound)
	}
}

func testFaultInExpire(b *bench, step int) {
	idle, used := b.queue(1, nil), b.queue(2, nil)
	for _, id := range []wire.QueueID{idle, used} {
		b.outcome(entryOf(id, qs.Mark{1}, 1), wire.Delivered, true)
	}
	b.read(used, today+10, 0)
	b.must(b.store.PutPayload(b.ctx, payloadID(today, 1), []byte("old"), 1))
	b.must(b.store.PutPayload(b.ctx, payloadID(today+10, 1), []byte("new"), 1))
	e := qs.Expiry{Queues: today + 5, Entries: today + 10, Marks: today + 5, Payloads: today + 5, Claims: today + 5}
	b.site.Fail(step)
	b.store.Expire(b.ctx, e) // it fails at some of the steps
	b.crash()
	b.must(b.store.Expire(b.ctx, e))
	_, err := b.store.Queue(b.ctx, idle)
	b.want(err, qs.ErrNotFound)
	b.wantEntries(used, today+10, qs.Mark{1}, 1)
	b.wantPayload(payloadID(today, 1), nil)
	b.wantPayload(payloadID(today+10, 1), []byte("new"))
}
