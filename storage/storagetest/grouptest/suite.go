package grouptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// Store is a store under test. Close ends it cleanly.
type Store interface {
	ds.Store
	io.Closer
}

// Site is where one store keeps its data.
type Site = faults.Site[Store]

// Run runs the suite. Each test gets a site of its own.
func Run(t *testing.T, newSite func(*testing.T) Site) {
	for name, test := range map[string]func(*bench){
		"records":                          testRecords,
		"lookups by prefix":                testPrefix,
		"INV-05 of a race one batch wins":  testRace,
		"INV-06 messages wait in order":    testOutbox,
		"waiting lanes":                    testWaiting,
		"groups do not touch each other":   testPartitions,
		"INV-06 a crash loses nothing":     testCrash,
		"reads are of one state":           testConsistentReads,
		"INV-11 a refused batch is no one": testConflictChangesNothing,
	} {
		t.Run(name, func(t *testing.T) { test(newBench(t, newSite(t))) })
	}
	t.Run("INV-05 histories are linearizable", func(t *testing.T) { testHistories(t, newSite) })
	t.Run("writes", func(t *testing.T) { faults.Run(t, newSite, writes) })
	for step := range newSite(t).Steps() {
		t.Run(fmt.Sprint("fault at step ", step), func(t *testing.T) { testFault(newBench(t, newSite(t)), step) })
	}
}

type bench struct {
	*testing.T
	ctx   context.Context
	site  Site
	store Store
}

func newBench(t *testing.T, site Site) *bench {
	b := &bench{T: t, ctx: context.Background(), site: site}
	b.open()
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) open() {
	b.Helper()
	var err error
	b.store, err = b.site.Open()
	b.must(err)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) crash() {
	b.Helper()
	b.must(b.site.Crash())
	b.open()
}

var one, two = wire.GroupID{1}, wire.GroupID{2}

func put(kv ...string) (out []ds.Record) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, ds.Record{Key: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return out
}

func message(lane byte, parts ...string) ds.Message {
	m := ds.Message{Lane: ds.Lane{lane}}
	for _, p := range parts {
		m.Parts = append(m.Parts, []byte(p))
	}
	return m
}

// wantRecords checks version and values; "" stands for no record.
func (b *bench) wantRecords(group wire.GroupID, version, sequence uint64, kv ...string) {
	b.Helper()
	var lookups []ds.Lookup
	for i := 0; i < len(kv); i += 2 {
		lookups = append(lookups, ds.Lookup{Key: []byte(kv[i])})
	}
	s, err := b.store.Read(b.ctx, group, lookups)
	b.must(err)
	if s.Version != version || s.Sequence != sequence {
		b.Fatalf("version %d, sequence %d, want %d and %d", s.Version, s.Sequence, version, sequence)
	}
	for i, r := range s.Records {
		if string(r.Value) != kv[2*i+1] || (r.Key != nil) != (kv[2*i+1] != "") || r.Key != nil && string(r.Key) != kv[2*i] {
			b.Fatalf("record %q is %q at %q, want %q", kv[2*i], r.Value, r.Key, kv[2*i+1])
		}
	}
}

// wantFirst checks the first message of a lane; sequence 0 stands for none.
func (b *bench) wantFirst(group wire.GroupID, lane byte, sequence uint64, content string) {
	b.Helper()
	first, err := b.store.First(b.ctx, group, ds.Lane{lane})
	b.must(err)
	if first != sequence {
		b.Fatalf("first is message %d, want %d", first, sequence)
	}
	b.wantMessage(group, lane, sequence, content)
}

// wantMessage checks a message, which does not wait if it has no content.
func (b *bench) wantMessage(group wire.GroupID, lane byte, sequence uint64, content string) {
	b.Helper()
	m, err := b.store.Message(b.ctx, group, ds.Lane{lane}, sequence)
	b.must(err)
	if content == "" {
		if m != nil {
			b.Fatalf("message %d waits", sequence)
		}
		return
	}
	if m == nil || m.Sequence != sequence || m.Lane != (ds.Lane{lane}) || string(bytes.Join(m.Parts, nil)) != content {
		b.Fatalf("message %+v, want %d %q", m, sequence, content)
	}
}

// done removes messages and checks which is first then.
func (b *bench) done(group wire.GroupID, lane byte, sequence, next uint64) {
	b.Helper()
	got, err := b.store.Done(b.ctx, group, ds.Lane{lane}, sequence)
	b.must(err)
	if got != next {
		b.Fatalf("after message %d comes %d, want %d", sequence, got, next)
	}
}

func testRecords(b *bench) {
	b.wantRecords(one, 0, 0, "a", "")
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Puts: put("a", "1", "b", "2")}))
	b.wantRecords(one, 1, 0, "a", "1", "b", "2", "ab", "")
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: 1, Puts: put("a", "3"), Deletes: [][]byte{[]byte("b"), []byte("none")}}))
	b.wantRecords(one, 2, 0, "a", "3", "b", "")
	testLargestBatch(b)
	large := string(bytes.Repeat([]byte("x"), ds.MaxValue))
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: 2, Puts: put("large", large)}))
	b.wantRecords(one, 3, 0, "large", large)
}

// testLargestBatch: a batch up to the limits is taken.
func testLargestBatch(b *bench) {
	batch := &ds.Batch{}
	for i := 0; ; i++ {
		batch.Puts = append(batch.Puts, put(fmt.Sprint("key ", i), strings.Repeat("v", 64))...)
		if writes, octets := batch.Size(); writes > ds.MaxWrites || octets > ds.MaxBatch {
			batch.Puts = batch.Puts[:i]
			break
		}
	}
	b.must(b.store.Commit(b.ctx, two, batch))
	batch = &ds.Batch{Base: 1}
	for i := byte(0); i < 3; i++ {
		batch.Messages = append(batch.Messages, message(i, strings.Repeat("m", ds.MaxValue), strings.Repeat("n", 100<<10)))
	}
	b.must(b.store.Commit(b.ctx, two, batch))
	b.wantFirst(two, 2, 1, strings.Repeat("m", ds.MaxValue)+strings.Repeat("n", 100<<10))
}

func testPrefix(b *bench) {
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Puts: put("n1a", "1", "n1c", "2", "n2a", "3")}))
	b.must(b.store.Commit(b.ctx, two, &ds.Batch{Puts: put("n1b", "4", "n9", "5")}))
	for key, want := range map[string]string{"n1": "n1a", "n1a": "n1a", "n1b": "n1c", "n1d": "", "n3": "", "n2": "n2a", "n9": ""} {
		s, err := b.store.Read(b.ctx, one, []ds.Lookup{{Key: []byte(key), Prefix: 2}})
		b.must(err)
		if string(s.Records[0].Key) != want {
			b.Errorf("lookup of %q gives %q, want %q", key, s.Records[0].Key, want)
		}
	}
}

func testRace(b *bench) {
	for base := range uint64(20) {
		var wg sync.WaitGroup
		won := make([]bool, 8)
		for i := range won {
			wg.Go(func() {
				err := b.store.Commit(b.ctx, one, &ds.Batch{Base: base, Puts: put("winner", fmt.Sprint(i))})
				if err != nil && !errors.Is(err, ds.ErrConflict) {
					b.Error(err)
				}
				won[i] = err == nil
			})
		}
		wg.Wait()
		winners, winner := 0, ""
		for i, w := range won {
			if w {
				winners, winner = winners+1, fmt.Sprint(i)
			}
		}
		if winners != 1 {
			b.Fatalf("%d batches of version %d were taken", winners, base)
		}
		b.wantRecords(one, base+1, 0, "winner", winner)
	}
}

func testOutbox(b *bench) {
	b.wantFirst(one, 1, 0, "")
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Messages: []ds.Message{message(1, "m1", " and more"), message(2, "other")}}))
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: 1, Puts: put("a", "no message")}))
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: 2, Messages: []ds.Message{message(1, "m2")}}))
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: 3, Messages: []ds.Message{message(1, "m3")}}))
	b.wantRecords(one, 4, 3)
	b.wantFirst(one, 1, 1, "m1 and more")
	b.wantFirst(one, 1, 1, "m1 and more")
	b.wantFirst(one, 2, 1, "other")
	for range 2 {
		b.done(one, 1, 1, 2)
		b.wantFirst(one, 1, 2, "m2")
		b.wantMessage(one, 1, 1, "")
		b.wantMessage(one, 1, 3, "m3")
		b.wantFirst(one, 2, 1, "other")
	}
	b.done(one, 1, 3, 0)
	b.wantFirst(one, 1, 0, "")
	b.wantRecords(one, 4, 3)
}

func testWaiting(b *bench) {
	for g := byte(1); g <= 3; g++ {
		b.must(b.store.Commit(b.ctx, wire.GroupID{g}, &ds.Batch{Messages: []ds.Message{message(1, "x", "y"), message(2, "z")}}))
	}
	b.done(two, 1, 1, 0)
	var got []ds.Ref
	for after := (ds.Ref{}); ; after = got[len(got)-1] {
		refs, err := b.store.Waiting(b.ctx, after, 2)
		b.must(err)
		if got = append(got, refs...); len(refs) < 2 {
			break
		}
	}
	want := []ds.Ref{{Group: one, Lane: ds.Lane{1}}, {Group: one, Lane: ds.Lane{2}}, {Group: two, Lane: ds.Lane{2}},
		{Group: wire.GroupID{3}, Lane: ds.Lane{1}}, {Group: wire.GroupID{3}, Lane: ds.Lane{2}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.Fatalf("got %v", got)
	}
}

func testPartitions(b *bench) {
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Puts: put("a", "1"), Messages: []ds.Message{message(1, "one")}}))
	b.must(b.store.Commit(b.ctx, two, &ds.Batch{Puts: put("a", "2"), Messages: []ds.Message{message(1, "two")}}))
	b.must(b.store.Commit(b.ctx, two, &ds.Batch{Base: 1, Deletes: [][]byte{[]byte("a")}}))
	b.done(two, 1, 1, 0)
	b.wantRecords(one, 1, 1, "a", "1")
	b.wantRecords(two, 2, 1, "a", "")
	b.wantFirst(one, 1, 1, "one")
	b.wantFirst(two, 1, 0, "")
}

func testCrash(b *bench) {
	for n := range uint64(5) {
		b.must(b.store.Commit(b.ctx, one, &ds.Batch{Base: n, Puts: put("a", fmt.Sprint(n)), Messages: []ds.Message{message(1, fmt.Sprint(n))}}))
		b.crash()
		b.wantRecords(one, n+1, n+1, "a", fmt.Sprint(n))
		b.wantFirst(one, 1, 1, "0")
	}
	b.done(one, 1, 4, 5)
	b.crash()
	b.wantFirst(one, 1, 5, "4")
}

func testConsistentReads(b *bench) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range uint64(50) {
			v := fmt.Sprint(n)
			if err := b.store.Commit(b.ctx, one, &ds.Batch{Base: n, Puts: put("a", v, "b", v)}); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	for {
		s, err := b.store.Read(b.ctx, one, []ds.Lookup{{Key: []byte("a")}, {Key: []byte("b")}})
		b.must(err)
		if want := fmt.Sprint(s.Version - 1); s.Version > 0 && (string(s.Records[0].Value) != want || string(s.Records[1].Value) != want) {
			b.Fatalf("version %d shows %q and %q", s.Version, s.Records[0].Value, s.Records[1].Value)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func testConflictChangesNothing(b *bench) {
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Puts: put("a", "1")}))
	for _, base := range []uint64{0, 2, 1 << 40} {
		err := b.store.Commit(b.ctx, one, &ds.Batch{Base: base, Puts: put("a", "2", "b", "3"), Messages: []ds.Message{message(1, "x")}})
		if !errors.Is(err, ds.ErrConflict) {
			b.Fatalf("base %d: %v", base, err)
		}
	}
	b.wantRecords(one, 1, 0, "a", "1", "b", "")
	b.wantFirst(one, 1, 0, "")
}

// testFault: a batch that failed is there as a whole, with its message, or not
// at all.
func testFault(b *bench, step int) {
	b.must(b.store.Commit(b.ctx, one, &ds.Batch{Puts: put("a", "1", "b", "1"), Messages: []ds.Message{message(1, "first")}}))
	b.site.Fail(step)
	failed := b.store.Commit(b.ctx, one, &ds.Batch{Base: 1, Puts: put("a", "2"), Deletes: [][]byte{[]byte("b")}, Messages: []ds.Message{message(1, "second")}})
	b.crash()
	s, err := b.store.Read(b.ctx, one, nil)
	b.must(err)
	switch {
	case s.Version == 2:
		b.wantRecords(one, 2, 2, "a", "2", "b", "")
	case failed == nil:
		b.Fatal("an acknowledged batch is gone")
	default:
		b.wantRecords(one, 1, 1, "a", "1", "b", "1")
	}
	b.wantFirst(one, 1, 1, "first")
	b.site.Fail(step)
	_, failed = b.store.Done(b.ctx, one, ds.Lane{1}, 1)
	b.crash()
	if first, err := b.store.First(b.ctx, one, ds.Lane{1}); err != nil || failed == nil && first == 1 {
		b.Fatalf("after an acknowledged removal: %d, %v", first, err)
	}
	if s.Version == 2 {
		b.done(one, 1, 1, 2)
		b.wantFirst(one, 1, 2, "second")
	} else {
		b.done(one, 1, 1, 0)
		b.wantFirst(one, 1, 0, "")
	}
}
