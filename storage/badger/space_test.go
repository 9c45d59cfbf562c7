package badger_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

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
