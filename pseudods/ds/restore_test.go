package ds_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
)

// TestINV06RestoredStoreIsHeard: queue services that saw more than the copy of a
// store knows of do not take what the restored service sends for repetitions.
func TestINV06RestoredStoreIsHeard(t *testing.T) {
	cfg := badger.Config{Dir: filepath.Join(t.TempDir(), "db"), Fence: filepath.Join(t.TempDir(), "fence"),
		Format: groups.Format, OnRollback: groups.OnRollback, MinFree: 1}
	db := must(badger.Open(cfg))
	r := newRig(t, func(c *ds.Config) { c.Store = groups.New(db) })
	all := r.founded(2)
	r.ok(all[0].send("one"))
	r.settle(all[0], all...)
	var copied bytes.Buffer
	must(db.Backup(t.Context(), &copied, nil))
	for _, text := range []string{"two", "three"} {
		r.ok(all[0].send(text))
	}
	r.settle(all[0], all...)
	r.ok(db.Close())

	cfg.Dir = filepath.Join(t.TempDir(), "restored")
	must(badger.Restore(t.Context(), badger.RestoreConfig{Dir: cfg.Dir, Format: cfg.Format}, &copied))
	db = must(badger.Open(cfg))
	defer db.Close()
	if db.Restores() != 1 {
		t.Fatalf("%d restores", db.Restores())
	}
	r.cfg.Store, r.cfg.Restored = groups.New(db), uint16(db.Restores())
	r.restart()
	r.ok(all[0].send("four"))
	all[0].misses, all[1].misses = true, true
	r.settle(all[0], all...)
	if want := []string{"one", "two", "three", "four"}; !slices.Equal(all[1].seen, want) {
		t.Fatalf("saw %q, want %q", all[1].seen, want)
	}
	if summary, err := groups.Check(t.Context(), db, func(f badger.Finding) { t.Errorf("found %+v", f) }); err != nil {
		t.Fatal(summary, err)
	}
}
