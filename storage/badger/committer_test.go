package badger_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
)

// TestConcurrentCounter increments one record from many goroutines: nothing is lost.
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
	if s := db.Stats(); s.Requests != workers*each || s.Batches > s.Requests {
		t.Fatalf("%+v", s)
	}
}

// TestRequestsShareBatches: what comes while a batch is written goes in the next one,
// each request on top of those before it.
func TestRequestsShareBatches(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir()})
	const requests = 64
	together(t, db, requests, func(tx *badger.Tx, _ int) {
		v, _ := tx.Get([]byte("n"))
		tx.Put([]byte("n"), append(v, 'x'))
	})
	wantValue(t, db, "n", strings.Repeat("x", requests))
	// The one that held the committer is a batch by itself, or has all others in it.
	if s := db.Stats(); s.Requests != requests+1 || s.Batches > 2 {
		t.Fatalf("no batching: %+v", s)
	}
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
					if counts[g] > 0 { // on a slow disk it comes late to its turn
						return
					}
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
