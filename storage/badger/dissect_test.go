package badger_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// sightings copies the files of a database in use and dissects the copy.
func sightings(t *testing.T, dir string) (out []string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copied")
	if err := storagetest.CopyLive(dir, copied); err != nil {
		t.Fatal(err)
	}
	err := badger.Dissect(t.Context(), copied, secret.Bytes{}, func(s badger.Sighting) error {
		if s.Key[0] != 0 {
			out = append(out, fmt.Sprintf("%s=%s %d %d", s.Key, s.Value, s.Batch, s.Version))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDissect: what is in the journal comes with its batch, what is in the tables
// with its version, and both are seen in the files of a database in use.
func TestDissect(t *testing.T) {
	cfg := badger.Config{Dir: t.TempDir()}
	db := open(t, cfg)
	mustPut(t, db, "a", "first")
	mustPut(t, db, "b", "first")
	first := sightings(t, cfg.Dir)
	want := []string{"a=first 1 0", "b=first 2 0"}
	if !slices.Equal(first, want) {
		t.Errorf("in the journal: %q", first)
	}
	var live []string
	err := badger.DissectJournals(cfg.Dir, secret.Bytes{}, func(s badger.Sighting) error {
		live = append(live, fmt.Sprintf("%s=%s %d %d", s.Key, s.Value, s.Batch, s.Version))
		return nil
	})
	if err != nil || !slices.Equal(live, want) {
		t.Errorf("in the journal that is in use: %q, %v", live, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, cfg)
	mustPut(t, db, "a", "second")
	if err := db.Submit(t.Context(), func(tx *badger.Tx) error { tx.Delete([]byte("b")); return nil }); err != nil {
		t.Fatal(err)
	}
	got := sightings(t, cfg.Dir)
	if want := []string{"a=second 3 0", "b= 4 0", "a=first 0 2", "b=first 0 2"}; !slices.Equal(got, want) {
		t.Errorf("in journal and tables: %q", got)
	}
}

// TestBatchesKeepNoOrder: a batch of several requests lies in the journal in the
// order of its keys, so that it does not tell which records one request wrote.
func TestBatchesKeepNoOrder(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "first", "")
	for _, requests := range []int{3, 40} {
		together(t, db, requests, func(tx *badger.Tx, i int) {
			for part := range 2 {
				tx.Put(fmt.Appendf(nil, "%d-%08x", part, uint32(i+1)*0x9e3779b9), nil)
			}
		})
	}
	copied := filepath.Join(t.TempDir(), "copied")
	if err := storagetest.CopyLive(dir, copied); err != nil {
		t.Fatal(err)
	}
	batches := map[uint64][]string{}
	err := badger.Dissect(t.Context(), copied, secret.Bytes{}, func(s badger.Sighting) error {
		if s.Batch > 0 {
			batches[s.Batch] = append(batches[s.Batch], string(s.Key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for n, keys := range batches {
		longest = max(longest, len(keys))
		if !slices.IsSorted(keys) {
			t.Errorf("batch %d: %q", n, keys)
		}
	}
	if longest < 80 {
		t.Errorf("no batch of all requests: %d records", longest)
	}
}

// together has so many requests written in one batch.
func together(t *testing.T, db *badger.DB, requests int, write func(tx *badger.Tx, i int)) {
	t.Helper()
	hold := make(chan struct{})
	var wg sync.WaitGroup
	submit := func(f func(*badger.Tx) error) {
		wg.Go(func() {
			if err := db.Submit(context.Background(), f); err != nil {
				t.Error(err)
			}
		})
	}
	held := make(chan struct{})
	submit(func(*badger.Tx) error { close(held); <-hold; return nil })
	<-held
	for i := range requests {
		submit(func(tx *badger.Tx) error { write(tx, i); return nil })
	}
	for end := time.Now().Add(time.Minute); db.QueueLen() < requests; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the requests do not wait")
		}
	}
	close(hold)
	wg.Wait()
}
