package badger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

func keyOf(b byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{b}, badger.KeySize)) }

// needle is in every key and value that the tests of encryption write.
const needle = "needle-in-the-files"

// shows reports whether a file below dir has the needle.
func shows(t *testing.T, dir string) bool {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(needle)) {
			return true
		}
	}
	return false
}

func sealedConfig(dir string, key secret.Bytes) badger.Config {
	return badger.Config{Dir: dir, Format: badger.Format{Name: "sealed", Version: 1}, Key: key, MinFree: 1, Journal: 64 << 10}
}

func mustOpen(t *testing.T, cfg badger.Config) *badger.DB {
	t.Helper()
	db, err := badger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func putNeedles(t *testing.T, db *badger.DB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		err := db.Submit(context.Background(), func(tx *badger.Tx) error {
			key := fmt.Appendf(nil, "%s %d", needle, i)
			tx.Put(key, bytes.Repeat([]byte(needle), 20))
			tx.Extend(key, []byte(needle))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func wantNeedles(t *testing.T, db *badger.DB, n int) {
	t.Helper()
	for i := range n {
		if v, err := db.Get(fmt.Appendf(nil, "%s %d", needle, i)); err != nil || len(v) != 21*len(needle) {
			t.Fatalf("record %d: %d octets, %v", i, len(v), err)
		}
	}
}

// TestEncryptedFilesShowNothing looks into the files while the database is in use,
// its journal included, and after it was closed. The same look finds what a
// database in clear holds.
func TestEncryptedFilesShowNothing(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		var key secret.Bytes
		if sealed {
			key = keyOf(1)
		}
		dir := filepath.Join(t.TempDir(), "db")
		db := mustOpen(t, sealedConfig(dir, key))
		putNeedles(t, db, 0, 300)
		inUse := shows(t, dir)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if closed := shows(t, dir); inUse == sealed || closed == sealed {
			t.Errorf("encrypted %v: found in use %v, closed %v", sealed, inUse, closed)
		}
		db = mustOpen(t, sealedConfig(dir, key))
		wantNeedles(t, db, 300)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEncryptedJournalAfterCrash opens a copy of a database in use, of which only
// the journal has the records, with the key and with another.
func TestEncryptedJournalAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := mustOpen(t, sealedConfig(dir, keyOf(1)))
	defer db.Close()
	putNeedles(t, db, 0, 20)
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := badger.Open(sealedConfig(copied, keyOf(2))); !errors.Is(err, badger.ErrEncryption) {
		t.Fatalf("another key: %v", err)
	}
	after := mustOpen(t, sealedConfig(copied, keyOf(1)))
	wantNeedles(t, after, 20)
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWrongKeyIsRefused: another key, none, and one for a database in clear.
func TestWrongKeyIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ made, opened secret.Bytes }{
		"another": {keyOf(1), keyOf(2)},
		"missing": {keyOf(1), secret.Bytes{}},
		"clear":   {secret.Bytes{}, keyOf(1)},
	} {
		dir := filepath.Join(t.TempDir(), "db")
		db := mustOpen(t, sealedConfig(dir, test.made))
		putNeedles(t, db, 0, 3)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := badger.Open(sealedConfig(dir, test.opened)); !errors.Is(err, badger.ErrEncryption) {
			t.Errorf("%s key: %v", name, err)
		}
		db = mustOpen(t, sealedConfig(dir, test.made)) // it is unharmed
		wantNeedles(t, db, 3)
		db.Close()
	}
	if _, err := badger.Open(sealedConfig(t.TempDir(), secret.New([]byte("short")))); err == nil {
		t.Error("a short key was taken")
	}
}

func TestRotateKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := mustOpen(t, sealedConfig(dir, keyOf(1)))
	putNeedles(t, db, 0, 300)
	if err := badger.RotateKey(dir, keyOf(1), keyOf(2)); !errors.Is(err, badger.ErrUnclean) {
		t.Fatalf("in use: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := badger.RotateKey(dir, keyOf(3), keyOf(2)); !errors.Is(err, badger.ErrEncryption) {
		t.Fatalf("another old key: %v", err)
	}
	if err := badger.RotateKey(dir, keyOf(1), keyOf(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := badger.Open(sealedConfig(dir, keyOf(1))); !errors.Is(err, badger.ErrEncryption) {
		t.Fatalf("the old key: %v", err)
	}
	db = mustOpen(t, sealedConfig(dir, keyOf(2)))
	wantNeedles(t, db, 300)
	putNeedles(t, db, 300, 600)
	wantNeedles(t, db, 600)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if shows(t, dir) {
		t.Error("found in clear")
	}
}

// TestLookIntoEncrypted: with its key, what the files of a database in use and of a
// closed one hold is seen as in clear; another key, or none, shows nothing.
func TestLookIntoEncrypted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := mustOpen(t, sealedConfig(dir, keyOf(1)))
	putNeedles(t, db, 0, 3)
	copied := filepath.Join(t.TempDir(), "copied")
	if err := storagetest.CopyLive(dir, copied); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	journal, both, tables := 0, 0, 0
	count := func(n *int) func(badger.Sighting) error {
		return func(s badger.Sighting) error {
			if bytes.Contains(s.Key, []byte(needle)) && bytes.Contains(s.Value, []byte(needle)) {
				*n++
			}
			return nil
		}
	}
	walk := func(key, value []byte) error { return count(&tables)(badger.Sighting{Key: key, Value: value}) }
	for _, wrong := range []secret.Bytes{{}, keyOf(2)} {
		for name, err := range map[string]error{
			"journals": badger.DissectJournals(copied, wrong, count(&journal)),
			"copy":     badger.Dissect(t.Context(), copied, wrong, count(&both)),
			"tables":   badger.Walk(t.Context(), dir, wrong, walk),
		} {
			if !errors.Is(err, badger.ErrEncryption) {
				t.Errorf("%s, a wrong key: %v", name, err)
			}
		}
	}
	for name, err := range map[string]error{
		"journals": badger.DissectJournals(copied, keyOf(1), count(&journal)),
		"copy":     badger.Dissect(t.Context(), copied, keyOf(1), count(&both)),
		"tables":   badger.Walk(t.Context(), dir, keyOf(1), walk),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A batch that puts a record and extends it is one change of the record.
	if journal != 3 || both != 3 || tables != 3 {
		t.Errorf("seen %d in the journal, %d in the copy, %d in the tables", journal, both, tables)
	}
	if err := badger.Walk(t.Context(), dir, secret.New([]byte("short")), walk); err == nil {
		t.Error("a short key was taken")
	}
}

// TestRestoreEncrypted puts a backup, which is in clear, back under a key.
func TestRestoreEncrypted(t *testing.T) {
	db := mustOpen(t, sealedConfig(filepath.Join(t.TempDir(), "db"), keyOf(1)))
	defer db.Close()
	putNeedles(t, db, 0, 300)
	var b bytes.Buffer
	if _, err := db.Backup(context.Background(), &b, nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	cfg := sealedConfig(dir, keyOf(2))
	if _, err := badger.Restore(context.Background(), badger.RestoreConfig{Dir: dir, Format: cfg.Format, Key: cfg.Key}, &b); err != nil {
		t.Fatal(err)
	}
	if shows(t, dir) {
		t.Error("found in clear")
	}
	cfg.OnRollback = func(*badger.Tx, []byte) error { return nil }
	restored := mustOpen(t, cfg)
	wantNeedles(t, restored, 300)
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
}
