package badger_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
)

// BenchmarkEncrypted writes requests of 100 records of 300 octets, and settles them,
// with encryption at rest and without.
func BenchmarkEncrypted(b *testing.B) {
	for _, run := range []struct {
		name string
		key  secret.Bytes
	}{{"clear", secret.Bytes{}}, {"encrypted", keyOf(1)}} {
		b.Run(run.name, func(b *testing.B) {
			cfg := sealedConfig(filepath.Join(b.TempDir(), "db"), run.key)
			cfg.Journal = 8 << 20
			db, err := badger.Open(cfg)
			if err != nil {
				b.Fatal(err)
			}
			n := uint64(0)
			for b.Loop() {
				err := db.Submit(context.Background(), func(tx *badger.Tx) error {
					for range 100 {
						n++
						tx.Put(binary.BigEndian.AppendUint64([]byte("k"), n*0x9e3779b97f4a7c15), make([]byte, 300))
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
