package postgres_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// operation is made of a database: each call of what it returns does it once.
type operation func(b *testing.B, d *pgtest.Database) func(client int) error

// BenchmarkRouter does the same on a database, through a router to one shard, and
// through one to two, all on one server and in turns, so that what else the machine
// does befalls each. Of a client alone and of 16 at once it gives the median time of an
// operation without a router, in µs, and how many times that the others take.
func BenchmarkRouter(b *testing.B) {
	for _, o := range []struct {
		name    string
		make    operation
		schemas []postgres.Schema
	}{
		{"append-1", appends(1), []postgres.Schema{queues.Schema}},
		{"append-100", appends(100), []postgres.Schema{queues.Schema}},
		{"read", reads, []postgres.Schema{queues.Schema}},
		{"commit", commits, []postgres.Schema{groups.Schema}},
		{"nullifier", spends, []postgres.Schema{postgres.FenceSchema, ledger.Schema}},
	} {
		b.Run(o.name, func(b *testing.B) {
			var does [3]func(int) error
			for i, d := range []*pgtest.Database{pgtest.New(b, o.schemas...), pgtest.NewSharded(b, 1, o.schemas...), pgtest.NewSharded(b, 2, o.schemas...)} {
				does[i] = o.make(b, d)
			}
			for _, clients := range []int{1, 16} {
				b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) { inTurns(b, clients, does[:]) })
			}
		})
	}
}

// inTurns has each do rounds of some operations, b.N times.
func inTurns(b *testing.B, clients int, does []func(int) error) {
	const each = 20
	took := make([][]time.Duration, len(does))
	round := func(do func(int) error) time.Duration {
		var all sync.WaitGroup
		began := time.Now()
		for client := range clients {
			all.Go(func() {
				for range each {
					if err := do(client); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(began) / time.Duration(each*clients)
	}
	for _, do := range does {
		round(do) // plans, and what is made once
	}
	b.ResetTimer()
	for range b.N {
		for i, do := range does {
			took[i] = append(took[i], round(do))
		}
	}
	var median [3]float64
	for i, all := range took {
		slices.Sort(all)
		median[i] = float64(all[len(all)/2].Nanoseconds()) / 1e3
	}
	b.ReportMetric(0, "ns/op") // would be that of all their rounds together
	b.ReportMetric(median[0], "µs")
	b.ReportMetric(median[1]/median[0], "x-one-shard")
	b.ReportMetric(median[2]/median[0], "x-two-shards")
}

func open(b *testing.B, d *pgtest.Database, schemas ...postgres.Schema) *postgres.DB {
	b.Helper()
	db, err := postgres.Open(b.Context(), postgres.Config{URL: d.URL(), MaxConns: 16, Timeout: time.Minute}, schemas...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func openQueues(b *testing.B, d *pgtest.Database, clients, each int) (*queues.Store, [][]wire.QueueID) {
	b.Helper()
	s, err := queues.New(open(b, d, queues.Schema), secret.Bytes{})
	if err != nil {
		b.Fatal(err)
	}
	all := make([][]wire.QueueID, clients)
	q := qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}, Settings: wire.QueueSettings{Version: 1, MaxEntries: 1 << 20, MaxBytes: 1 << 30, TTLDays: 9}}
	var made sync.WaitGroup
	for client := range all {
		made.Go(func() {
			for n := range each {
				id := wire.QueueID{byte(n), 1, byte(client)}
				if _, err := s.CreateQueue(b.Context(), id, 1, q); err != nil {
					b.Error(err)
					return
				}
				all[client] = append(all[client], id)
			}
		})
	}
	made.Wait()
	return s, all
}

// appends adds an entry to so many queues in one call.
func appends(recipients int) operation {
	return func(b *testing.B, d *pgtest.Database) func(int) error {
		s, all := openQueues(b, d, 16, recipients)
		numbers := make([]uint64, len(all))
		return func(client int) error {
			numbers[client]++
			batch := make([]qs.Append, recipients)
			for i, id := range all[client] {
				batch[i] = qs.Append{Queue: id, Mark: qs.Mark{1}, Number: numbers[client], Ciphertext: make([]byte, 160)}
			}
			_, err := s.Append(context.Background(), 1, batch)
			return err
		}
	}
}

// reads asks for what is in a queue: ten entries.
func reads(b *testing.B, d *pgtest.Database) func(int) error {
	s, all := openQueues(b, d, 16, 1)
	for _, ids := range all {
		for n := range uint64(10) {
			if _, err := s.Append(b.Context(), 1, []qs.Append{{Queue: ids[0], Mark: qs.Mark{1}, Number: n + 1, Ciphertext: make([]byte, 160)}}); err != nil {
				b.Fatal(err)
			}
		}
	}
	return func(client int) error {
		_, err := s.ReadQueue(context.Background(), all[client][0], 1, 0, 10)
		return err
	}
}

// commits commits a header, 12 records of 320 octets and a message of 16 KiB.
func commits(b *testing.B, d *pgtest.Database) func(int) error {
	s := groups.New(open(b, d, groups.Schema))
	batches := make([]*ds.Batch, 16)
	for i := range batches {
		batches[i] = &ds.Batch{Puts: []ds.Record{{Key: []byte("h"), Value: make([]byte, 200)}}, Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{make([]byte, 16<<10)}}}}
		for n := range byte(12) {
			batches[i].Puts = append(batches[i].Puts, ds.Record{Key: []byte{'r', n}, Value: make([]byte, 320)})
		}
	}
	return func(client int) error {
		err := s.Commit(context.Background(), wire.GroupID{byte(client), 1}, batches[client])
		batches[client].Base++
		return err
	}
}

// spends spends a token, of one key for all clients, as most are.
func spends(b *testing.B, d *pgtest.Database) func(int) error {
	bytes := make([]byte, tokens.NullifierKeySize)
	binary.BigEndian.PutUint64(bytes, 1)
	key, err := tokens.NewNullifierKey(secret.New(bytes))
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Config{DB: open(b, d, postgres.FenceSchema, ledger.Schema), Fence: filepath.Join(b.TempDir(), "fence"), Key: key})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	m := storagetest.NewMint("e")
	if err := l.OpenEpoch(b.Context(), m.Epoch(1<<40)); err != nil {
		b.Fatal(err)
	}
	var next atomic.Uint64
	return func(int) error {
		_, err := l.Spend(context.Background(), m.Nth(next.Add(1)), storagetest.Digest("a"))
		return err
	}
}
