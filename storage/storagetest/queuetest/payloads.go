package queuetest

import (
	"bytes"
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
