package queuetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// Run runs the suite on sites that newSite makes, each empty.
func Run(t *testing.T, newSite func(*testing.T) Site) {
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"CreateConfigureDelete", testCreateConfigureDelete},
		{"AppendOnce", testAppendOnce},
		{"ReadAndAck", testReadAndAck},
		{"ManyEntries", testManyEntries},
		{"MarksAndClaims", testMarksAndClaims},
		{"Overflow", testOverflow},
		{"TimeToLive", testTimeToLive},
		{"IdleQueues", testIdleQueues},
		{"OldMarks", testOldMarks},
		{"ConcurrentAppends", testConcurrentAppends},
		{"ReadersAndWriters", testReadersAndWriters},
		{"DeleteUnderWriters", testDeleteUnderWriters},
		{"Payloads", testPayloads},
		{"PayloadsExpire", testPayloadsExpire},
		{"AppendPayload", testAppendPayload},
		{"ReleaseRace", testReleaseRace},
		{"Batches", testBatches},
		{"BatchesThatDoNotFit", testBatchesThatDoNotFit},
		{"TakeOnce", testTakeOnce},
		{"TakeRace", testTakeRace},
		{"TakeRefusals", testTakeRefusals},
		{"TakeExpiry", testTakeExpiry},
		{"DeletePool", testDeletePool},
		{"CrashLosesNothing", testCrashLosesNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, newSite)) })
	}
	t.Run("Writes", func(t *testing.T) { faults.Run(t, newSite, writes) })
	t.Run("HistoriesAreLinearizable", func(t *testing.T) { testHistories(t, newSite) })
	for _, c := range []struct {
		name string
		run  func(b *bench, step int)
	}{
		{"FaultInAppend", testFaultInAppend},
		{"FaultInAck", testFaultInAck},
		{"FaultInTake", testFaultInTake},
		{"FaultInPublish", testFaultInPublish},
		{"FaultInDelete", testFaultInDelete},
		{"FaultInPayload", testFaultInPayload},
		{"FaultInExpire", testFaultInExpire},
	} {
		for step := range newSite(t).Steps() {
			t.Run(fmt.Sprintf("%s/step=%d", c.name, step), func(t *testing.T) { c.run(newBench(t, newSite), step) })
		}
	}
}

func testCreateConfigureDelete(b *bench) {
	id := b.queue(1, nil)
	again := newQueue(2, settings())
	got, err := b.store.CreateQueue(b.ctx, id, today, again)
	b.must(err)
	if got.OwnerKey != [32]byte{1} {
		b.Fatal("creating a queue again replaced it")
	}
	newer := settings()
	newer.Version, newer.MaxEntries, newer.Push = 5, 2, []byte("target")
	for _, version := range []uint64{5, 5, 4} {
		s := newer
		if s.Version = version; version == 4 {
			s.MaxEntries = 99
		}
		holds, err := b.store.ConfigureQueue(b.ctx, id, s)
		b.must(err)
		if holds.Version != 5 || holds.MaxEntries != 2 {
			b.Fatalf("after version %d: %+v", version, holds)
		}
	}
	q, err := b.store.Queue(b.ctx, id)
	b.must(err)
	if q.Settings.MaxEntries != 2 || string(q.Settings.Push) != "target" || !bytes.Equal(q.SegmentKey.Public, bytes.Repeat([]byte{1}, 32)) {
		b.Fatalf("stored %+v", q)
	}
	if got := b.append(today, entryOf(id, qs.Mark{1}, 1)); !got.Push {
		b.Fatal("an append does not tell of the push target")
	}
	for range 2 { // deleting again is no error
		b.must(b.store.DeleteQueue(b.ctx, id))
		_, err = b.store.Queue(b.ctx, id)
		b.want(err, qs.ErrNotFound)
		_, err = b.store.ReadQueue(b.ctx, id, today, 0, 1)
		b.want(err, qs.ErrNotFound)
		b.want(b.store.AckQueue(b.ctx, id, today, 1), qs.ErrNotFound)
		b.want(b.store.Revoke(b.ctx, id, today, qs.Mark{1}), qs.ErrNotFound)
		_, err = b.store.ConfigureQueue(b.ctx, id, newer)
		b.want(err, qs.ErrNotFound)
		b.outcome(entryOf(id, qs.Mark{1}, 2), wire.UnknownAddress, false)
	}
	b.queue(1, nil)
	b.wantEntries(id, today, qs.Mark{})
	b.outcome(entryOf(id, qs.Mark{1}, 1), wire.Delivered, true) // nothing is left of the old queue
}

func testAppendOnce(b *bench) {
	id, other := b.queue(1, nil), b.queue(2, nil)
	m := qs.Mark{1}
	b.outcome(entryOf(id, m, 5), wire.Delivered, true)
	for _, n := range []uint64{5, 4, 1} {
		b.outcome(entryOf(id, m, n), wire.Delivered, false)
	}
	b.outcome(entryOf(id, m, 9), wire.Delivered, true) // gaps are the sender's business
	b.outcome(entryOf(other, m, 5), wire.Delivered, true)
	b.wantEntries(id, today, m, 5, 9)
	out, err := b.store.Append(b.ctx, today, []qs.Append{
		entryOf(id, m, 10), entryOf(wire.QueueID{99}, m, 1), entryOf(id, m, 10), entryOf(other, m, 6), entryOf(id, m, 11),
	})
	b.must(err)
	fresh, known := qs.Appended{Outcome: wire.Delivered, Fresh: true}, qs.Appended{Outcome: wire.Delivered}
	want := []qs.Appended{fresh, {Outcome: wire.UnknownAddress}, known, fresh, fresh}
	if !slices.Equal(out, want) {
		b.Fatalf("got %v, want %v", out, want)
	}
	b.wantEntries(id, today, m, 5, 9, 10, 11)
	b.wantEntries(other, today, m, 5, 6)
}

func testReadAndAck(b *bench) {
	id, m := b.queue(1, nil), qs.Mark{1}
	for _, n := range upTo(1, 50) {
		b.outcome(entryOf(id, m, n), wire.Delivered, true)
	}
	last := b.wantEntries(id, today, m, upTo(1, 50)...)
	b.wantEntries(id, today, m, upTo(1, 50)...) // reading removes nothing
	if got, _ := b.read(id, today, last-3); len(got) != 3 {
		b.Fatalf("%d entries after the third to last", len(got))
	}
	b.must(b.store.AckQueue(b.ctx, id, today, last-20))
	b.wantEntries(id, today, m, upTo(31, 50)...)
	b.must(b.store.AckQueue(b.ctx, id, today, 1)) // an old one changes nothing
	b.wantEntries(id, today, m, upTo(31, 50)...)
	b.must(b.store.AckQueue(b.ctx, id, today, last+1000)) // and one ahead takes nothing to come
	b.wantEntries(id, today, m)
	b.outcome(entryOf(id, m, 51), wire.Delivered, true)
	b.outcome(entryOf(id, m, 3), wire.Delivered, false) // acknowledged ones stay known
	got, next := b.read(id, today, last)
	if len(got) != 1 || next != last+1 {
		b.Fatalf("after an empty queue: %d entries, the last is %d after %d", len(got), next, last)
	}
}

// testManyEntries has more entries and segments than a driver handles at once.
func testManyEntries(b *bench) {
	const n = 5000
	id, m := b.queue(1, func(s *wire.QueueSettings) { s.MaxEntries, s.MaxBytes = 1<<16, 1<<30 }), qs.Mark{1}
	var entries []qs.Append
	for _, i := range upTo(1, n) {
		e := entryOf(id, m, i)
		e.Ciphertext = append(e.Ciphertext, make([]byte, 300)...)
		entries = append(entries, e)
	}
	out, err := b.store.Append(b.ctx, today, entries)
	b.must(err)
	for i, o := range out {
		if o.Outcome != wire.Delivered || !o.Fresh {
			b.Fatalf("entry %d: %v", i, o)
		}
	}
	page, err := b.store.ReadQueue(b.ctx, id, today, 0, 1<<30)
	b.must(err)
	if len(page.Entries) != qs.MaxPage || page.Empty {
		b.Fatalf("page of %d entries", len(page.Entries))
	}
	all, last := b.read(id, today, 0)
	if len(all) != n {
		b.Fatalf("%d entries", len(all))
	}
	b.must(b.store.AckQueue(b.ctx, id, today, last-1))
	b.outcome(entryOf(id, m, n+1), wire.Delivered, true)
	if got, _ := b.read(id, today, 0); len(got) != 2 || got[1] != string(content(m, n+1)) {
		b.Fatalf("%d entries are left", len(got))
	}
}

func testMarksAndClaims(b *bench) {
	id := b.queue(1, nil)
	bound := entryOf(id, qs.Mark{1}, 1)
	bound.Claim = qs.Mark{7}
	b.outcome(bound, wire.Delivered, true)
	for _, claim := range []qs.Mark{{8}, {}} {
		e := entryOf(id, qs.Mark{1}, 2)
		e.Claim = claim
		b.outcome(e, wire.UnknownAddress, false)
	}
	bound.Number = 2
	b.outcome(bound, wire.Delivered, true)
	b.must(b.store.Revoke(b.ctx, id, today, qs.Mark{1}))
	bound.Number = 3
	b.outcome(bound, wire.Revoked, false)
	// A stream falls with itself, and with the address it belongs to.
	stream := func(m, parent byte, n uint64) qs.Append {
		e := entryOf(id, qs.Mark{m}, n)
		e.Parent = qs.Mark{parent}
		return e
	}
	b.outcome(stream(11, 10, 1), wire.Delivered, true)
	b.outcome(stream(12, 10, 1), wire.Delivered, true)
	b.must(b.store.Revoke(b.ctx, id, today, qs.Mark{11}))
	b.outcome(stream(11, 10, 2), wire.Revoked, false)
	b.outcome(stream(12, 10, 2), wire.Delivered, true)
	for range 2 {
		b.must(b.store.Revoke(b.ctx, id, today, qs.Mark{10}))
		b.outcome(stream(12, 10, 3), wire.Revoked, false)
		b.outcome(stream(13, 10, 1), wire.Revoked, false)
	}
	b.outcome(stream(13, 9, 1), wire.Delivered, true)
	if got, _ := b.read(id, today, 0); len(got) != 6 {
		b.Fatalf("%d entries; revoking must not remove any", len(got))
	}
}

func testOverflow(b *bench) {
	m := qs.Mark{1}
	refuse := b.queue(1, func(s *wire.QueueSettings) { s.MaxEntries = 3 })
	for _, n := range upTo(1, 3) {
		b.outcome(entryOf(refuse, m, n), wire.Delivered, true)
	}
	b.outcome(entryOf(refuse, m, 4), wire.Full, false)
	b.outcome(entryOf(refuse, m, 2), wire.Delivered, false) // what is in does not need room
	last := b.wantEntries(refuse, today, m, 1, 2, 3)
	b.must(b.store.AckQueue(b.ctx, refuse, today, last-2))
	b.outcome(entryOf(refuse, m, 4), wire.Delivered, true) // refused once, not for good
	b.wantEntries(refuse, today, m, 2, 3, 4)

	size := uint64(len(content(m, 1)) + qs.EntryOverhead)
	bytes := b.queue(2, func(s *wire.QueueSettings) { s.MaxBytes = 2*size + size/2 })
	b.outcome(entryOf(bytes, m, 1), wire.Delivered, true)
	b.outcome(entryOf(bytes, m, 2), wire.Delivered, true)
	b.outcome(entryOf(bytes, m, 3), wire.Full, false)
	_, last = b.read(bytes, today, 0)
	b.must(b.store.AckQueue(b.ctx, bytes, today, last))
	b.outcome(entryOf(bytes, m, 3), wire.Delivered, true)
	b.outcome(entryOf(bytes, m, 4), wire.Delivered, true)
	b.outcome(entryOf(bytes, m, 5), wire.Full, false)

	drop := b.queue(3, func(s *wire.QueueSettings) { s.MaxEntries, s.Overflow = 3, wire.OverflowDropOldest })
	for _, n := range upTo(1, 25) {
		b.outcome(entryOf(drop, m, n), wire.Delivered, true)
	}
	if last := b.wantEntries(drop, today, m, 23, 24, 25); last != 25 {
		b.Fatalf("the last of 25 entries is %d: dropping must leave a gap", last)
	}
	e := entryOf(drop, m, 26)
	dropBytes := b.queue(4, func(s *wire.QueueSettings) { s.MaxBytes, s.Overflow = 10, wire.OverflowDropOldest })
	e.Queue = dropBytes
	b.outcome(e, wire.Full, false) // what never fits is refused
}

func testTimeToLive(b *bench) {
	id, m := b.queue(1, func(s *wire.QueueSettings) { s.TTLDays, s.MaxEntries = 2, 3 }), qs.Mark{1}
	for n := range uint64(3) {
		b.append(today+qs.Day(n), entryOf(id, m, n+1))
	}
	b.wantEntries(id, today+2, m, 1, 2, 3)
	if got := b.append(today+2, entryOf(id, m, 4)); got.Outcome != wire.Full {
		b.Fatalf("room for a fourth entry: %v", got)
	}
	b.wantEntries(id, today+3, m, 2, 3)
	if got := b.append(today+3, entryOf(id, m, 4)); got.Outcome != wire.Delivered || !got.Fresh {
		b.Fatalf("no room where an entry has expired: %v", got)
	}
	b.must(b.store.Expire(b.ctx, qs.Expiry{Entries: today + 5}))
	b.wantEntries(id, today+5, m, 4)
	b.wantEntries(id, today+99, m)
	b.must(b.store.Expire(b.ctx, qs.Expiry{Entries: today + 99}))
	if got := b.append(today+99, entryOf(id, m, 5)); got.Outcome != wire.Delivered || !got.Fresh {
		b.Fatalf("after all expired: %v", got)
	}
	b.wantEntries(id, today+99, m, 5)
}

func testIdleQueues(b *bench) {
	read, acked, idle := b.queue(1, nil), b.queue(2, nil), b.queue(3, nil)
	for _, id := range []wire.QueueID{read, acked, idle} {
		b.outcome(entryOf(id, qs.Mark{1}, 1), wire.Delivered, true)
	}
	b.read(read, today+10, 0)
	b.must(b.store.AckQueue(b.ctx, acked, today+10, 0))
	b.append(today+10, entryOf(idle, qs.Mark{1}, 2)) // what arrives is no use by the owner
	b.must(b.store.Expire(b.ctx, qs.Expiry{Queues: today}))
	b.wantEntries(idle, today, qs.Mark{1}, 1, 2)
	b.append(today, entryOf(idle, qs.Mark{1}, 3))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Queues: today + 5}))
	b.wantEntries(read, today+10, qs.Mark{1}, 1)
	b.wantEntries(acked, today+10, qs.Mark{1}, 1)
	_, err := b.store.Queue(b.ctx, idle)
	b.want(err, qs.ErrNotFound)
	b.queue(3, nil)
	b.wantEntries(idle, today, qs.Mark{1})
}

func testOldMarks(b *bench) {
	id := b.queue(1, nil)
	b.append(today, entryOf(id, qs.Mark{1}, 5))
	b.append(today, entryOf(id, qs.Mark{2}, 5))
	b.append(today+10, entryOf(id, qs.Mark{2}, 6))
	b.must(b.store.Revoke(b.ctx, id, today, qs.Mark{3}))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Marks: today}))
	b.outcome(entryOf(id, qs.Mark{1}, 5), wire.Delivered, false)
	b.outcome(entryOf(id, qs.Mark{3}, 5), wire.Revoked, false)
	b.must(b.store.Expire(b.ctx, qs.Expiry{Marks: today + 1}))
	b.outcome(entryOf(id, qs.Mark{1}, 5), wire.Delivered, true)
	b.outcome(entryOf(id, qs.Mark{2}, 6), wire.Delivered, false)
	b.outcome(entryOf(id, qs.Mark{3}, 5), wire.Delivered, true)
	for m := range byte(2) {
		brief := entryOf(id, qs.Mark{10 + m}, 1)
		brief.Brief = true
		b.outcome(brief, wire.Delivered, true)
		b.must(b.store.Expire(b.ctx, qs.Expiry{Claims: today}))
		b.outcome(brief, wire.Delivered, false)
	}
	b.must(b.store.Revoke(b.ctx, id, today, qs.Mark{11}))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Claims: today + 1}))
	b.outcome(entryOf(id, qs.Mark{10}, 1), wire.Delivered, true)
	b.outcome(entryOf(id, qs.Mark{11}, 2), wire.Revoked, false) // what was revoked is remembered
}

func testConcurrentAppends(b *bench) {
	const senders, messages = 8, 40
	id := b.queue(1, nil)
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for s := range senders {
		for range 2 { // each message comes twice
			wg.Go(func() {
				for _, n := range upTo(1, messages) {
					out, err := b.store.Append(b.ctx, today, []qs.Append{entryOf(id, qs.Mark{1, byte(s)}, n)})
					if err != nil || out[0].Outcome != wire.Delivered {
						b.Errorf("append: %v, %v", out, err)
						return
					}
					if out[0].Fresh {
						fresh.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	contents, _ := b.read(id, today, 0)
	if len(contents) != int(fresh.Load()) {
		b.Fatalf("%d entries of %d fresh appends", len(contents), fresh.Load())
	}
	// Each sender's last message is there, and its messages are in order.
	seen := map[string]string{}
	for _, c := range contents {
		sender := c[:len(c)-8]
		if c <= seen[sender] {
			b.Fatal("messages of one sender are out of order or twice")
		}
		seen[sender] = c
	}
	for s := range senders {
		m := qs.Mark{1, byte(s)}
		if seen["entry"+string(m[:])] != string(content(m, messages)) {
			b.Fatalf("the last message of sender %d is missing", s)
		}
	}
}

// testReadersAndWriters reads and acknowledges while entries arrive: every one is
// seen once and in order.
func testReadersAndWriters(b *bench) {
	const total = 300
	id, m := b.queue(1, nil), qs.Mark{1}
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, n := range upTo(1, total) {
			if _, err := b.store.Append(b.ctx, today, []qs.Append{entryOf(id, m, n)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	defer wg.Wait()
	var last, next uint64
	for next < total {
		page, err := b.store.ReadQueue(b.ctx, id, today, last, 5)
		b.must(err)
		for _, e := range page.Entries {
			if next++; string(e.Ciphertext) != string(content(m, next)) || e.Seq != next {
				b.Fatalf("entry %d is %q, want message %d", e.Seq, e.Ciphertext, next)
			}
			last = e.Seq
		}
		b.must(b.store.AckQueue(b.ctx, id, today, last))
	}
}

// testDeleteUnderWriters deletes and creates a queue while entries arrive: what
// is there at the end came after the last creation.
func testDeleteUnderWriters(b *bench) {
	id := b.queue(1, nil)
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			for _, n := range upTo(1, 60) {
				if _, err := b.store.Append(b.ctx, today, []qs.Append{entryOf(id, qs.Mark{byte(s)}, n)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		b.must(b.store.DeleteQueue(b.ctx, id))
		b.queue(1, nil)
	}
	wg.Wait()
	b.must(b.store.DeleteQueue(b.ctx, id))
	b.queue(1, nil)
	b.wantEntries(id, today, qs.Mark{})
	b.outcome(entryOf(id, qs.Mark{1}, 1), wire.Delivered, true)
	if _, last := b.read(id, today, 0); last != 1 {
		b.Fatalf("the first entry of a new queue has number %d", last)
	}
}
