package queues_test

import (
	"context"
	"crypto/aes"
	"encoding/binary"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// watch runs a store's Watch until the test ends, and returns a channel that gets
// those of the queues that are woken.
func watch(t *testing.T, s *queues.Store, ids ...wire.QueueID) <-chan wire.QueueID {
	t.Helper()
	woken := make(chan wire.QueueID, 1024)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Watch(ctx, func(some func(wire.QueueID) bool) {
			for _, id := range ids {
				if some(id) {
					woken <- id
				}
			}
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return woken
}

func drain(c <-chan wire.QueueID, d time.Duration) (got map[wire.QueueID]int) {
	got = map[wire.QueueID]int{}
	for over := time.After(d); ; {
		select {
		case id := <-c:
			got[id]++
		case <-over:
			return got
		}
	}
}

// TestWatch: what one process adds is told to the others within a second, and only
// of the queues that it is in.
func TestWatch(t *testing.T) { pgtest.Both(t, testWatch, queues.Schema) }

func testWatch(t *testing.T, d *pgtest.Database) {
	var stores []*queues.Store
	var woken []<-chan wire.QueueID
	ids := []wire.QueueID{{1}, {2}, {3}}
	for range 2 {
		s, err := queues.New(d.Open(t), wakeKey)
		if err != nil {
			t.Fatal(err)
		}
		stores, woken = append(stores, s), append(woken, watch(t, s, ids...))
	}
	for _, id := range ids {
		if _, err := stores[0].CreateQueue(t.Context(), id, 1, qs.Queue{SegmentKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}, Settings: wire.QueueSettings{MaxEntries: 1000, MaxBytes: 1 << 20, TTLDays: 9}}); err != nil {
			t.Fatal(err)
		}
	}
	// All look once after the processes found each other.
	for _, c := range woken {
		if got := drain(c, 3*time.Second); len(got) != len(ids) {
			t.Fatalf("at first %v are woken", got)
		}
	}
	var numbers [3]uint64
	for round := range 4 { // through the slower call, then the fast one
		from := round % 2
		for i, id := range ids[:2] {
			numbers[i]++
			out, err := stores[from].Append(t.Context(), 1, []qs.Append{{Queue: id, Number: numbers[i], Ciphertext: []byte("entry")}})
			if err != nil || !out[0].Fresh {
				t.Fatal(out, err)
			}
		}
		start := time.Now()
		for range 2 {
			select {
			case id := <-woken[1-from]:
				if id == ids[2] {
					t.Error("a queue is woken that got nothing")
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("round %d: not woken", round)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("woken after %v", took)
		}
		if got := drain(woken[from], 600*time.Millisecond); len(got) > 0 {
			t.Errorf("the process that adds wakes itself: %v", got)
		}
	}
}

// TestWatchMissesNothing: a change whose number was given out before another's is
// told although it can be seen only later.
func TestWatchMissesNothing(t *testing.T) {
	d := pgtest.New(t, queues.Schema)
	s, err := queues.New(d.Open(t), wakeKey)
	if err != nil {
		t.Fatal(err)
	}
	early, late := wire.QueueID{1}, wire.QueueID{2}
	woken := watch(t, s, early, late)
	drain(woken, 3*time.Second)
	const other = "'00000000-0000-0000-0000-000000000001'"
	if err := d.Exec("insert into queues.process values (" + other + ", now())"); err != nil {
		t.Fatal(err)
	}
	insert := func(id wire.QueueID) string {
		return "insert into queues.change (process, tags) values (" + other + ", array[" + tagOf(t, id) + "])"
	}
	held := make(chan error)
	go func() { held <- d.Exec("begin; " + insert(early) + "; select pg_sleep(2); commit") }()
	time.Sleep(500 * time.Millisecond)
	if err := d.Exec(insert(late)); err != nil {
		t.Fatal(err)
	}
	if got := drain(woken, time.Second); got[late] != 1 || got[early] != 0 {
		t.Fatalf("woken: %v", got)
	}
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	if got := drain(woken, time.Second); got[early] != 1 || got[late] != 0 {
		t.Fatalf("woken later: %v", got)
	}
}

// tagOf is the tag of a queue under wakeKey.
func tagOf(t *testing.T, id wire.QueueID) string {
	t.Helper()
	block, err := aes.NewCipher(wakeKey.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var out [16]byte
	block.Encrypt(out[:], id[:])
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(out[:])), 10)
}
