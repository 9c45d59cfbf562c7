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
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/queues"
)

type free struct{}

func (free) Pay(context.Context, wire.Operation, [][]byte, [32]byte) error { return nil }

func openBench(b *testing.B) (*badger.DB, *qs.Service, *addresskeys.Ring) {
	b.Helper()
	db, err := badger.Open(badger.Config{Dir: filepath.Join(b.TempDir(), "db"), Format: queues.Format, MinFree: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	store, err := queues.New(context.Background(), db)
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
	return db, service, keys
}

func createQueues(b *testing.B, service *qs.Service, n int) []wire.QueueID {
	b.Helper()
	owner, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]wire.QueueID, n)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				c := &wire.CreateQueue{SegmentKey: *owner.Public()}
				binary.BigEndian.PutUint64(c.OwnerKey[:], uint64(i))
				info, err := service.Create(context.Background(), c)
				if err != nil {
					b.Error(err)
					return
				}
				ids[i] = info.Queue
			}
		})
	}
	wg.Wait()
	return ids
}

// BenchmarkDeliver delivers payloads of 1 KB to groups of 100 whose members have
// queues of their own, from 64 senders, durably. The sender's sealing is not part
// of it. The baseline writes what a service without shared payloads would: a
// copy of the payload in a request of its own for each recipient.
func BenchmarkDeliver(b *testing.B) {
	const size, groups, members, senders = 1 << 10, 64, 100, 64
	payload := make([]byte, seal.PaddedSize(size)+16)
	parallel := func(b *testing.B, f func(group int) error) {
		b.SetParallelism((senders + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
		b.ReportAllocs()
		b.ResetTimer()
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			group := int(next.Add(1)-1) % groups
			for pb.Next() {
				if err := f(group); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N*members)/b.Elapsed().Seconds(), "deliveries/s")
	}
	b.Run("group=100/payload=1KB", func(b *testing.B) {
		db, service, keys := openBench(b)
		ids := createQueues(b, service, groups*members)
		deliveries := make([]wire.Delivery, groups)
		var sequence [groups]atomic.Uint64
		for g := range deliveries {
			d := &deliveries[g]
			d.Payload = payload
			for m := range members {
				address := wire.AddressID{byte(g), byte(m)}
				use := seal.Use{Domain: "ds.example", Binding: seal.Binding([]byte{byte(g)}, [16]byte{byte(m)})}
				a, err := seal.SealAddress(&keys.Published()[0].Key, wire.AddressBound, ids[g*members+m], address, use)
				if err != nil {
					b.Fatal(err)
				}
				d.Recipients = append(d.Recipients, wire.Recipient{Address: *a, Binding: use.Binding})
			}
		}
		deliver := func(group int) error {
			d := wire.Delivery{Payload: payload, Recipients: append([]wire.Recipient(nil), deliveries[group].Recipients...)}
			number := sequence[group].Add(1)
			for i := range d.Recipients {
				d.Recipients[i].Number = number
			}
			report, err := service.Deliver(context.Background(), "ds.example", &d)
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
		before := db.Stats()
		parallel(b, deliver)
		b.ReportMetric(float64(b.N)/float64(db.Stats().Batches-before.Batches), "deliveries/sync")
	})
	b.Run("baseline", func(b *testing.B) {
		db, _, _ := openBench(b)
		var sequence atomic.Uint64
		parallel(b, func(group int) error {
			n := sequence.Add(1)
			for m := range members {
				key := binary.BigEndian.AppendUint64([]byte{'e', byte(group), byte(m)}, n)
				err := db.Submit(context.Background(), func(tx *badger.Tx) error {
					tx.Put(key, append([]byte(nil), payload...))
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// BenchmarkIdleQueue tells what a queue that nobody uses costs in heap: what the
// driver remembers of it, as long as it is among the last it wrote, and what the
// engine keeps of its last writes is all there is.
func BenchmarkIdleQueue(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		b.StopTimer()
		_, service, _ := openBench(b)
		before := heap()
		b.StartTimer()
		createQueues(b, service, n)
		b.StopTimer()
		b.ReportMetric(float64(int64(heap())-int64(before))/n, "B/queue")
		runtime.KeepAlive(service)
		b.StartTimer()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
