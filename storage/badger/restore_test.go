package badger_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
)

// TestRestoreRefuses: a chain that is not whole, in order and of one store
// leaves nothing.
func TestRestoreRefuses(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	mustPutAll(t, db, "a", 100, "value")
	full, base := mustBackup(t, db, nil)
	mustPutAll(t, db, "b", 100, "value")
	first, sum := mustBackup(t, db, base)
	mustPut(t, db, "n", "")
	second, _ := mustBackup(t, db, sum)
	beside, _ := mustBackup(t, db, base) // follows the full one too

	other := open(t, badger.Config{Dir: t.TempDir()})
	mustPutAll(t, other, "a", 100, "value")
	otherFull, otherBase := mustBackup(t, other, nil)
	otherFirst, _ := mustBackup(t, other, otherBase)

	// An increment that names what the full backup does not have: no backup
	// that was made so, but one that fits.
	var forged bytes.Buffer
	m := base.Manifest
	m.Base = base.Digest
	w, err := backup.NewWriter(&forged, m)
	if err == nil {
		err = w.Keep([]byte("a9999"))
	}
	if err == nil {
		_, err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	// And a record that no database takes.
	var kernel bytes.Buffer
	if w, err = backup.NewWriter(&kernel, base.Manifest); err == nil {
		err = w.Record([]byte("\x00seq"), []byte("12345678"))
	}
	if err == nil {
		_, err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(first)
	changed[len(changed)/2] ^= 1
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		want  error
		cfg   badger.RestoreConfig
		chain [][]byte
	}{
		"nothing":                  {want: backup.ErrChain},
		"no full one":              {want: backup.ErrChain, chain: [][]byte{first}},
		"one left out":             {want: backup.ErrChain, chain: [][]byte{full, second}},
		"out of order":             {want: backup.ErrChain, chain: [][]byte{full, second, first}},
		"twice":                    {want: backup.ErrChain, chain: [][]byte{full, first, first}},
		"two after one":            {want: backup.ErrChain, chain: [][]byte{full, first, beside}},
		"a full one later":         {want: backup.ErrChain, chain: [][]byte{full, full}},
		"another store's":          {want: backup.ErrChain, chain: [][]byte{full, otherFirst}},
		"another store's full one": {want: backup.ErrChain, chain: [][]byte{otherFull, first}},
		"another format":           {want: backup.ErrForeign, cfg: badger.RestoreConfig{Format: badger.Format{Name: "other", Version: 1}}, chain: [][]byte{full}},
		"a later version":          {want: backup.ErrForeign, cfg: badger.RestoreConfig{Format: badger.Format{Name: format.Name, Version: 2}}, chain: [][]byte{full}},
		"truncated":                {want: backup.ErrTruncated, chain: [][]byte{full[:len(full)-1]}},
		"truncated increment":      {want: backup.ErrTruncated, chain: [][]byte{full, first[:len(first)/2]}},
		"damaged increment":        {want: backup.ErrDamaged, chain: [][]byte{full, changed}},
		"no backup":                {want: backup.ErrMalformed, chain: [][]byte{bytes.Repeat([]byte("x"), 100)}},
		"two in one":               {want: backup.ErrMalformed, chain: [][]byte{append(bytes.Clone(full), first...)}},
		"forged increment":         {want: backup.ErrChain, chain: [][]byte{full, forged.Bytes()}},
		"forged record":            {want: backup.ErrMalformed, chain: [][]byte{kernel.Bytes()}},
		"check fails":              {want: failure, cfg: badger.RestoreConfig{Check: func(context.Context, *badger.DB) error { return failure }}, chain: [][]byte{full}},
	} {
		for _, made := range []bool{false, true} {
			if made && name != "truncated increment" && name != "no full one" {
				continue
			}
			parent := t.TempDir()
			c.cfg.Dir = filepath.Join(parent, "db")
			if made {
				if err := os.Mkdir(c.cfg.Dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := restore(t, c.cfg, c.chain...); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
			left, err := os.ReadDir(parent)
			if err != nil || len(left) > 1 || (len(left) == 1) != made {
				t.Fatalf("%s: left %v, %v", name, left, err)
			}
			if made {
				if inside, err := os.ReadDir(c.cfg.Dir); err != nil || len(inside) > 0 {
					t.Fatalf("%s: left %v, %v", name, inside, err)
				}
			}
		}
	}
	wantRestored(t, content(t, db), full, first, second)
	wantRestored(t, content(t, db), full, beside)
}

func TestRestoreIntoEmptyDirectoryOnly(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	mustPut(t, db, "a", "1")
	full, _ := mustBackup(t, db, nil)
	dir := filepath.Join(t.TempDir(), "db")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o700))
	must(os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600))
	_, err := restore(t, badger.RestoreConfig{Dir: dir}, full)
	wantErr(t, err, badger.ErrNotEmpty)
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "content" {
		t.Fatalf("%q, %v", b, err)
	}
	must(os.RemoveAll(dir))
	// What a restore has left that was killed is in nobody's way.
	must(os.Mkdir(dir+".restoring", 0o700))
	must(os.WriteFile(filepath.Join(dir+".restoring", "MANIFEST"), []byte("half"), 0o600))
	_, err = restore(t, badger.RestoreConfig{Dir: dir}, full)
	must(err)
	if _, err := os.Stat(dir + ".restoring"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("left over: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("directory: %v, %v", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = badger.Restore(ctx, badger.RestoreConfig{Dir: filepath.Join(t.TempDir(), "db"), Format: format}, bytes.NewReader(full))
	wantErr(t, err, context.Canceled)
}

// rollbacks counts what OnRollback is called with.
func rollbacks(cfg *badger.Config) *[]string {
	notes := new([]string)
	cfg.OnRollback = func(tx *badger.Tx, note []byte) error {
		*notes = append(*notes, string(note))
		tx.Put([]byte("b rolled back"), note)
		return nil
	}
	return notes
}

// TestRestoreWithTheFence: the fence tells what is missing, each time, and
// increments of before do not go on.
func TestRestoreWithTheFence(t *testing.T) {
	s := newSite(t)
	notes := rollbacks(&s.cfg)
	db := open(t, s.cfg)
	setNote(t, db, "early")
	mustPut(t, db, "a", "1")
	full, base := mustBackup(t, db, nil)
	back := func(want uint32, seen ...string) {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(s.cfg.Dir); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(t, badger.RestoreConfig{Dir: s.cfg.Dir}, full); err != nil {
			t.Fatal(err)
		}
		db = open(t, s.cfg)
		wantValue(t, db, "a", "1")
		if db.Restores() != want || len(*notes) != len(seen) {
			t.Fatalf("%d restores, rolled back with %q", db.Restores(), *notes)
		}
		for i := range seen {
			if (*notes)[i] != seen[i] {
				t.Fatalf("rolled back with %q, want %q", *notes, seen)
			}
		}
	}
	back(0) // a move: nothing was lost
	if _, err := db.Backup(t.Context(), new(bytes.Buffer), base); !errors.Is(err, backup.ErrChain) {
		t.Fatalf("an increment across a restore: %v", err)
	}
	setNote(t, db, "late")
	back(1, "late")
	mustPut(t, db, "a2", "1")
	_, again := mustBackup(t, db, nil)
	if again.Restores != 1 {
		t.Fatalf("the backup tells of %d restores", again.Restores)
	}
	db.Close()
	db = open(t, s.cfg) // the count is remembered
	if db.Restores() != 1 {
		t.Fatalf("%d restores after a restart", db.Restores())
	}
	back(2, "late", "late")
	db.Close()
	if err := os.Remove(s.cfg.Fence); err != nil {
		t.Fatal(err)
	}
	_, err := badger.Open(s.cfg)
	wantErr(t, err, badger.ErrFence)
}

// TestRestoreWithoutTheFence: the copy then tells of itself.
func TestRestoreWithoutTheFence(t *testing.T) {
	s := newSite(t)
	notes := rollbacks(&s.cfg)
	db := open(t, s.cfg)
	setNote(t, db, "note")
	mustPut(t, db, "a", "1")
	full, _ := mustBackup(t, db, nil)
	db.Close()

	now := time.Date(2026, 1, 11, 12, 0, 0, 0, time.UTC)
	lost := s.cfg
	lost.Dir = filepath.Join(t.TempDir(), "db")
	cfg := badger.RestoreConfig{Dir: lost.Dir, FenceLost: true, Now: func() time.Time { return now }}
	if _, err := restore(t, cfg, full); err != nil {
		t.Fatal(err)
	}
	_, err := badger.Open(lost) // it is not lost
	wantErr(t, err, badger.ErrFence)
	lost.Fence = filepath.Join(t.TempDir(), "fence")
	lost.NeedsFence = true
	_, err = badger.Open(lost)
	wantErr(t, err, badger.ErrFence)
	lost.NeedsFence = false
	for range 2 { // once for each restore
		db = open(t, lost)
		wantValue(t, db, "a", "1")
		wantValue(t, db, "b rolled back", "note")
		if len(*notes) != 1 || db.Restores() != 11 {
			t.Fatalf("%d restores, rolled back with %q", db.Restores(), *notes)
		}
		mustPut(t, db, "a", "1")
		db.Close()
	}
	// The same copy, without the fence again, on a later day.
	now = now.Add(48 * time.Hour)
	cfg.Dir, lost.Dir, lost.Fence = filepath.Join(t.TempDir(), "db"), cfg.Dir, filepath.Join(t.TempDir(), "fence")
	lost.Dir = cfg.Dir
	if _, err := restore(t, cfg, full); err != nil {
		t.Fatal(err)
	}
	without := lost
	without.OnRollback = nil
	_, err = badger.Open(without)
	wantErr(t, err, badger.ErrRolledBack)
	db = open(t, lost)
	if len(*notes) != 2 || db.Restores() != 13 {
		t.Fatalf("%d restores, rolled back with %q", db.Restores(), *notes)
	}
	db.Close()

	// A database that never had a fence.
	plain := badger.Config{Dir: t.TempDir()}
	db = open(t, plain)
	mustPut(t, db, "a", "1")
	full, _ = mustBackup(t, db, nil)
	db.Close()
	plain.Dir = filepath.Join(t.TempDir(), "db")
	if _, err := restore(t, badger.RestoreConfig{Dir: plain.Dir, Now: func() time.Time { return now }}, full); err != nil {
		t.Fatal(err)
	}
	notes = rollbacks(&plain)
	db = open(t, plain)
	if len(*notes) != 1 || (*notes)[0] != "" || db.Restores() != 13 {
		t.Fatalf("%d restores, rolled back with %q", db.Restores(), *notes)
	}
	content(t, db) // which checks it
}

// TestEmptiedDirectoryIsCounted: a directory that was lost counts as a restore.
func TestEmptiedDirectoryIsCounted(t *testing.T) {
	s := newSite(t)
	rollbacks(&s.cfg)
	for n := range uint32(3) {
		db := open(t, s.cfg)
		mustPut(t, db, "a", "1")
		if db.Restores() != n {
			t.Fatalf("%d restores, want %d", db.Restores(), n)
		}
		db.Close()
		if err := os.RemoveAll(s.cfg.Dir); err != nil {
			t.Fatal(err)
		}
	}
}
