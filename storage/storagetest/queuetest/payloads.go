package queuetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func payloadID(day qs.Day, n byte) (id wire.PayloadID) {
	binary.BigEndian.PutUint32(id[:], uint32(day))
	id[15] = n
	return id
}

func (b *bench) wantPayload(id wire.PayloadID, want []byte) {
	b.Helper()
	got, err := b.store.Payload(b.ctx, id)
	if want == nil {
		b.want(err, qs.ErrNotFound)
		return
	}
	b.must(err)
	if !bytes.Equal(got, want) {
		b.Fatalf("payload of %d octets, want %d", len(got), len(want))
	}
}

func testPayloads(b *bench) {
	for n, size := range []int{1, 1000, 256 << 10, 256<<10 + 1, qs.MaxPayload} {
		id, octets := payloadID(today, byte(n)), bytes.Repeat([]byte{byte(n), 1, 2}, size)[:size]
		b.must(b.store.PutPayload(b.ctx, id, octets, 10))
		b.wantPayload(id, octets)
		b.must(b.store.Release(b.ctx, id, []uint16{0, 1, 2, 9}))
		for range 9 { // one recipient counts once
			b.must(b.store.Release(b.ctx, id, []uint16{9, 11, 4000}))
		}
		b.wantPayload(id, octets)
		b.must(b.store.Release(b.ctx, id, []uint16{3, 4, 5, 6, 7}))
		b.wantPayload(id, octets)
		b.must(b.store.Release(b.ctx, id, []uint16{8}))
		b.wantPayload(id, nil)
		b.must(b.store.Release(b.ctx, id, []uint16{8}))
	}
	all := payloadID(today, 99)
	b.must(b.store.PutPayload(b.ctx, all, []byte("x"), qs.MaxRecipients))
	b.must(b.store.Release(b.ctx, all, []uint16{qs.MaxRecipients - 1}))
	b.wantPayload(all, []byte("x"))
}

// appendPayload stores a payload with entries for it, in one step if the store can.
func appendPayload(ctx context.Context, s qs.Store, id wire.PayloadID, payload []byte, n int, entries []qs.Append) ([]qs.Appended, error) {
	if t, ok := s.(qs.Together); ok {
		return t.AppendPayload(ctx, today, id, payload, n, entries)
	}
	if err := s.PutPayload(ctx, id, payload, n); err != nil {
		return nil, err
	}
	return s.Append(ctx, today, entries)
}

// testAppendPayload: payloads of all sizes come with entries of as many requests as it
// takes. An entry that is there already does not keep out the payload.
func testAppendPayload(b *bench) {
	one, two := b.queue(1, nil), b.queue(2, nil)
	for n, size := range []int{1, 1000, 256 << 10, 256<<10 + 1, qs.MaxPayload} {
		for again := range 2 {
			id, octets := payloadID(today, byte(2*n+again)), bytes.Repeat([]byte{byte(n), 1, 2}, size)[:size]
			entries := []qs.Append{entryOf(one, qs.Mark{1}, uint64(n+1)), entryOf(wire.QueueID{3}, qs.Mark{1}, 1), entryOf(two, qs.Mark{1}, uint64(n+1))}
			for m := range 400 {
				entries = append(entries, entryOf(two, qs.Mark{2, byte(m), byte(m >> 8)}, uint64(n+1)))
			}
			out, err := appendPayload(b.ctx, b.store, id, octets, len(entries), entries)
			b.must(err)
			for i, o := range out {
				want := qs.Appended{Outcome: wire.Delivered, Fresh: again == 0}
				if i == 1 {
					want = qs.Appended{Outcome: wire.UnknownAddress}
				}
				if i < 2 && o != want || o.Outcome == wire.UnknownAddress && i != 1 {
					b.Fatalf("%d octets, entry %d: %+v", size, i, o)
				}
			}
			b.crash()
			b.wantPayload(id, octets)
			page, err := b.store.ReadQueue(b.ctx, one, today, 0, qs.MaxPage)
			b.must(err)
			if len(page.Entries) != n+1 {
				b.Fatalf("%d entries after %d messages", len(page.Entries), n+1)
			}
			b.must(b.store.Release(b.ctx, id, []uint16{0, uint16(len(entries) - 1)}))
			b.wantPayload(id, octets)
		}
	}
	none := payloadID(today, 99)
	out, err := appendPayload(b.ctx, b.store, none, []byte("x"), 3, nil)
	b.must(err)
	if len(out) != 0 {
		b.Fatalf("%d results of no entry", len(out))
	}
	b.wantPayload(none, []byte("x"))
}

func testPayloadsExpire(b *bench) {
	for d := range qs.Day(4) {
		b.must(b.store.PutPayload(b.ctx, payloadID(today+d, 1), []byte("payload"), 1))
	}
	b.must(b.store.Expire(b.ctx, qs.Expiry{Payloads: today + 2}))
	for d := range qs.Day(4) {
		want := []byte("payload")
		if d < 2 {
			want = nil
		}
		b.wantPayload(payloadID(today+d, 1), want)
	}
	b.must(b.store.Release(b.ctx, payloadID(today+2, 1), []uint16{0}))
	b.must(b.store.Release(b.ctx, payloadID(today+3, 1), []uint16{0}))
	b.must(b.store.Expire(b.ctx, qs.Expiry{Payloads: today + 99}))
}

func testReleaseRace(b *bench) {
	const n = 64
	id := payloadID(today, 1)
	b.must(b.store.PutPayload(b.ctx, id, []byte("payload"), n+1))
	var wg sync.WaitGroup
	for i := range uint16(n) {
		wg.Go(func() {
			if err := b.store.Release(b.ctx, id, []uint16{i}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.wantPayload(id, []byte("payload"))
	b.must(b.store.Release(b.ctx, id, []uint16{n}))
	b.wantPayload(id, nil)
}
