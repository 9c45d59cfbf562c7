package badger_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

func TestScanIsBoundedAndOrdered(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		for i := range 25 {
			tx.Put(fmt.Appendf(nil, "p%02d", i), []byte("v"))
		}
		tx.Put([]byte("q"), []byte("other"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var from []byte
	seen, pages := 0, 0
	for {
		entries, next, err := db.Scan([]byte("p"), from, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if string(e.Key) != fmt.Sprintf("p%02d", seen) {
				t.Fatalf("entry %d has key %q", seen, e.Key)
			}
			seen++
		}
		pages++
		if from = next; next == nil {
			break
		}
	}
	if seen != 25 || pages != 3 {
		t.Fatalf("%d records in %d pages", seen, pages)
	}
	if entries, _, err := db.Scan([]byte("p"), []byte("p24"), 0); err != nil || len(entries) != 1 {
		t.Fatalf("from the last key: %d, %v", len(entries), err)
	}
}

// TestScanBoundsOctets reads large values page by page.
func TestScanBoundsOctets(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	value := string(make([]byte, badger.MaxValue))
	for i := range 10 {
		mustPut(t, db, "p"+strconv.Itoa(i), value)
	}
	entries, next, err := db.Scan([]byte("p"), nil, 0)
	if err != nil || len(entries) > badger.MaxScanBytes/badger.MaxValue || next == nil {
		t.Fatalf("%d records, next %q, %v", len(entries), next, err)
	}
}
