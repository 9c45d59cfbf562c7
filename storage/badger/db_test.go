package badger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

var format = badger.Format{Name: "test", Version: 1}

func open(t testing.TB, cfg badger.Config) *badger.DB {
	t.Helper()
	if cfg.Format == (badger.Format{}) {
		cfg.Format = format
	}
	db, err := badger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func put(db *badger.DB, key, value string) error {
	return db.Submit(context.Background(), func(tx *badger.Tx) error {
		tx.Put([]byte(key), []byte(value))
		return nil
	})
}

func mustPut(t testing.TB, db *badger.DB, key, value string) {
	t.Helper()
	if err := put(db, key, value); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t testing.TB, db *badger.DB, key, want string) {
	t.Helper()
	got, err := db.Get([]byte(key))
	if want == "" {
		if !errors.Is(err, badger.ErrNotFound) {
			t.Fatalf("%q: got %q, %v; want ErrNotFound", key, got, err)
		}
		return
	}
	if err != nil || string(got) != want {
		t.Fatalf("%q: got %q, %v; want %q", key, got, err, want)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestSubmitIsSeenAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "a", "1")
	refusal := errors.New("refused")
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		tx.Put([]byte("a"), []byte("2"))
		tx.Delete([]byte("b"))
		v, err := tx.Get([]byte("a"))
		if err != nil || string(v) != "2" {
			t.Errorf("own write: got %q, %v", v, err)
		}
		if _, err := tx.Get([]byte("b")); !errors.Is(err, badger.ErrNotFound) {
			t.Errorf("own deletion: got %v", err)
		}
		return refusal
	})
	wantErr(t, err, refusal)
	wantValue(t, db, "a", "1")
	mustPut(t, db, "empty", "")
	if v, err := db.Get([]byte("empty")); err != nil || len(v) != 0 {
		t.Fatalf("empty value: %q, %v", v, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, put(db, "a", "2"), badger.ErrClosed)
	_, err = db.Get([]byte("a"))
	wantErr(t, err, badger.ErrClosed)
	db = open(t, badger.Config{Dir: dir})
	wantValue(t, db, "a", "1")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("directory: %v, %v", info.Mode(), err)
	}
}

// TestLargeRequests: a database of a format with large requests takes one that
// is as large as can be, in few and in many writes, and no larger.
func TestLargeRequests(t *testing.T) {
	large := badger.Format{Name: "large", Version: 1, Large: true}
	db := open(t, badger.Config{Dir: t.TempDir(), Format: large})
	for name, writes := range map[string]int{"few": 9, "many": badger.MaxWrites} {
		submit := func(spare int) error {
			return db.Submit(context.Background(), func(tx *badger.Tx) error {
				tx.SetNote(make([]byte, badger.MaxNote))
				for i := range writes {
					tx.Put(fmt.Appendf(nil, "%s %05d", name, i), make([]byte, badger.LargeRequest/writes-64-len(name)-6-spare))
				}
				return nil
			})
		}
		if err := submit(0); err != nil {
			t.Fatal(err)
		}
		wantErr(t, submit(-1), badger.ErrTooLarge)
	}
}

func TestLimits(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	submit := func(f func(tx *badger.Tx)) error {
		return db.Submit(context.Background(), func(tx *badger.Tx) error { f(tx); return nil })
	}
	for _, key := range []string{"", "\x00format", "!badger!x", string(make([]byte, badger.MaxKey+1))} {
		wantErr(t, put(db, key, "v"), badger.ErrKey)
		_, err := db.Get([]byte(key))
		wantErr(t, err, badger.ErrKey)
		wantErr(t, db.DropPrefix(context.Background(), []byte(key)), badger.ErrKey)
		wantErr(t, submit(func(tx *badger.Tx) { tx.Get([]byte(key)) }), badger.ErrKey)
	}
	wantErr(t, put(db, "k", string(make([]byte, badger.MaxValue+1))), badger.ErrTooLarge)
	wantErr(t, submit(func(tx *badger.Tx) { tx.SetNote(make([]byte, badger.MaxNote+1)) }), badger.ErrTooLarge)
	wantErr(t, submit(func(tx *badger.Tx) {
		for i := range badger.MaxWrites + 1 {
			tx.Put([]byte("k"+strconv.Itoa(i)), nil)
		}
	}), badger.ErrTooLarge)
	wantErr(t, submit(func(tx *badger.Tx) {
		for i := range 3 {
			tx.Put([]byte("k"+strconv.Itoa(i)), make([]byte, badger.MaxValue))
		}
	}), badger.ErrTooLarge)
	wantValue(t, db, "k0", "")
	err := submit(func(tx *badger.Tx) { // as large as can be
		tx.SetNote(make([]byte, badger.MaxNote))
		for i := range 3 {
			tx.Put([]byte("k"+strconv.Itoa(i)), make([]byte, badger.MaxValue-66))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// As much as is allowed, twice at once, so that the batch has to be split.
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			err := submit(func(tx *badger.Tx) {
				for i := range badger.MaxWrites {
					tx.Put(fmt.Appendf(nil, "g%d.%04d", g, i), []byte("value"))
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantValue(t, db, "g3.8191", "value")
}

func TestFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, badger.Config{Dir: dir}).Close()
	for _, f := range []badger.Format{{Name: "test", Version: 2}, {Name: "other", Version: 1}} {
		_, err := badger.Open(badger.Config{Dir: dir, Format: f})
		wantErr(t, err, badger.ErrFormat)
	}
	for _, f := range []badger.Format{{}, {Name: "a b", Version: 1}, {Name: string(make([]byte, 65)), Version: 1}} {
		if _, err := badger.Open(badger.Config{Dir: dir, Format: f}); err == nil {
			t.Fatalf("format %q was taken", f.Name)
		}
	}
	open(t, badger.Config{Dir: dir})
}

// TestEmptyLogsOfACrash: kill -9 between the making of the engine's logs and their
// first octet. The next one opens, and leaves no file open when it is closed.
func TestEmptyLogsOfACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "a", "1")
	for n := 10; n < 13; n++ {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{fmt.Sprintf("%06d.vlog", n*10), fmt.Sprintf("%05d.mem", n*10)} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db = open(t, badger.Config{Dir: dir})
		wantValue(t, db, "a", "1")
		mustPut(t, db, strconv.Itoa(n), "2")
		wantValue(t, db, strconv.Itoa(n), "2")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantNoFileOpen(t, dir)
}

// wantNoFileOpen tells which files below dir this process has open or mapped.
func wantNoFileOpen(t *testing.T, dir string) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skipf("open files cannot be listed: %v", err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, dir) {
			t.Errorf("mapped: %s", line)
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, dir) {
			t.Errorf("open: %s", name)
		}
	}
}
