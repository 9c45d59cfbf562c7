package badger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

var letters = []badger.Kind{{First: 'a', Name: "letter a"}, {First: 'b', Name: "letter b"}}

// inspect inspects a database of records of two kinds, where those of kind b
// belong to that of kind a with the same second octet.
func inspect(t *testing.T, db *badger.DB) (badger.Summary, []string) {
	t.Helper()
	var found []string
	summary, err := db.Inspect(t.Context(), letters,
		func(f badger.Finding) {
			found = append(found, fmt.Sprint(f.Kind, ": ", f.Problem, " ", f.Ordinal, " ", f.Count))
		},
		func(i *badger.Inspection) error {
			return i.Visit([]byte("a"), func(key, value []byte) error {
				if string(value) == "bad" {
					i.Problem('a', "bad")
				}
				return i.Visit([]byte{'b', key[1]}, func(_, _ []byte) error { return nil })
			})
		})
	if err != nil || int(summary.Findings) != len(found) {
		t.Fatalf("%d findings, %v", summary.Findings, err)
	}
	slices.Sort(found)
	return summary, found
}

func wantFindings(t *testing.T, db *badger.DB, want ...string) badger.Summary {
	t.Helper()
	summary, found := inspect(t, db)
	if !slices.Equal(found, want) {
		t.Fatalf("found %q, want %q", found, want)
	}
	return summary
}

func reading(t *testing.T, cfg badger.Config) *badger.DB {
	t.Helper()
	cfg.ReadOnly = true
	return open(t, cfg)
}

func TestInspect(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	for _, k := range []string{"a1", "a2", "b1x", "b1y", "b2x"} {
		mustPut(t, db, k, "value")
	}
	summary := wantFindings(t, db)
	if got := fmt.Sprint(summary.Tallies); got != "[{letter a 2 14 0} {letter b 3 24 0}]" {
		t.Fatalf("counted %s", got)
	}
	mustPut(t, db, "b3x", "")
	mustPut(t, db, "c", "")
	mustPut(t, db, "a2", "bad")
	wantFindings(t, db, "letter a: bad 2 1", "letter b: belongs to nothing 0 1", "unknown: no kind of this store 0 1")
	for key, value := range map[string]string{
		"b1" + strings.Repeat("x", badger.MaxKey): "", "\x00new": "", "\x00seq": "short", "\x00fence": "x",
	} {
		if err := db.PutRaw([]byte(key), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	wantFindings(t, db, "kernel: does not decode 0 1", "kernel: does not decode 0 1", "kernel: unknown record 0 1",
		"letter a: bad 2 1", "letter b: belongs to nothing 0 1", "letter b: size 2 1", "unknown: no kind of this store 0 1")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := db.Inspect(ctx, letters, nil, func(*badger.Inspection) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled inspection: %v", err)
	}
	failure := errors.New("failure")
	if _, err := db.Inspect(t.Context(), letters, nil, func(*badger.Inspection) error { return failure }); !errors.Is(err, failure) {
		t.Fatalf("a failed inspection: %v", err)
	}
}

// TestInspectSeesOneState: what is written during the inspection is not in it.
func TestInspectSeesOneState(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	mustPut(t, db, "a1", "value")
	n := 0
	summary, err := db.Inspect(t.Context(), letters, nil, func(i *badger.Inspection) error {
		mustPut(t, db, "a2", "value")
		return i.Visit([]byte("a"), func(_, _ []byte) error { n++; return nil })
	})
	if err != nil || n != 1 || summary.Findings != 0 || summary.Tallies[0].Records != 1 {
		t.Fatalf("visited %d, %+v, %v", n, summary, err)
	}
}

// TestInspectFindsDamagedTable: the engine takes a damaged block for the end of
// the table, without an error.
func TestInspectFindsDamagedTable(t *testing.T) {
	cfg := badger.Config{Dir: t.TempDir()}
	db := open(t, cfg)
	for i := range 20 {
		mustPut(t, db, fmt.Sprint("a", i), strings.Repeat("v", 1000))
	}
	db.Close()
	tables, err := filepath.Glob(filepath.Join(cfg.Dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	b[5000] ^= 1
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, found := inspect(t, reading(t, cfg))
	if !slices.Contains(found, "table: checksum does not fit 0 1") {
		t.Fatalf("found %q", found)
	}
}

// TestInspectSurvivesMissingParts: a file that the disk does not give is a
// finding, not the end of the process.
func TestInspectSurvivesMissingParts(t *testing.T) {
	cfg := badger.Config{Dir: t.TempDir()}
	db := open(t, cfg)
	mustPutAll(t, db, "a", 1000, strings.Repeat("v", 500))
	db.Close()
	db = reading(t, cfg)
	tables, err := filepath.Glob(filepath.Join(cfg.Dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	if err := os.Truncate(tables[0], 8192); err != nil {
		t.Fatal(err)
	}
	var found []badger.Finding
	_, err = db.Inspect(t.Context(), letters, func(f badger.Finding) { found = append(found, f) },
		func(i *badger.Inspection) error { return i.Visit([]byte("a"), func(_, _ []byte) error { return nil }) })
	if len(found) == 0 || found[0].Kind != "table" || err != nil && !errors.Is(err, badger.ErrDamaged) {
		t.Fatalf("found %+v, %v", found, err)
	}
	_, err = db.Backup(t.Context(), io.Discard, nil)
	wantErr(t, err, badger.ErrDamaged)
}

func TestReadOnly(t *testing.T) {
	cfg := badger.Config{Dir: filepath.Join(t.TempDir(), "db"), ReadOnly: true, Format: format}
	if _, err := badger.Open(cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no database: %v", err)
	}
	if _, err := os.Stat(cfg.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the directory was made: %v", err)
	}
	cfg.ReadOnly = false
	db := open(t, cfg)
	mustPut(t, db, "a1", "value")
	crashed := cfg
	crashed.Dir = filepath.Join(t.TempDir(), "crashed")
	if err := storagetest.CopyLive(cfg.Dir, crashed.Dir); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for _, cfg := range []badger.Config{cfg, crashed} {
		db = reading(t, cfg)
		wantValue(t, db, "a1", "value")
		wantFindings(t, db)
		wantErr(t, put(db, "a2", ""), badger.ErrReadOnly)
		wantErr(t, db.DropPrefix(t.Context(), []byte("a")), badger.ErrReadOnly)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cfg.ReadOnly, cfg.Format = true, badger.Format{Name: "other", Version: 1}
	_, err := badger.Open(cfg)
	wantErr(t, err, badger.ErrFormat)

	// What a crash leaves that came before the first record.
	empty := badger.Config{Dir: t.TempDir()}
	if err := badger.MakeEmpty(empty.Dir); err != nil {
		t.Fatal(err)
	}
	db = reading(t, empty)
	wantFindings(t, db)
	_, err = db.Backup(t.Context(), io.Discard, nil)
	wantErr(t, err, badger.ErrFormat)
}

func TestInspectComparesTheFence(t *testing.T) {
	s := newSite(t)
	older, olderFence := filepath.Join(t.TempDir(), "older"), filepath.Join(t.TempDir(), "fence")
	db := open(t, s.cfg)
	mustPut(t, db, "a1", "value")
	setNote(t, db, "one")
	db.Close()
	copyDir(t, s.cfg.Dir, older)
	fence, err := os.ReadFile(s.cfg.Fence)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(olderFence, fence, 0o600); err != nil {
		t.Fatal(err)
	}
	db = open(t, s.cfg)
	mustPut(t, db, "a1", "other")
	setNote(t, db, "two")
	db.Close()

	db = reading(t, s.cfg)
	wantFindings(t, db)
	db.Close()
	other := newSite(t)
	open(t, other.cfg).Close()
	blank := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(blank, make([]byte, len(fence)), 0o600); err != nil {
		t.Fatal(err)
	}
	without := badger.Config{Dir: t.TempDir()}
	db = open(t, without)
	mustPut(t, db, "a1", "value")
	db.Close()
	for _, c := range []struct{ dir, fence, want string }{
		{older, s.cfg.Fence, "fence: database is older 0 1"},
		{s.cfg.Dir, olderFence, "fence: older than the database 0 1"},
		{s.cfg.Dir, other.cfg.Fence, "fence: belongs to another database 0 1"},
		{without.Dir, other.cfg.Fence, "fence: belongs to another database 0 1"},
		{s.cfg.Dir, filepath.Join(t.TempDir(), "none"), "fence: missing 0 1"},
		{s.cfg.Dir, blank, "fence: does not decode 0 1"},
	} {
		db := reading(t, badger.Config{Dir: c.dir, Fence: c.fence})
		wantFindings(t, db, c.want)
		db.Close()
	}
	wantFindings(t, reading(t, badger.Config{Dir: s.cfg.Dir})) // not asked for
}
