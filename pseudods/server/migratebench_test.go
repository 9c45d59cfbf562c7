package server

import (
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	embeddedledger "github.com/pseudods/pseudods/storage/badger/ledger"
	embeddedqueues "github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// BenchmarkMigrate moves the stores of a queue service: "spent" with so many spent
// tokens, "queues" with so many queues, each with an entry. The time is that of the
// whole, with the check before and the comparison after.
func BenchmarkMigrate(b *testing.B) {
	for name, fill := range map[string]func(*testing.B, Config){"spent": fillSpent, "queues": fillQueues} {
		b.Run(name, func(b *testing.B) {
			pgtest.Bin(b)
			c := config(b)
			if err := c.complete(); err != nil {
				b.Fatal(err)
			}
			for _, s := range c.embedded(QS) {
				mkdir(b, filepath.Dir(s.Dir))
				mkdir(b, filepath.Dir(s.Fence))
			}
			fill(b, c)
			d := pgtest.New(b, Schemas(QS)...)
			c.QS.Database = postgres.Settings{URL: d.URL()}
			loaded, progress := 0.0, map[string]uint64{}
			m := Migration{Owners: map[Role]postgres.Settings{QS: {URL: d.OwnerURL()}}, Progress: func(s *Store, p move.Progress) {
				if p.Table == "" {
					progress[s.Name] = p.Octets
				}
			}}
			b.ResetTimer()
			began := time.Now()
			all, err := c.Migrate(b.Context(), m)
			if err != nil {
				b.Fatal(err)
			}
			var records uint64
			for _, m := range all {
				records += m.State.Records
				loaded += float64(progress[m.Store])
			}
			elapsed := time.Since(began).Seconds()
			b.ReportMetric(float64(records)/elapsed, "records/s")
			b.ReportMetric(loaded/elapsed/1e6, "MB/s")
		})
	}
}

// fillStores opens the stores of a queue service, so that both are there.
func fillStores(b *testing.B, c Config, f func(*embeddedqueues.Store, *embeddedledger.Ledger)) {
	stores := c.embedded(QS)
	db := must(badger.Open(badger.Config{Dir: stores[0].Dir, Format: stores[0].Format, Fence: stores[0].Fence, OnRollback: stores[0].rollback, MinFree: 1}))
	l := must(embeddedledger.Open(embeddedledger.Config{Dir: stores[1].Dir, Fence: stores[1].Fence, Key: nullifierKey(), MinFree: 1}))
	f(must(embeddedqueues.New(b.Context(), db)), l)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// inParallel calls f with each number below n, from many goroutines.
func inParallel(n int, f func(int)) {
	var all sync.WaitGroup
	for w := range 512 {
		all.Go(func() {
			for i := w; i < n; i += 512 {
				f(i)
			}
		})
	}
	all.Wait()
}

func fillSpent(b *testing.B, c Config) {
	fillStores(b, c, func(_ *embeddedqueues.Store, l *embeddedledger.Ledger) {
		m := storagetest.NewMint("key")
		must(0, l.OpenEpoch(b.Context(), m.Epoch(1<<40)))
		inParallel(b.N, func(i int) { must(l.Spend(b.Context(), m.Nth(uint64(i)), storagetest.Digest(i))) })
	})
}

func fillQueues(b *testing.B, c Config) {
	fillStores(b, c, func(s *embeddedqueues.Store, _ *embeddedledger.Ledger) {
		name := func(i int) (id wire.QueueID) {
			binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
			return id
		}
		inParallel(b.N, func(i int) { must(s.CreateQueue(b.Context(), name(i), today, queueOf(1, wire.OverflowRefuse))) })
		for from := 0; from < b.N; from += 4096 {
			var batch []qs.Append
			for i := from; i < min(from+4096, b.N); i++ {
				batch = append(batch, qs.Append{Queue: name(i), Mark: qs.Mark{1}, Number: 1, KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 160)})
			}
			must(s.Append(b.Context(), today, batch))
		}
	})
}
