package queues_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

// full fills a store with every kind of record: a queue with five entries of
// two segments from two addresses, a payload of two chunks, and a pool with a batch in
// use and one staged.
func full(t *testing.T, s *badgertest.Site[queuetest.Store]) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open, err := s.Open()
	must(err)
	ctx, queue, pool := context.Background(), wire.QueueID{1}, wire.PoolID{1}
	_, err = open.CreateQueue(ctx, queue, 1, qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)},
		Settings: wire.QueueSettings{Version: 1, MaxEntries: 100, MaxBytes: 1 << 20, TTLDays: 30}})
	must(err)
	for n := range byte(5) {
		out, err := open.Append(ctx, 1, []qs.Append{{Queue: queue, Mark: qs.Mark{n % 2, 1}, Number: uint64(n) + 1, Segment: wire.SegmentID{n / 3},
			KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 100)}})
		must(err)
		if !out[0].Fresh {
			t.Fatalf("entry %d: %+v", n, out[0])
		}
	}
	must(open.AckQueue(ctx, queue, 1, 1))
	must(open.PutPayload(ctx, wire.PayloadID{3: 9}, make([]byte, 300<<10), 3))
	part := qs.Part{Kind: wire.PoolConnection, Batch: 1, Last: true}
	for n := range byte(4) {
		part.KeyPackages = append(part.KeyPackages, qs.KeyPackage{Encoded: []byte{n}, LastDay: 9, LastResort: n == 3})
	}
	_, err = open.Publish(ctx, pool, part)
	must(err)
	part.Batch, part.Last = 2, false
	_, err = open.Publish(ctx, pool, part)
	must(err)
	must(open.Allow(ctx, pool, wire.ContactHash{1}, true))
	_, err = open.Take(ctx, pool, 1, qs.Claim{Kind: wire.PoolConnection})
	must(err)
	must(open.Close())
	db, err := badger.Open(badger.Config{Dir: s.Dir(), Format: queues.Format, MinFree: 1})
	must(err)
	must(db.Submit(ctx, func(tx *badger.Tx) error { return queues.OnRollback(tx, nil) }))
	must(db.Close())
	counted := map[string]uint64{}
	for _, tally := range fsck(t, s.Dir(), nil).Tallies {
		counted[tally.Kind] = tally.Records
	}
	want := map[string]uint64{"queue": 1, "head": 1, "page of entries": 2, "segment": 2, "mark": 2, "deletion of a queue": 0, "payload chunk": 2, "payload references": 1,
		"pool": 1, "KeyPackage": 7, "contact": 1, "claim": 1, "deletion of a pool": 0, "count of restores": 1}
	if fmt.Sprint(counted) != fmt.Sprint(want) {
		t.Fatalf("counted %v, want %v", counted, want)
	}
}

// damage is what is done to the n-th record of a kind.
type damage struct {
	kind byte
	n    int
	do   func(key, value []byte) (k, v []byte) // a nil value deletes
	want []badger.Finding
}

func gone(_, _ []byte) ([]byte, []byte)     { return nil, nil }
func short(_, v []byte) ([]byte, []byte)    { return nil, v[:len(v)-1] }
func empty(_, _ []byte) ([]byte, []byte)    { return nil, []byte{} }
func longKey(k, v []byte) ([]byte, []byte)  { return append(k, 0), v }
func stranger(k, v []byte) ([]byte, []byte) { k[2] ^= 1; return k, v }
func replaced(by ...byte) func(_, _ []byte) ([]byte, []byte) {
	return func(_, _ []byte) ([]byte, []byte) { return nil, by }
}

// set puts a number into the value.
func set(at int, n uint64, size int) func(_, v []byte) ([]byte, []byte) {
	return func(_, v []byte) ([]byte, []byte) {
		b := binary.BigEndian.AppendUint64(nil, n)
		copy(v[at:], b[8-size:])
		return nil, v
	}
}

func find(kind, problem string) badger.Finding { return badger.Finding{Kind: kind, Problem: problem} }

func TestCheckFindsDamage(t *testing.T) {
	s := newSite(t)
	full(t, s)
	nothing := func(kind string) badger.Finding { return find(kind, "belongs to nothing") }
	// Where the fields of a head are.
	const last, floor, total, freed, marks, maxEntries, segment, segmentStart, oldest, first, tail = 4, 12, 20, 28, 40, 44, 60, 68, 76, 84, 92
	const differs, undecodable, contradict = "count differs from what is there", "does not decode", "numbers contradict each other"
	const gap, sum = "not the next of its queue or pool", "sum of octets"
	for name, d := range map[string]damage{
		"queue gone":             {'q', 0, gone, []badger.Finding{find("head", "queue is missing")}},
		"queue cut":              {'q', 0, short, []badger.Finding{find("queue", undecodable)}},
		"queue's key":            {'q', 0, longKey, []badger.Finding{find("queue", "key"), find("head", "queue is missing")}},
		"head gone":              {'h', 0, gone, []badger.Finding{find("queue", "head is missing"), nothing("page of entries"), nothing("segment"), nothing("mark")}},
		"head cut":               {'h', 0, short, []badger.Finding{find("queue", "head is missing"), find("head", undecodable), nothing("page of entries"), nothing("segment"), nothing("mark")}},
		"head's settings":        {'h', 0, set(maxEntries, 7, 4), []badger.Finding{find("queue", "head has other settings")}},
		"head's last":            {'h', 0, set(last, 6, 8), []badger.Finding{find("page of entries", gap)}},
		"head's floor":           {'h', 0, set(floor, 0, 8), []badger.Finding{find("head", differs)}},
		"head's total":           {'h', 0, set(total, 9999, 8), []badger.Finding{find("page of entries", sum)}},
		"head's freed":           {'h', 0, set(freed, 0, 8), []badger.Finding{find("head", differs)}},
		"head's marks":           {'h', 0, set(marks, 3, 4), []badger.Finding{find("head", differs)}},
		"head's segment":         {'h', 0, set(segment, 9, 1), []badger.Finding{find("segment", "head names another")}},
		"head's segment start":   {'h', 0, set(segmentStart, 5, 8), []badger.Finding{find("head", "last segment is missing")}},
		"head's oldest segment":  {'h', 0, set(oldest, 2, 8), []badger.Finding{find("segment", "not between the oldest and the last of its queue")}},
		"head's impossible last": {'h', 0, set(segmentStart, 99, 8), []badger.Finding{find("head", contradict), find("head", "last segment is missing")}},
		"last page gone":         {'e', 0, gone, []badger.Finding{find("page of entries", gap), find("page of entries", sum), find("head", "last page is another")}},
		"first page gone":        {'e', 1, gone, []badger.Finding{find("head", differs)}},
		"page cut":               {'e', 0, short, []badger.Finding{find("page of entries", undecodable), find("page of entries", gap), find("page of entries", sum), find("head", "last page is another")}},
		"page of other octets":   {'e', 1, set(4, 1, 8), []badger.Finding{find("page of entries", sum), find("head", differs)}},
		"page's segment":         {'e', 1, set(12, 4, 8), []badger.Finding{find("page of entries", "its segment is missing")}},
		"page of another queue":  {'e', 1, stranger, []badger.Finding{find("head", differs), nothing("page of entries")}},
		"head's first page":      {'h', 0, set(first, 2, 8), []badger.Finding{find("head", differs)}},
		"head's last page":       {'h', 0, set(tail, 1, 8), []badger.Finding{find("head", "last page is another")}},
		"segment gone":           {'s', 0, gone, []badger.Finding{find("page of entries", "its segment is missing")}},
		"last segment gone":      {'s', 1, gone, []badger.Finding{find("head", "last segment is missing"), find("page of entries", "its segment is missing")}},
		"segment cut":            {'s', 0, empty, []badger.Finding{find("segment", undecodable)}},
		"mark gone":              {'m', 0, gone, []badger.Finding{find("head", differs)}},
		"mark cut":               {'m', 0, short, []badger.Finding{find("mark", undecodable), find("head", differs)}},
		"mark of another queue":  {'m', 0, stranger, []badger.Finding{find("head", differs), nothing("mark")}},
		"first chunk gone":       {'p', 0, gone, []badger.Finding{find("payload chunk", "not the next of its payload")}},
		"last chunk gone":        {'p', 1, gone, []badger.Finding{find("payload references", "last chunk is missing")}},
		"chunk cut":              {'p', 0, short, []badger.Finding{find("payload chunk", "not the next of its payload")}},
		"chunk's key":            {'p', 1, longKey, []badger.Finding{find("payload references", "last chunk is missing"), find("payload chunk", "key")}},
		"later payload's chunk":  {'p', 1, func(k, v []byte) ([]byte, []byte) { k[1]++; return k, v }, []badger.Finding{find("payload references", "last chunk is missing"), find("payload chunk", "references are missing")}},
		"no recipient left":      {'r', 0, replaced(2, 0), []badger.Finding{find("payload references", "recipients")}},
		"no recipients":          {'r', 0, replaced(2), []badger.Finding{find("payload references", "recipients")}},
		"references cut":         {'r', 0, empty, []badger.Finding{find("payload references", undecodable)}},
		"too few chunks":         {'r', 0, replaced(1, 7), []badger.Finding{find("payload chunk", "not the next of its payload")}},
		"pool gone":              {'o', 0, gone, []badger.Finding{nothing("KeyPackage"), nothing("contact"), nothing("claim")}},
		"pool cut":               {'o', 0, short, []badger.Finding{find("pool", undecodable), nothing("KeyPackage"), nothing("contact"), nothing("claim")}},
		"pool's kind":            {'o', 0, set(32, 7, 1), []badger.Finding{find("pool", contradict)}},
		"pool's contacts":        {'o', 0, set(33, 2, 4), []badger.Finding{find("pool", differs)}},
		"pool's next":            {'o', 0, set(37+12, 0, 4), []badger.Finding{find("KeyPackage", "not the next of its queue or pool"), find("KeyPackage", "not the next of its queue or pool"), find("pool", differs)}},
		"pool's restores":        {'o', 0, set(37+21, 5, 4), []badger.Finding{find("pool", contradict)}},
		"pool's staged batch":    {'o', 0, set(37+25, 3, 8), []badger.Finding{find("KeyPackage", "of no batch of its pool"), find("KeyPackage", "of no batch of its pool"), find("KeyPackage", "of no batch of its pool"), find("KeyPackage", "of no batch of its pool"), find("pool", differs)}},
		"pool's staged number":   {'o', 0, set(37+25+8, 7, 4), []badger.Finding{find("pool", "staged batch")}},
		"KeyPackage gone":        {'k', 0, gone, []badger.Finding{find("KeyPackage", "not the next of its queue or pool"), find("pool", differs)}},
		"last KeyPackage gone":   {'k', 1, gone, []badger.Finding{find("pool", differs)}},
		"last resort gone":       {'k', 2, gone, []badger.Finding{find("pool", differs)}},
		"staged KeyPackage gone": {'k', 5, gone, []badger.Finding{find("pool", differs)}},
		"KeyPackage cut":         {'k', 2, replaced(0, 0, 0, 1), []badger.Finding{find("KeyPackage", "size")}},
		"KeyPackage cut off":     {'k', 2, empty, []badger.Finding{find("KeyPackage", undecodable), find("pool", differs)}},
		"contact gone":           {'c', 0, gone, []badger.Finding{find("pool", differs)}},
		"contact is both":        {'c', 0, replaced(2), []badger.Finding{find("contact", undecodable)}},
		"contact's key":          {'c', 0, longKey, []badger.Finding{find("contact", "key")}},
		"claim cut":              {'t', 0, empty, []badger.Finding{find("claim", undecodable)}},
		"claim of no pool":       {'t', 0, stranger, []badger.Finding{nothing("claim")}},
		"count cut":              {'z', 0, short, []badger.Finding{find("count of restores", undecodable)}},
		"deletion of what is there": {'q', 0, func(k, _ []byte) ([]byte, []byte) { k[0] = 'x'; return k, []byte{} },
			[]badger.Finding{find("head", "queue is missing"), find("deletion of a queue", "of one that is there")}},
		"unknown kind": {'t', 0, func(k, v []byte) ([]byte, []byte) { k[0] = 'T'; return k, v }, []badger.Finding{find("unknown", "no kind of this store")}},
	} {
		t.Run(name, func(t *testing.T) { d.check(t, s) })
	}
}

// check does the damage to a copy of the store.
func (d damage) check(t *testing.T, s *badgertest.Site[queuetest.Store]) {
	dir := t.TempDir()
	if err := storagetest.CopyLive(s.Dir(), dir); err != nil {
		t.Fatal(err)
	}
	db, err := badger.Open(badger.Config{Dir: dir, Format: queues.Format, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	records, _, err := db.Scan([]byte{d.kind}, nil, 0)
	if err != nil || len(records) <= d.n {
		t.Fatalf("%d records, %v", len(records), err)
	}
	r := records[d.n]
	k, v := d.do(bytes.Clone(r.Key), bytes.Clone(r.Value))
	err = db.Submit(t.Context(), func(tx *badger.Tx) error {
		if k != nil || v == nil {
			tx.Delete(r.Key)
		}
		if v != nil && k == nil {
			k = r.Key
		}
		if v != nil {
			tx.Put(k, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fsck(t, dir, d.want)
}

// TestCheckKnowsLeftovers: what a deletion has left when a crash came is counted,
// and no finding.
func TestCheckKnowsLeftovers(t *testing.T) {
	s := newSite(t)
	full(t, s)
	db, err := badger.Open(badger.Config{Dir: s.Dir(), Format: queues.Format, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Submit(t.Context(), func(tx *badger.Tx) error {
		queue, pool, payload := wire.QueueID{1}, wire.PoolID{1}, wire.PayloadID{3: 9}
		tx.Delete(append([]byte{'q'}, queue[:]...))
		tx.Delete(append([]byte{'h'}, queue[:]...))
		tx.Put(append([]byte{'x'}, queue[:]...), nil)
		tx.Delete(append([]byte{'o'}, pool[:]...))
		tx.Put(append([]byte{'y'}, pool[:]...), nil)
		tx.Delete(append([]byte{'r'}, payload[:]...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	left := map[string]uint64{}
	for _, tally := range fsck(t, s.Dir(), nil).Tallies {
		if tally.Leftover > 0 {
			left[tally.Kind] = tally.Leftover
		}
	}
	want := map[string]uint64{"page of entries": 2, "segment": 2, "mark": 2, "payload chunk": 2, "KeyPackage": 7, "contact": 1, "claim": 1}
	if fmt.Sprint(left) != fmt.Sprint(want) {
		t.Fatalf("left over %v, want %v", left, want)
	}
	open, err := s.Open() // which ends the deletions
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Expire(t.Context(), qs.Expiry{Payloads: 99}); err != nil {
		t.Fatal(err)
	}
	open.Close()
	for _, tally := range fsck(t, s.Dir(), nil).Tallies {
		if tally.Records > 0 && tally.Kind != "count of restores" {
			t.Errorf("%d records of kind %q are left", tally.Records, tally.Kind)
		}
	}
}

// BenchmarkCheck checks a store of a thousand queues with a hundred entries each.
func BenchmarkCheck(b *testing.B) {
	s := newSite(b)
	open, err := s.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer open.Close()
	var entries []qs.Append
	for q := range uint16(1000) {
		id := wire.QueueID{byte(q >> 8), byte(q)}
		if _, err := open.CreateQueue(b.Context(), id, 1, qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)},
			Settings: wire.QueueSettings{MaxEntries: 1000, MaxBytes: 1 << 20, TTLDays: 30}}); err != nil {
			b.Fatal(err)
		}
		for n := range uint64(100) {
			entries = append(entries, qs.Append{Queue: id, Mark: qs.Mark{byte(n), 1}, Number: 1, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 200)})
		}
	}
	if _, err := open.Append(b.Context(), 1, entries); err != nil {
		b.Fatal(err)
	}
	var records uint64
	for b.Loop() {
		summary, err := queues.Check(b.Context(), s.DB(), func(f badger.Finding) { b.Fatalf("found %+v", f) })
		if err != nil {
			b.Fatal(err)
		}
		for _, tally := range summary.Tallies {
			records += tally.Records
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
