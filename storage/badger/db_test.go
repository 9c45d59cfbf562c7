package badger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
)

var format = badger.Format{Name: "test", Version: 1}

func open(t testing.TB, cfg badger.Config) *badger.DB {
	t.Helper()
	cfg.Format = format
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

// TestConcurrentCounter increments one record from many goroutines: nothing is
// lost, and the requests share transactions.
func TestConcurrentCounter(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	const workers, each = 64, 20
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := db.Submit(context.Background(), func(tx *badger.Tx) error {
					n := 0
					if v, err := tx.Get([]byte("n")); err == nil {
						n, _ = strconv.Atoi(string(v))
					}
					tx.Put([]byte("n"), []byte(strconv.Itoa(n+1)))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantValue(t, db, "n", strconv.Itoa(workers*each))
	if s := db.Stats(); s.Requests != workers*each || s.Batches >= s.Requests/2 {
		t.Fatalf("no batching: %+v", s)
	}
}

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
	for _, f := range []badger.Format{{"test", 2}, {"other", 1}} {
		_, err := badger.Open(badger.Config{Dir: dir, Format: f})
		wantErr(t, err, badger.ErrFormat)
	}
	for _, f := range []badger.Format{{}, {"a b", 1}, {string(make([]byte, 65)), 1}} {
		if _, err := badger.Open(badger.Config{Dir: dir, Format: f}); err == nil {
			t.Fatalf("format %q was taken", f.Name)
		}
	}
	open(t, badger.Config{Dir: dir})
}

func TestSpaceWatchdog(t *testing.T) {
	var free uint64 = 1000
	var mu sync.Mutex
	set := func(n uint64) { mu.Lock(); free = n; mu.Unlock() }
	db := open(t, badger.Config{Dir: t.TempDir(), MinFree: 100, Free: func(string) (uint64, error) {
		mu.Lock()
		defer mu.Unlock()
		if free == 0 {
			return 0, errors.New("cannot ask")
		}
		return free, nil
	}})
	mustPut(t, db, "a", "1")
	for _, low := range []uint64{99, 124, 0} { // 124: off until a quarter more is free
		set(low)
		wantErr(t, put(db, "a", "2"), badger.ErrNoSpace)
		wantValue(t, db, "a", "1")
		if !db.Stats().WritesOff {
			t.Fatal("not shown in Stats")
		}
	}
	if err := db.Submit(context.Background(), func(tx *badger.Tx) error { return nil }); err != nil {
		t.Fatalf("a request that only reads: %v", err)
	}
	if err := db.DropPrefix(context.Background(), []byte("x")); err != nil {
		t.Fatalf("dropping: %v", err)
	}
	set(125)
	mustPut(t, db, "a", "3")
}

func TestCancellationTellsTheTruth(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir(), Queue: 1})
	entered, release := make(chan bool), make(chan bool)
	taken, cancel := context.WithCancel(context.Background())
	outcome := make(chan error, 1)
	go func() {
		outcome <- db.Submit(taken, func(tx *badger.Tx) error {
			entered <- true
			<-release
			tx.Put([]byte("taken"), []byte("1"))
			return nil
		})
	}()
	<-entered
	cancel() // the committer has it: the answer must be the true one

	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	err := db.Submit(short, func(tx *badger.Tx) error { // waits in the queue
		tx.Put([]byte("withdrawn"), []byte("1"))
		return nil
	})
	wantErr(t, err, context.DeadlineExceeded)
	err = db.Submit(short, func(tx *badger.Tx) error { return nil })
	wantErr(t, err, context.DeadlineExceeded)
	full, stopFull := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stopFull()
	err = db.Submit(full, func(tx *badger.Tx) error { // does not get into the queue
		tx.Put([]byte("withdrawn"), []byte("1"))
		return nil
	})
	wantErr(t, err, context.DeadlineExceeded)
	close(release)
	if err := <-outcome; err != nil {
		t.Fatalf("a taken request: %v", err)
	}
	wantValue(t, db, "taken", "1")
	mustPut(t, db, "after", "1")
	wantValue(t, db, "withdrawn", "")
}

// TestDropPrefixUnderWriters drops one prefix again and again while others
// write beside it: no writer fails or loses anything.
func TestDropPrefixUnderWriters(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	stop := make(chan bool)
	var wg sync.WaitGroup
	counts := make([]int, 8)
	for g := range counts {
		wg.Go(func() {
			for ; ; counts[g]++ {
				select {
				case <-stop:
					return
				default:
				}
				err := put(db, fmt.Sprintf("keep%d.%d", g, counts[g]), "v")
				if err == nil {
					err = put(db, fmt.Sprintf("drop%d.%d", g, counts[g]), "v")
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		if err := db.DropPrefix(context.Background(), []byte("drop")); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := db.DropPrefix(context.Background(), []byte("drop")); err != nil {
		t.Fatal(err)
	}
	for g, n := range counts {
		if n == 0 {
			t.Fatal("a writer did nothing")
		}
		for i := range n {
			wantValue(t, db, fmt.Sprintf("keep%d.%d", g, i), "v")
		}
	}
	if entries, _, err := db.Scan([]byte("drop"), nil, 1); err != nil || len(entries) > 0 {
		t.Fatalf("left after the drop: %d, %v", len(entries), err)
	}
}

// TestCloseDrains closes while writers submit: what was acknowledged is there
// after opening again, and every other submission got ErrClosed.
func TestCloseDrains(t *testing.T) {
	dir := t.TempDir()
	db := open(t, badger.Config{Dir: dir, Queue: 4})
	acked := make([]int, 16)
	var wg sync.WaitGroup
	for g := range acked {
		wg.Go(func() {
			for {
				err := put(db, fmt.Sprintf("%d.%d", g, acked[g]), "v")
				if errors.Is(err, badger.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[g]++
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	db = open(t, badger.Config{Dir: dir})
	for g, n := range acked {
		for i := range n {
			wantValue(t, db, fmt.Sprintf("%d.%d", g, i), "v")
		}
		wantValue(t, db, fmt.Sprintf("%d.%d", g, n), "")
	}
}
