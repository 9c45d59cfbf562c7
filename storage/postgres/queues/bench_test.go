package queues_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

type free struct{}

func (free) Pay(context.Context, wire.Operation, [][]byte, [32]byte) error { return nil }

// BenchmarkDeliver delivers payloads of 1 KB to groups of 100 whose members have
// queues of their own, from 16 senders, durably. The sender's sealing is not part of
// it.
func BenchmarkDeliver(b *testing.B) { deliverAll(b, pgtest.New(b, queues.Schema)) }

// BenchmarkDeliverSharded does it through a router, to two shards on the same server.
func BenchmarkDeliverSharded(b *testing.B) { deliverAll(b, pgtest.NewSharded(b, 2, queues.Schema)) }

func deliverAll(b *testing.B, d *pgtest.Database) {
	const size, groups, members, senders = 1 << 10, 64, 100, 16
	db, err := postgres.Open(b.Context(), postgres.Config{URL: d.URL(), MaxConns: senders}, queues.Schema)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	store, err := queues.New(db, wakeKey)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := addresskeys.Open(addresskeys.Config{Dir: filepath.Join(b.TempDir(), "keys")}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	service, err := qs.New(qs.Config{Domain: "qs.example", Store: store, Keys: keys, Payments: free{}, MaxEntries: 1 << 30, MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	owner, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, seal.PaddedSize(size)+16)
	deliveries := make([]wire.Delivery, groups)
	var wg sync.WaitGroup
	for g := range deliveries {
		wg.Go(func() {
			deliveries[g].Payload = payload
			for m := range members {
				c := &wire.CreateQueue{SegmentKey: *owner.Public()}
				binary.BigEndian.PutUint64(c.OwnerKey[:], uint64(g*members+m))
				info, err := service.Create(b.Context(), c)
				if err != nil {
					b.Error(err)
					return
				}
				use := seal.Use{Domain: "ds.example", Binding: seal.Binding([]byte{byte(g)}, [16]byte{byte(m)})}
				a, err := seal.SealAddress(&keys.Published()[0].Key, wire.AddressBound, info.Queue, wire.AddressID{byte(g), byte(m)}, use)
				if err != nil {
					b.Error(err)
					return
				}
				deliveries[g].Recipients = append(deliveries[g].Recipients, wire.Recipient{Address: *a, Binding: use.Binding})
			}
		})
	}
	wg.Wait()
	var sequence [groups]atomic.Uint64
	deliver := func(group int) error {
		m := wire.Delivery{Payload: payload, Recipients: append([]wire.Recipient(nil), deliveries[group].Recipients...)}
		number := sequence[group].Add(1)
		for i := range m.Recipients {
			m.Recipients[i].Number = number
		}
		report, err := service.Deliver(context.Background(), "ds.example", &m)
		for _, o := range report {
			if o != wire.Delivered {
				return fmt.Errorf("outcome %d", o)
			}
		}
		return err
	}
	for g := range groups { // open addresses and begin segments
		if err := deliver(g); err != nil {
			b.Fatal(err)
		}
	}
	b.SetParallelism((senders + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := deliver(int(next.Add(1)) % groups); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*members)/b.Elapsed().Seconds(), "deliveries/s")
}
