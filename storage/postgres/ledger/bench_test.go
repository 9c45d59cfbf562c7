package ledger_test

import (
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// BenchmarkSpend spends new tokens in many goroutines, as the embedded driver's
// does.
func BenchmarkSpend(b *testing.B) { spendAll(b, pgtest.New(b, postgres.FenceSchema, ledger.Schema)) }

// BenchmarkSpendSharded does it through a router, to two shards on the same server.
func BenchmarkSpendSharded(b *testing.B) {
	spendAll(b, pgtest.NewSharded(b, 2, postgres.FenceSchema, ledger.Schema))
}

func spendAll(b *testing.B, d *pgtest.Database) {
	db := d.Open(b)
	l, err := ledger.Open(b.Context(), ledger.Config{DB: db, Fence: filepath.Join(b.TempDir(), "fence"), Key: testKey(b, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	m := storagetest.NewMint("e")
	if err := l.OpenEpoch(b.Context(), m.Epoch(1<<40)); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Spend(b.Context(), m.Token(), storagetest.Digest("a")); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
