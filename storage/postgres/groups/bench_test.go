package groups_test

import (
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// BenchmarkCommit commits to many groups at once: a header and 12 records of 320
// octets, and one message of 16 KiB.
func BenchmarkCommit(b *testing.B) {
	s := groups.New(pgtest.New(b, groups.Schema).Open(b))
	var next atomic.Uint32
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		n := next.Add(1)
		group := wire.GroupID{byte(n >> 8), byte(n)}
		batch := &ds.Batch{Puts: []ds.Record{{Key: []byte("h"), Value: make([]byte, 200)}},
			Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{make([]byte, 16<<10)}}}}
		for i := range byte(12) {
			batch.Puts = append(batch.Puts, ds.Record{Key: []byte{'r', i}, Value: make([]byte, 320)})
		}
		for pb.Next() {
			if err := s.Commit(b.Context(), group, batch); err != nil {
				b.Error(err)
				return
			}
			batch.Base++
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
