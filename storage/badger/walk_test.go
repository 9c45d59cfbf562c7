package badger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = info.Size()
	}
	return out
}

// TestWalkShowsWhatTheFilesHold: also what is deleted, and the kernel's records;
// walking changes nothing.
func TestWalkShowsWhatTheFilesHold(t *testing.T) {
	root := t.TempDir()
	cfg := badger.Config{Dir: filepath.Join(root, "below", "db")}
	db := open(t, cfg)
	mustPut(t, db, "a", "first")
	mustPut(t, db, "b", "gone")
	db.Close() // else what is replaced at once never gets into the tables
	db = open(t, cfg)
	mustPut(t, db, "a", "second")
	if err := db.Submit(t.Context(), func(tx *badger.Tx) error { tx.Delete([]byte("b")); return nil }); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(root, "crashed")
	if err := storagetest.CopyLive(cfg.Dir, crashed); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	walk := func(dir string) (seen []string) {
		t.Helper()
		err := badger.Walk(t.Context(), dir, secret.Bytes{}, func(key, value []byte) error { seen = append(seen, string(key)+"="+string(value)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	before := files(t, cfg.Dir)
	seen := walk(cfg.Dir)
	for _, want := range []string{"a=second", "a=first", "b=gone", "b=", "\x00seq=\x00\x00\x00\x00\x00\x00\x00\x04"} {
		if !slices.Contains(seen, want) {
			t.Errorf("%q is not in %q", want, seen)
		}
	}
	if after := files(t, cfg.Dir); len(before) != len(after) {
		t.Errorf("files before %v, after %v", before, after)
	}
	wantErr(t, badger.Walk(t.Context(), crashed, secret.Bytes{}, nil), badger.ErrUnclean)
	open(t, badger.Config{Dir: crashed}).Close()
	if seen := walk(crashed); !slices.Contains(seen, "a=second") {
		t.Errorf("after a crash: %q", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, badger.Walk(ctx, cfg.Dir, secret.Bytes{}, nil), context.Canceled)
	failure := errors.New("failure")
	wantErr(t, badger.Walk(t.Context(), cfg.Dir, secret.Bytes{}, func(_, _ []byte) error { return failure }), failure)

	dirs, err := badger.Databases(root)
	if err != nil || !slices.Equal(dirs, []string{cfg.Dir, crashed}) {
		t.Errorf("databases %q, %v", dirs, err)
	}
}
