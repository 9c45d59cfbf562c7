package queues_test

import (
	"context"
	"crypto/aes"
	"encoding/binary"
	"slices"
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

// await reads until each of the queues was woken, or fails.
func await(t *testing.T, c <-chan wire.QueueID, ids ...wire.QueueID) map[wire.QueueID]int {
	t.Helper()
	got := map[wire.QueueID]int{}
	for over := time.After(time.Minute); ; {
		if !slices.ContainsFunc(ids, func(id wire.QueueID) bool { return got[id] == 0 }) {
			return got
		}
		select {
		case id := <-c:
			got[id]++
		case <-over:
			t.Fatalf("woken: %v, want %v", got, ids)
		}
	}
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

// TestWatch: what one process adds is told to the others within a second, once, and
// only of the queues that it is in. The first entry of a queue may be told of twice:
// by the call that leaves it to the slower one, and by that.
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
		await(t, c, ids...)
		drain(c, 2*time.Second)
	}
	var numbers [3]uint64
	quickest := time.Minute // a machine may stall, but not each time
	for round := range 4 {  // through the slower call, then the fast one
		from := round % 2
		for i, id := range ids[:2] {
			numbers[i]++
			out, err := stores[from].Append(t.Context(), 1, []qs.Append{{Queue: id, Number: numbers[i], Ciphertext: []byte("entry")}})
			if err != nil || !out[0].Fresh {
				t.Fatal(out, err)
			}
		}
		start := time.Now()
		got := await(t, woken[1-from], ids[:2]...)
		quickest = min(quickest, time.Since(start))
		if got := drain(woken[from], 600*time.Millisecond); len(got) > 0 {
			t.Errorf("round %d: the process that adds wakes itself: %v", round, got)
		}
		for id, n := range drain(woken[1-from], 600*time.Millisecond) {
			got[id] += n
		}
		most := []int{1, 1, 0}
		if round == 0 {
			most = []int{2, 2, 0}
		}
		for i, id := range ids {
			if got[id] > most[i] {
				t.Errorf("round %d: queue %d is woken %d times", round, i, got[id])
			}
		}
	}
	if quickest > time.Second {
		t.Errorf("woken after %v at best", quickest)
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
	await(t, woken, early, late)
	drain(woken, 2*time.Second)
	const other = "'00000000-0000-0000-0000-000000000001'"
	if err := d.Exec("insert into queues.process values (" + other + ", now())"); err != nil {
		t.Fatal(err)
	}
	insert := func(id wire.QueueID) string {
		return "insert into queues.change (process, tags) values (" + other + ", array[" + tagOf(t, id) + "])"
	}
	latch := d.Latch(t)
	latch.Close(t)
	held := make(chan error, 1)
	go func() { held <- d.Exec("begin; " + insert(early) + "; select " + pgtest.AtLatch + "; commit") }()
	latch.Await(t, held)
	if err := d.Exec(insert(late)); err != nil {
		t.Fatal(err)
	}
	if got := await(t, woken, late); got[late] != 1 || got[early] != 0 {
		t.Fatalf("woken: %v", got)
	}
	latch.Open(t)
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	if got := await(t, woken, early); got[early] != 1 || got[late] != 0 {
		t.Fatalf("woken later: %v", got)
	}
	if got := drain(woken, time.Second); len(got) > 0 {
		t.Fatalf("woken again: %v", got)
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
