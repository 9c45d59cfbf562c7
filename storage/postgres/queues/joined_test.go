package queues_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

// crowd are callers who append to the same queues at once, each by a mark of its own.
type crowd struct {
	store   queuetest.Store
	callers int
	ids     []wire.QueueID
}

// append has each caller append an entry of this number to all queues.
func (c *crowd) append(t *testing.T, number uint64) (out [][]qs.Appended, errs []error) {
	out, errs = make([][]qs.Appended, c.callers), make([]error, c.callers)
	var wg sync.WaitGroup
	for n := range c.callers {
		wg.Go(func() {
			var entries []qs.Append
			for _, id := range c.ids {
				entries = append(entries, qs.Append{Queue: id, Mark: qs.Mark{byte(n)}, Number: number, Ciphertext: []byte{byte(n), byte(number)}})
			}
			out[n], errs[n] = c.store.Append(t.Context(), 1, entries)
		})
	}
	wg.Wait()
	return out, errs
}

// TestLostCallsOfCrowd: who shares a call whose connection is lost is told what became
// of the own entries, or that nothing is known, and nothing comes in twice.
func TestLostCallsOfCrowd(t *testing.T) {
	s := newSite(t)
	store, err := s.openWithin(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{store, 12, []wire.QueueID{{1}, {2}, {3}, {4}, {5}, {6}}}
	q := qs.Queue{Settings: wire.QueueSettings{Version: 1, MaxEntries: 1 << 20, MaxBytes: 1 << 30, TTLDays: 9}}
	for _, id := range c.ids {
		if _, err := store.CreateQueue(t.Context(), id, 1, q); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 6
	for number := range uint64(rounds) {
		cut := pgtest.Cut(number % 2)
		if number > 0 { // the first makes marks known
			s.proxies.Arm(int(cut), 3)
		}
		out, errs := c.append(t, number+1)
		for n := range out {
			if errs[n] != nil {
				t.Fatal(errs[n])
			}
			for i, o := range out[n] {
				if o.Outcome != wire.Delivered || !o.Fresh {
					t.Errorf("number %d of caller %d in queue %d: %+v", number+1, n, i, o)
				}
			}
		}
		if s.proxies.Disarm() == 0 && number > 0 {
			t.Error("no connection was lost")
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	if c.store, err = s.openWithin(time.Second); err != nil {
		t.Fatal(err)
	}
	defer c.store.Close()
	s.proxies.Arm(int(pgtest.BeforeAnswer), -1)
	_, errs := c.append(t, rounds+1)
	for n, err := range errs {
		if !errors.Is(err, postgres.ErrAmbiguous) && !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("caller %d, of whose entries nothing is known: %v", n, err)
		}
	}
	s.proxies.Disarm()
	out, errs := c.append(t, rounds+1)
	for n := range out {
		if errs[n] != nil {
			t.Fatal(errs[n])
		}
		for _, o := range out[n] {
			if o.Outcome != wire.Delivered {
				t.Errorf("caller %d: %+v", n, o)
			}
		}
	}
	for _, id := range c.ids {
		page, err := c.store.ReadQueue(t.Context(), id, 1, 0, 999)
		if err != nil || len(page.Entries) != c.callers*(rounds+1) {
			t.Fatalf("%d entries, %v", len(page.Entries), err)
		}
		var last [256]byte
		for _, e := range page.Entries {
			if n := e.Ciphertext[0]; e.Ciphertext[1] != last[n]+1 {
				t.Errorf("number %d of caller %d after %d", e.Ciphertext[1], n, last[n])
			}
			last[e.Ciphertext[0]] = e.Ciphertext[1]
		}
	}
}
