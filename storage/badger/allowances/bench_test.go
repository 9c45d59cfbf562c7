//go:build unix

package allowances_test

import (
	"context"
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// BenchmarkCharge measures durable charges with 256 in flight, each of another
// account and with the reply to a request for 32 tokens of type 0x0005 (1,092
// octets). The metric disk-B/op is what the database takes on disk after Close,
// over the charges that it holds.
func BenchmarkCharge(b *testing.B) {
	s := open(b, b.TempDir(), nil)
	reply := make([]byte, 2+2+32*32+64) // status, length, elements, proof
	var n atomic.Uint64
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var account attester.Account
			binary.BigEndian.PutUint64(account[:], n.Add(1)*0x9e3779b97f4a7c15) // spread
			_, err := s.Charge(context.Background(), account, attester.Charge{
				Slot: attester.Slot{Class: "send", Epoch: 20000}, Tokens: 32, Limit: 320, Reply: reply,
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "charges/s")
	if err := s.db.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(diskUse(b, s.dir))/float64(b.N), "disk-B/op")
}

// diskUse returns the octets that a directory's files occupy.
func diskUse(b *testing.B, dir string) (sum int64) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return sum
}
