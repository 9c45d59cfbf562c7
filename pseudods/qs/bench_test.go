package qs_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// nowhere is a store that keeps nothing, and has any queue.
type nowhere struct {
	qs.Store
	segments wire.HPKEKey
}

func (s *nowhere) Queue(context.Context, wire.QueueID) (qs.Queue, error) {
	return qs.Queue{SegmentKey: s.segments}, nil
}

func (s *nowhere) Append(_ context.Context, _ qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	return slices.Repeat([]qs.Appended{{Outcome: wire.Delivered, Fresh: true}}, len(entries)), nil
}

func (s *nowhere) PutPayload(context.Context, wire.PayloadID, []byte, int) error { return nil }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkActive is what the service does for an entry, without the store, while
// this many queues get some in turn: x-least is the ratio to the least number of
// queues.
func BenchmarkActive(b *testing.B) {
	const recipients = 100
	least := 0.0
	for _, queues := range []int{1_000, 20_000, 100_000} {
		if testing.Short() && queues > 20_000 {
			break // half a minute for their addresses
		}
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			owner, err := seal.GenerateKey(wire.X25519)
			if err != nil {
				b.Fatal(err)
			}
			r := newRig(b, func(c *qs.Config) { c.Store = &nowhere{segments: *owner.Public()} })
			deliveries := make([]*wire.Delivery, queues/recipients)
			for i := range deliveries {
				d := &wire.Delivery{Payload: random[[]byte](1 << 10), Recipients: make([]wire.Recipient, recipients)}
				for j := range d.Recipients {
					sealed, err := seal.SealAddress(&r.cfg.Keys.Published()[0].Key, wire.AddressReusable,
						wire.QueueID(random[[]byte](16)), wire.AddressID(random[[]byte](16)), seal.Use{})
					r.must(err)
					d.Recipients[j].Address = *sealed
					rand.Read(d.Recipients[j].Entry[:])
				}
				deliveries[i] = d
			}
			deliver := func(i int) {
				if _, err := r.service.Deliver(r.ctx, dsDomain, deliveries[i%len(deliveries)]); err != nil {
					b.Fatal(err)
				}
			}
			before := heap()
			for i := range deliveries { // opens the addresses and begins the segments
				deliver(i)
			}
			kept := float64(heap()-before) / float64(queues)
			i := 0
			b.ResetTimer()
			for b.Loop() {
				deliver(i)
				i++
			}
			each := float64(b.Elapsed()) / float64(b.N) / recipients / float64(time.Microsecond)
			if least == 0 {
				least = each
			}
			b.ReportMetric(kept, "B/queue")
			b.ReportMetric(each, "µs/entry")
			b.ReportMetric(each/least, "x-least")
		})
	}
}
