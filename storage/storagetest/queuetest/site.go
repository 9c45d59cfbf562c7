package queuetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// Store is a store under test. Close ends it cleanly.
type Store interface {
	qs.Store
	io.Closer
}

// Site is where one store keeps its data.
type Site = faults.Site[Store]

// bench is one site in use by one test.
type bench struct {
	*testing.T
	ctx   context.Context
	site  Site
	store Store
}

const today qs.Day = 20_000

func newBench(t *testing.T, newSite func(*testing.T) Site) *bench {
	b := &bench{T: t, ctx: context.Background(), site: newSite(t)}
	b.open()
	t.Cleanup(func() {
		if b.store != nil {
			b.store.Close()
		}
	})
	return b
}

func (b *bench) open() {
	b.Helper()
	store, err := b.site.Open()
	if err != nil {
		b.Fatal(err)
	}
	b.store = store
}

// crash crashes and opens again.
func (b *bench) crash() {
	b.Helper()
	if err := b.site.Crash(); err != nil {
		b.Fatal(err)
	}
	b.store = nil
	b.open()
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) want(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("got error %v, want %v", err, want)
	}
}

func settings() wire.QueueSettings {
	return wire.QueueSettings{Version: 1, MaxEntries: 1000, MaxBytes: 1 << 20, TTLDays: 30}
}

// queue creates a queue with changed settings.
func (b *bench) queue(name byte, change func(*wire.QueueSettings)) wire.QueueID {
	b.Helper()
	s := settings()
	if change != nil {
		change(&s)
	}
	id := wire.QueueID{name, 15: name}
	_, err := b.store.CreateQueue(b.ctx, id, today, newQueue(name, s))
	b.must(err)
	return id
}

func newQueue(name byte, s wire.QueueSettings) qs.Queue {
	return qs.Queue{OwnerKey: [32]byte{name}, SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: bytes.Repeat([]byte{name}, 32)}, Settings: s}
}

// content of the n-th entry by a mark.
func content(m qs.Mark, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte("entry"), m[:]...), n)
}

func entryOf(queue wire.QueueID, m qs.Mark, n uint64) qs.Append {
	segment := wire.SegmentID{byte(n / 10), 7}
	return qs.Append{Queue: queue, Mark: m, Number: n, Segment: segment, KEMOutput: append([]byte("kem"), segment[:]...),
		Counter: uint32(n), Ciphertext: content(m, n)}
}

// append appends one entry on a day.
func (b *bench) append(day qs.Day, a qs.Append) qs.Appended {
	b.Helper()
	out, err := b.store.Append(b.ctx, day, []qs.Append{a})
	b.must(err)
	if len(out) != 1 {
		b.Fatalf("%d results of one append", len(out))
	}
	return out[0]
}

// outcome appends and checks what comes of it.
func (b *bench) outcome(a qs.Append, want wire.Outcome, fresh bool) {
	b.Helper()
	if got := b.append(today, a); got.Outcome != want || got.Fresh != fresh {
		b.Fatalf("got outcome %d fresh %t, want %d %t", got.Outcome, got.Fresh, want, fresh)
	}
}

// read reads all entries after a number, in pages, and checks order and
// segments. It returns their contents and the last number.
func (b *bench) read(queue wire.QueueID, day qs.Day, after uint64) (contents []string, last uint64) {
	b.Helper()
	for last = after; ; {
		page, err := b.store.ReadQueue(b.ctx, queue, day, last, 7)
		b.must(err)
		if len(page.Entries) > 7 || len(page.Entries) == 0 && !page.Empty {
			b.Fatalf("page of %d entries, empty %t", len(page.Entries), page.Empty)
		}
		segments := map[uint64]wire.Segment{}
		for _, s := range page.Segments {
			segments[s.Start] = s
		}
		for _, e := range page.Entries {
			if e.Seq <= last {
				b.Fatalf("entry %d after %d", e.Seq, last)
			}
			s, ok := segments[e.Segment]
			if !ok || s.Start > e.Seq || string(s.KEMOutput) != "kem"+string(s.ID[:]) || s.ID[0] != byte(e.Counter/10) {
				b.Fatalf("entry %d has segment %+v, %t", e.Seq, s, ok)
			}
			contents, last = append(contents, string(e.Ciphertext)), e.Seq
		}
		if page.Empty {
			return contents, last
		}
	}
}

// wantEntries checks that a queue holds these entries by one mark.
func (b *bench) wantEntries(queue wire.QueueID, day qs.Day, m qs.Mark, numbers ...uint64) (last uint64) {
	b.Helper()
	got, last := b.read(queue, day, 0)
	var want []string
	for _, n := range numbers {
		want = append(want, string(content(m, n)))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		b.Fatalf("the queue holds %q, want %q", got, want)
	}
	return last
}

func upTo(first, last uint64) (out []uint64) {
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}
