package badger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
)

// crashed returns a copy of the directory of an open database, as a kill leaves
// it while nothing is written.
func crashed(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "crashed")
	copyDir(t, dir, to)
	return to
}

// journals returns the paths of the journals in a directory, the newest last.
func journals(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(found) == 0 {
		t.Fatal("no journals", err)
	}
	return found
}

func TestJournalIsReplayed(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "kept", "1")
	mustPut(t, db, "deleted", "1")
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		tx.Delete([]byte("deleted"))
		tx.Put([]byte("empty"), nil)
		tx.Put([]byte("long"), []byte("a"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	extend(t, db, "long", "b", true)
	extend(t, db, "long", "c", true)
	extend(t, db, "deleted", "x", false)
	extend(t, db, "absent", "x", false)
	for range 3 { // a crash while it recovers, too
		dir = crashed(t, dir)
		again := open(t, badger.Config{Dir: dir})
		wantValue(t, again, "kept", "1")
		wantValue(t, again, "deleted", "")
		wantValue(t, again, "long", "abc")
		if v, err := again.Get([]byte("empty")); err != nil || len(v) != 0 {
			t.Fatalf("empty value: %q, %v", v, err)
		}
		extend(t, again, "long", "x", false) // it is in the tables
	}
}

func extend(t *testing.T, db *badger.DB, key, tail string, want bool) {
	t.Helper()
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		if got := tx.Extend([]byte(key), []byte(tail)); got != want {
			t.Errorf("extending %q: %v", key, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExtendIsUndone: a request that fails leaves nothing of what it appended,
// and neither the value that was put nor the octets behind it change.
func TestExtendIsUndone(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	refusal := errors.New("refused")
	backing := []byte("ab-")
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		tx.Put([]byte("k"), backing[:2])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := db.Submit(context.Background(), func(tx *badger.Tx) error {
			tx.Extend([]byte("k"), []byte("xyz"))
			tx.Put([]byte("other"), []byte("1"))
			if v, err := tx.Get([]byte("k")); err != nil || string(v) != "abxyz" {
				t.Errorf("own write: %q, %v", v, err)
			}
			return refusal
		})
		wantErr(t, err, refusal)
	}
	wantValue(t, db, "k", "ab")
	wantValue(t, db, "other", "")
	extend(t, db, "k", "c", true)
	wantValue(t, db, "k", "abc")
	if string(backing) != "ab-" {
		t.Errorf("the caller's octets became %q", backing)
	}
}

// TestTornFrameIsNone: a crash in the middle of a write leaves a part of a frame.
// Whatever part, the batches before it are there and the next ones are kept.
func TestTornFrameIsNone(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "a", "1")
	before, err := os.ReadFile(journals(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, db, "b", string(bytes.Repeat([]byte("v"), 3*4096)))
	after, err := os.ReadFile(journals(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	start := 0
	for before[start] == after[start] {
		start++
	}
	for _, n := range []int{1, 20, 100, 4096, 8192} {
		torn := crashed(t, dir)
		b := append(bytes.Clone(before[:start]), after[start:start+n]...)
		if err := os.WriteFile(journals(t, torn)[0], append(b, before[start+n:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, badger.Config{Dir: torn})
		wantValue(t, again, "a", "1")
		wantValue(t, again, "b", "")
		mustPut(t, again, "c", "1")
		again.Close()
		wantValue(t, open(t, badger.Config{Dir: torn}), "c", "1")
	}
}

// TestTornHeaderIsNone: power was lost while the next journal was made, and one of
// the sectors of its first block was not written, or all were.
func TestTornHeaderIsNone(t *testing.T) {
	const sector = 512
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "a", "1")
	left := crashed(t, dir)
	sectors := len(badger.Journal) / sector
	for lost := range sectors + 1 {
		b := bytes.Clone(badger.Journal)
		if lost < sectors {
			clear(b[lost*sector : (lost+1)*sector])
		}
		torn := crashed(t, left)
		if err := os.WriteFile(filepath.Join(torn, "00000099.journal"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, badger.Config{Dir: torn})
		wantValue(t, again, "a", "1")
		again.Close()
	}
}

// TestDamagedJournalIsNoticed: a batch that was answered, and of which an octet
// changed, is not passed over in silence.
func TestDamagedJournalIsNoticed(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	for i := range 5 {
		mustPut(t, db, "k"+strconv.Itoa(i), "value")
	}
	bad := crashed(t, dir)
	path := journals(t, bad)[0]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{40, 3*4096 + 4, 3*4096 + 30} { // the header's, a frame's number, its body
		damaged := bytes.Clone(b)
		damaged[at] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := badger.Open(badger.Config{Dir: bad, Format: format}); !errors.Is(err, badger.ErrJournal) && !errors.Is(err, badger.ErrFormat) {
			t.Fatalf("octet %d: %v", at, err)
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	wantValue(t, open(t, badger.Config{Dir: bad}), "k4", "value")
}

// small journals are full at once.
func small(dir string) badger.Config { return badger.Config{Dir: dir, Journal: 1} }

// TestFaultWhileSettling fails the disk while records move into the tables: all
// that was answered is there after opening again.
func TestFaultWhileSettling(t *testing.T) {
	for _, step := range []badger.Step{badger.StepSettle, badger.StepSettled} {
		cfg := small(t.TempDir())
		cfg.Fault = failAt(step, 3)
		db := open(t, cfg)
		answered := 0
		for ; ; answered++ {
			if err := put(db, "k"+strconv.Itoa(answered), "v"); errors.Is(err, badger.ErrFailed) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if answered == 0 || !db.Stats().Failed {
			t.Fatalf("%d answered, %+v", answered, db.Stats())
		}
		wantValue(t, db, "k0", "v") // reads go on
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Fault = nil
		db = open(t, cfg)
		for i := range answered {
			wantValue(t, db, "k"+strconv.Itoa(i), "v")
		}
		wantValue(t, db, "k"+strconv.Itoa(answered), "")
	}
}

// TestSettledRecordsLeaveTheJournal: what is in the tables, or was deleted, does
// not stay in blocks that wait for their next use.
func TestSettledRecordsLeaveTheJournal(t *testing.T) {
	dir := t.TempDir()
	db := open(t, small(dir))
	const mark = "a value that is easily found"
	mustPut(t, db, "gone", mark)
	mustPut(t, db, "gone", "")
	for i := range 20 {
		mustPut(t, db, "k"+strconv.Itoa(i), "v")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		found := false
		for _, path := range journals(t, dir) {
			b, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				continue // renamed meanwhile
			}
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(b, []byte(mark))
		}
		if !found {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the value is still in a journal")
		}
	}
}

// TestRollbackOutlivesACrash: what the driver does about an older copy is kept,
// although its batch follows none that the copy has.
func TestRollbackOutlivesACrash(t *testing.T) {
	s := newSite(t)
	db := open(t, s.cfg)
	mustPut(t, db, "a", "1")
	db.Close()
	copyDir(t, s.cfg.Dir, s.cfg.Dir+".old")
	db = open(t, s.cfg)
	for i := range 5 {
		mustPut(t, db, "b", strconv.Itoa(i))
	}
	db.Close()
	copyDir(t, s.cfg.Dir+".old", s.cfg.Dir)
	s.cfg.OnRollback = func(tx *badger.Tx, _ []byte) error {
		tx.Put([]byte("fenced"), []byte("1"))
		return nil
	}
	db = open(t, s.cfg)
	mustPut(t, db, "c", "1")
	again := s.cfg
	again.Dir = crashed(t, s.cfg.Dir)
	again.OnRollback = nil
	db.Close()
	db = open(t, again)
	wantValue(t, db, "fenced", "1")
	wantValue(t, db, "c", "1")
	wantValue(t, db, "b", "")
}

// TestJournalIsNotForgotten: an older program, which knows no journals, must not
// open the database; closed, it has none.
func TestJournalIsNotForgotten(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir})
	mustPut(t, db, "a", "1")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".journal") {
			t.Errorf("%s is left", f.Name())
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "x.journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := badger.Open(badger.Config{Dir: dir, Format: format}); !errors.Is(err, badger.ErrFormat) {
		t.Errorf("a journal of a strange name: %v", err)
	}
}

func BenchmarkSubmit(b *testing.B) {
	for _, writes := range []int{1, 100} {
		b.Run(fmt.Sprintf("writes=%d", writes), func(b *testing.B) {
			db := open(b, badger.Config{Dir: b.TempDir()})
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				value := make([]byte, 180)
				for n := 0; pb.Next(); n++ {
					err := db.Submit(context.Background(), func(tx *badger.Tx) error {
						for i := range writes {
							tx.Put(fmt.Appendf(nil, "%p %d %d", &value, i, n), value)
						}
						return nil
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
