package badger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
)

// content returns all records.
func content(t testing.TB, db *badger.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	_, err := db.Inspect(t.Context(), []badger.Kind{{First: 'a', Name: "a"}, {First: 'b', Name: "b"}, {First: 'n', Name: "n"}},
		func(f badger.Finding) { t.Errorf("found %+v", f) }, func(i *badger.Inspection) error {
			for _, prefix := range []string{"a", "b", "n"} {
				if err := i.Visit([]byte(prefix), func(k, v []byte) error { out[string(k)] = string(v); return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustBackup(t testing.TB, db *badger.DB, base *backup.Backup) ([]byte, *backup.Backup) {
	t.Helper()
	var out bytes.Buffer
	b, err := db.Backup(t.Context(), &out, base)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := backup.Verify(bytes.NewReader(out.Bytes())); err != nil || fmt.Sprint(read) != fmt.Sprint(b) {
		t.Fatalf("read %+v, wrote %+v, %v", read, b, err)
	}
	return out.Bytes(), b
}

func restore(t testing.TB, cfg badger.RestoreConfig, chain ...[]byte) (*backup.Backup, error) {
	t.Helper()
	if cfg.Format == (badger.Format{}) {
		cfg.Format = format
	}
	var readers []io.Reader
	for _, b := range chain {
		readers = append(readers, bytes.NewReader(b))
	}
	return badger.Restore(t.Context(), cfg, readers...)
}

// wantRestored restores a chain and compares.
func wantRestored(t testing.TB, want map[string]string, chain ...[]byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := restore(t, badger.RestoreConfig{Dir: dir}, chain...); err != nil {
		t.Fatal(err)
	}
	db := open(t, badger.Config{Dir: dir, ReadOnly: true})
	defer db.Close()
	if got := content(t, db); !maps.Equal(got, want) {
		t.Fatalf("%d records restored, want %d", len(got), len(want))
	}
}

// TestBackupUnderWrites: a backup is one state, whatever is written while it is
// made.
func TestBackupUnderWrites(t *testing.T) {
	// state after n steps: each puts one record and deletes an older one.
	state := func(n int) map[string]string {
		out := map[string]string{"n": strconv.Itoa(n)}
		for i := max(1, n-299); i <= n; i++ {
			out[fmt.Sprintf("a%d", i%500)] = strconv.Itoa(i)
		}
		return out
	}
	db := open(t, badger.Config{Dir: t.TempDir()})
	n := 0
	step := func() {
		n++
		err := db.Submit(context.Background(), func(tx *badger.Tx) error {
			tx.Put([]byte("n"), []byte(strconv.Itoa(n)))
			if n > 300 {
				tx.Delete(fmt.Appendf(nil, "a%d", (n-300)%500))
			}
			tx.Put(fmt.Appendf(nil, "a%d", n%500), []byte(strconv.Itoa(n)))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for range 50 {
		step()
	}
	stop := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				step()
			}
		}
	})
	var chain [][]byte
	var base *backup.Backup
	for range 8 {
		var b []byte
		b, base = mustBackup(t, db, base)
		chain = append(chain, b)
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := restore(t, badger.RestoreConfig{Dir: dir}, chain...); err != nil {
			t.Fatal(err)
		}
		restored := open(t, badger.Config{Dir: dir, ReadOnly: true})
		got := content(t, restored)
		steps, _ := strconv.Atoi(got["n"])
		if steps < 50 || !maps.Equal(got, state(steps)) {
			t.Fatalf("after %d steps: %d records", steps, len(got))
		}
		restored.Close()
	}
	close(stop)
	wg.Wait()
}

// gate holds up the second write, with which the first records come.
type gate struct {
	io.Writer
	writes        int
	reached, open chan bool
}

func (g *gate) Write(b []byte) (int, error) {
	if g.writes++; g.writes == 2 {
		close(g.reached)
		<-g.open
	}
	return g.Writer.Write(b)
}

// mustPutAll puts n records with a key made of prefix and number.
func mustPutAll(t testing.TB, db *badger.DB, prefix string, n int, value string) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		err := db.Submit(context.Background(), func(tx *badger.Tx) error {
			for i := from; i < min(n, from+500); i++ {
				tx.Put(fmt.Appendf(nil, "%s%04d", prefix, i), []byte(value))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupUnderDrop: what is dropped while the backup is under way is in it as
// a whole.
func TestBackupUnderDrop(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	mustPutAll(t, db, "a", 3000, strings.Repeat("v", 200))
	want := content(t, db)
	var out bytes.Buffer
	g := &gate{Writer: &out, reached: make(chan bool), open: make(chan bool)}
	done := make(chan error)
	go func() { _, err := db.Backup(context.Background(), g, nil); done <- err }()
	<-g.reached
	if err := db.DropPrefix(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantRestored(t, want, out.Bytes())
}

// TestIncrementKnowsWhatIsGone: neither records that were deleted nor dropped
// prefixes come back, even if the engine has forgotten that they were there.
func TestIncrementKnowsWhatIsGone(t *testing.T) {
	cfg := badger.Config{Dir: t.TempDir()}
	db := open(t, cfg)
	mustPutAll(t, db, "a", 2000, "value")
	mustPutAll(t, db, "b", 2000, "value")
	full, base := mustBackup(t, db, nil)
	err := db.Submit(t.Context(), func(tx *badger.Tx) error {
		for i := range 1000 {
			tx.Delete(fmt.Appendf(nil, "a%04d", 2*i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DropPrefix(t.Context(), []byte("b1")); err != nil {
		t.Fatal(err)
	}
	for i := range 6 { // so that the deletions are compacted away
		db.Close()
		db = open(t, cfg)
		mustPut(t, db, fmt.Sprintf("n%d", i), "value")
	}
	if err := db.Compact(); err != nil {
		t.Fatal(err)
	}
	increment, sum := mustBackup(t, db, base)
	if sum.Records != 6 || sum.Kept != 2000 {
		t.Fatalf("%d records in the increment, %d kept", sum.Records, sum.Kept)
	}
	want := content(t, db)
	wantRestored(t, want, full, increment)
	nothing, sum := mustBackup(t, db, sum)
	if sum.Records != 0 {
		t.Fatalf("%d records in an increment of nothing", sum.Records)
	}
	wantRestored(t, want, full, increment, nothing)
}

// TestRandomChains restores each prefix of chains of random changes.
func TestRandomChains(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 1))
		db := open(t, badger.Config{Dir: t.TempDir()})
		var chain [][]byte
		var states []map[string]string
		var base *backup.Backup
		for range 5 {
			for range rng.IntN(60) {
				key := fmt.Sprintf("%c%d", "ab"[rng.IntN(2)], rng.IntN(40))
				var err error
				switch rng.IntN(8) {
				case 0:
					err = db.DropPrefix(t.Context(), []byte(key[:2]))
				case 1, 2, 3:
					err = db.Submit(t.Context(), func(tx *badger.Tx) error { tx.Delete([]byte(key)); return nil })
				default:
					err = put(db, key, fmt.Sprint(rng.Uint64()))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			var b []byte
			b, base = mustBackup(t, db, base)
			chain, states = append(chain, b), append(states, content(t, db))
		}
		for n := range chain {
			wantRestored(t, states[n], chain[:n+1]...)
		}
		db.Close()
	}
}

// TestLargestRecordIsBackedUp.
func TestLargestRecordIsBackedUp(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	mustPut(t, db, "a"+strings.Repeat("k", badger.MaxKey-1), strings.Repeat("v", badger.MaxValue))
	mustPut(t, db, "b", "")
	b, _ := mustBackup(t, db, nil)
	wantRestored(t, content(t, db), b)
}

// TestBackupIsRefused: what cannot be backed up, and increments of what is not
// this database's.
func TestBackupIsRefused(t *testing.T) {
	cfg := badger.Config{Dir: t.TempDir()}
	db := open(t, cfg)
	mustPutAll(t, db, "a", 20, strings.Repeat("v", 1000))
	_, base := mustBackup(t, db, nil)
	other := open(t, badger.Config{Dir: t.TempDir()})
	mustPut(t, other, "a", "1")
	_, foreign := mustBackup(t, other, nil)
	later := *base
	later.Batch++
	another := *base
	another.Version++
	for name, b := range map[string]*backup.Backup{"of another database": foreign, "of later": &later, "of another format": &another} {
		var out bytes.Buffer
		if _, err := db.Backup(t.Context(), &out, b); !errors.Is(err, backup.ErrChain) || out.Len() > 0 {
			t.Errorf("%s: %v, %d octets", name, err, out.Len())
		}
	}
	failure := errors.New("failure")
	if _, err := db.Backup(t.Context(), failingWriter{failure}, nil); !errors.Is(err, failure) {
		t.Errorf("a failing writer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Backup(ctx, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := db.Backup(t.Context(), io.Discard, nil)
	wantErr(t, err, badger.ErrClosed)

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
	db = open(t, badger.Config{Dir: cfg.Dir, ReadOnly: true})
	_, err = db.Backup(t.Context(), io.Discard, nil)
	wantErr(t, err, badger.ErrDamaged)
}

type failingWriter struct{ error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.error }
