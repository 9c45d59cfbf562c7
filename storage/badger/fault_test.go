package badger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
)

var errDisk = errors.New("disk failed")

// failAt fails the nth time that step is reached.
func failAt(step badger.Step, n int) func(badger.Step) error {
	return func(s badger.Step) error {
		if s == step {
			if n--; n == 0 {
				return errDisk
			}
		}
		return nil
	}
}

// TestFaultAtEachStep fails the disk at each step of a write: the caller is told
// that the outcome is open, later requests are refused, and after opening again
// the write is there or not as the step says.
func TestFaultAtEachStep(t *testing.T) {
	for step, kept := range map[badger.Step]string{
		badger.StepPersist: "",
		badger.StepFence:   "new",
		badger.StepAnswer:  "new",
	} {
		cfg := badger.Config{Dir: t.TempDir(), Fence: filepath.Join(t.TempDir(), "fence"), Fault: failAt(step, 3)}
		db := open(t, cfg)
		mustPut(t, db, "before", "1")
		err := put(db, "k", "new")
		wantErr(t, err, badger.ErrAmbiguous)
		wantErr(t, err, errDisk)
		wantErr(t, put(db, "later", "1"), badger.ErrFailed)
		wantErr(t, db.DropPrefix(context.Background(), []byte("before")), badger.ErrFailed)
		if !db.Stats().Failed {
			t.Fatal("not shown in Stats")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Fault = nil
		db = open(t, cfg)
		wantValue(t, db, "k", kept)
		wantValue(t, db, "before", "1")
		wantValue(t, db, "later", "")
		db.Close()
	}
}

// TestFaultReachesWhoeverSawIt: a request that wrote nothing, but read what a
// failed batch wrote, must not be answered from it.
func TestFaultReachesWhoeverSawIt(t *testing.T) {
	db := open(t, badger.Config{Dir: t.TempDir(), Fault: failAt(badger.StepPersist, 1)})
	entered, release := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Submit(context.Background(), func(tx *badger.Tx) error {
			entered <- true
			<-release
			tx.Put([]byte("k"), []byte("1"))
			return nil
		})
		if !errors.Is(err, badger.ErrAmbiguous) {
			t.Errorf("writer: %v", err)
		}
	})
	<-entered
	refusal := errors.New("there is one")
	answer := make(chan error, 1)
	submitted := make(chan bool)
	wg.Go(func() {
		close(submitted)
		answer <- db.Submit(context.Background(), func(tx *badger.Tx) error {
			if _, err := tx.Get([]byte("k")); err == nil {
				return refusal
			}
			return nil
		})
	})
	<-submitted
	for db.QueueLen() == 0 { // until the reader is in the same batch
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if err := <-answer; !errors.Is(err, badger.ErrAmbiguous) {
		t.Fatalf("reader: %v", err)
	}
}

func TestFaultWhileDropping(t *testing.T) {
	for _, step := range []badger.Step{badger.StepDrop, badger.StepDropped} {
		cfg := badger.Config{Dir: t.TempDir(), Fault: failAt(step, 1)}
		db := open(t, cfg)
		mustPut(t, db, "drop", "1")
		mustPut(t, db, "keep", "1")
		wantErr(t, db.DropPrefix(context.Background(), []byte("drop")), badger.ErrAmbiguous)
		wantErr(t, put(db, "k", "v"), badger.ErrFailed)
		db.Close()
		cfg.Fault = nil
		db = open(t, cfg)
		wantValue(t, db, "keep", "1")
		if err := db.DropPrefix(context.Background(), []byte("drop")); err != nil {
			t.Fatal(err)
		}
		wantValue(t, db, "drop", "")
		db.Close()
	}
}

// TestINV07ErrorsQuoteNoKey: Badger wraps its errors in texts that quote keys.
func TestINV07ErrorsQuoteNoKey(t *testing.T) {
	err := badger.Cause(fmt.Errorf("while reading: %w", fmt.Errorf("key: %q: %w", "secret", errDisk)))
	if err != errDisk {
		t.Fatalf("left: %v", err)
	}
}
