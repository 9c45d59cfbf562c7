package badger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest/powerloss"
)

// fullEnv makes the test binary a writer that fills the disk that is mounted there.
const fullEnv = "BADGER_FULL"

// fill writes what does not compress until writes are off, reads it, drops it and
// writes again. It prints how far it came.
func fill(t *testing.T, dir string) {
	db, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "db"), Format: format, MinFree: 64 << 20, Journal: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const writers = 8
	var wrote [writers]int
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			value := make([]byte, 16<<10)
			for {
				for i := range value {
					value[i] = byte(rand.Uint32())
				}
				err := db.Submit(context.Background(), func(tx *badger.Tx) error {
					tx.Put(fmt.Appendf(nil, "f%d.%08d", w, wrote[w]), value)
					return nil
				})
				if errors.Is(err, badger.ErrNoSpace) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				wrote[w]++
			}
		})
	}
	wg.Wait()
	fmt.Println("full")
	for w, n := range wrote {
		for i := range n {
			if _, err := db.Get(fmt.Appendf(nil, "f%d.%08d", w, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Println("read")
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err := db.DropPrefix(context.Background(), []byte("f")); err != nil {
			t.Fatal(err)
		}
		if err = put(db, "again", "1"); err == nil {
			break
		}
		if !errors.Is(err, badger.ErrNoSpace) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("again")
}

// TestFullDisk fills a real disk: writes are refused while there is room for the
// engine, which would die of a full disk, all that was acknowledged can be read,
// and dropping a prefix makes room.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(fullEnv); dir != "" {
		fill(t, dir)
		return
	}
	disk := powerloss.Mount(t, powerloss.Config{Size: 256 << 20})
	w := powerloss.Start(t, "TestFullDisk", fullEnv+"="+disk.Dir())
	for end := time.Now().Add(3 * time.Minute); !w.Ended(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it came as far as %q", w.Acknowledged())
		}
	}
	got := w.Acknowledged()
	for _, line := range []string{"full", "read", "again"} {
		if !slices.Contains(got, line) {
			t.Fatalf("it came as far as %q", got)
		}
	}
}
