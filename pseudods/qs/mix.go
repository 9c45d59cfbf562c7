package qs

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// mixer gathers the entries of all deliveries of a window and stores them in
// random order, but each queue's in the order they came in. Who compares copies
// of the store made during one window, or reads its write order, then learns
// less about which entries came together. Their senders wait for the window's
// end: nothing is answered before it is durable.
type mixer struct {
	store  Store
	window time.Duration
	today  func() Day

	// mu guards pending. The first one into an empty window starts its timer.
	mu      sync.Mutex
	pending []*mixed
}

// mixed is one delivery in a window.
type mixed struct {
	entries []Append
	results []Appended
	err     error
	done    chan struct{}
}

func (m *mixer) append(ctx context.Context, entries []Append) ([]Appended, error) {
	d := &mixed{entries: entries, results: make([]Appended, len(entries)), done: make(chan struct{})}
	m.mu.Lock()
	m.pending = append(m.pending, d)
	if len(m.pending) == 1 {
		time.AfterFunc(m.window, m.flush)
	}
	m.mu.Unlock()
	select {
	case <-d.done:
		return d.results, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *mixer) flush() {
	m.mu.Lock()
	pending := m.pending
	m.pending = nil
	m.mu.Unlock()
	type origin struct {
		*mixed
		i int
	}
	var origins []origin
	var queues []wire.QueueID
	for _, d := range pending {
		for i := range d.entries {
			origins = append(origins, origin{d, i})
			queues = append(queues, d.entries[i].Queue)
		}
	}
	var seed [32]byte
	rand.Read(seed[:])
	order := shuffle(mathrand.New(mathrand.NewChaCha8(seed)), queues)
	entries := make([]Append, len(order))
	for to, from := range order {
		entries[to] = origins[from].entries[origins[from].i]
	}
	results, err := m.store.Append(context.Background(), m.today(), entries)
	for to, from := range order {
		if o := origins[from]; err != nil {
			o.err = err
		} else {
			o.results[o.i] = results[to]
		}
	}
	for _, d := range pending {
		close(d.done)
	}
}

// shuffle returns a random order of the queues' indices in which those of one
// queue ascend.
func shuffle(r *mathrand.Rand, queues []wire.QueueID) []int {
	order := r.Perm(len(queues))
	next := make(map[wire.QueueID][]int) // indices by queue, ascending
	for i, q := range queues {
		next[q] = append(next[q], i)
	}
	for to, from := range order {
		q := queues[from]
		order[to] = next[q][0]
		next[q] = next[q][1:]
	}
	return order
}
