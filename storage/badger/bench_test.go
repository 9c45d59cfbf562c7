package badger_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

// BenchmarkBackup backs up, and restores, a hundred thousand records of 300
// octets, and an increment in which nothing has changed.
func BenchmarkBackup(b *testing.B) {
	db := open(b, badger.Config{Dir: b.TempDir()})
	const n = 100_000
	for i := range 10 {
		mustPutAll(b, db, fmt.Sprint("a", i), n/10, strings.Repeat("v", 294))
	}
	full, base := mustBackup(b, db, nil)
	increment, _ := mustBackup(b, db, base)
	report := func(b *testing.B, size int) {
		b.ReportMetric(float64(size)/n, "octets/record")
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	}
	b.Run("full", func(b *testing.B) {
		for b.Loop() {
			mustBackup(b, db, nil)
		}
		report(b, len(full))
	})
	b.Run("increment", func(b *testing.B) {
		for b.Loop() {
			mustBackup(b, db, base)
		}
		report(b, len(increment))
	})
	b.Run("restore", func(b *testing.B) {
		dirs := 0
		for b.Loop() {
			dirs++
			if _, err := restore(b, badger.RestoreConfig{Dir: filepath.Join(b.TempDir(), fmt.Sprint(dirs))}, full, increment); err != nil {
				b.Fatal(err)
			}
		}
		report(b, len(full)+len(increment))
	})
}
