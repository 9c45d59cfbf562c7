package bench

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/storage/badger"
)

// drained is how many entries a reader asks for at once.
const drained = 64

// queue measures how fast queues are read and acknowledged: each reader takes a
// page, and acknowledges it before the next one. What it costs to append is in
// fanout.
//
// The baseline reads each recipient's copies, and deletes those of a page in one
// synced transaction.
func queue(ctx context.Context, e *env) error {
	const size, members = 256, 16
	messages := sized(e, []int{256}, []int{2048})[0]
	dir, remove, err := e.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	defer s.close()
	crowds, err := s.newCrowds(1, members)
	if err != nil {
		return err
	}
	p, done, err := e.newPeer()
	if err != nil {
		return err
	}
	defer done()
	var ours, theirs drain
	for range rounds {
		l := load{members: members}
		if _, err := l.round(ctx, s, crowds, size, messages); err != nil {
			return err
		}
		if err := ours.run(members, func(i int) (int, error) { return s.drain(ctx, crowds[0].owners[i]) }); err != nil {
			return err
		}
		payload := random(size)
		if err := each(messages, messages, func(int) error { return p.copies(ctx, 0, members, payload) }); err != nil {
			return err
		}
		if err := theirs.run(members, func(i int) (int, error) { return p.drain(ctx, i) }); err != nil {
			return err
		}
	}
	e.emit(Result{Name: "queue_drain", PayloadBytes: size, Value: ours.rate, Unit: "entries/s", Baseline: theirs.rate})
	e.emit(Result{Name: "queue_page_p50", PayloadBytes: size, Value: quantile(ours.pages, 0.5), Unit: "ms", Baseline: quantile(theirs.pages, 0.5)})
	e.emit(Result{Name: "queue_page_p99", PayloadBytes: size, Value: quantile(ours.pages, 0.99), Unit: "ms", Baseline: quantile(theirs.pages, 0.99)})
	return nil
}

// drain is how fast queues were emptied.
type drain struct {
	rate  float64         // entries per second, of the best round
	pages []time.Duration // of each page, to be read and acknowledged
}

// run empties queues side by side. page takes one page of a queue and returns how
// many entries it had.
func (d *drain) run(queues int, page func(i int) (int, error)) error {
	var entries atomic.Int64
	took := make([][]time.Duration, queues)
	start := time.Now()
	err := each(queues, queues, func(i int) error {
		for {
			before := time.Now()
			n, err := page(i)
			if err != nil || n == 0 {
				return err
			}
			took[i] = append(took[i], time.Since(before))
			entries.Add(int64(n))
		}
	})
	d.rate = max(d.rate, float64(entries.Load())/time.Since(start).Seconds())
	for _, t := range took {
		d.pages = append(d.pages, t...)
	}
	return err
}

// drain reads and acknowledges a page of an owner's queue.
func (s *site) drain(ctx context.Context, o *owner) (int, error) {
	page, err := s.qs.Read(ctx, o.queue, 0, drained, 0)
	if err != nil || len(page.Entries) == 0 {
		return 0, err
	}
	return len(page.Entries), s.qs.Ack(ctx, o.queue, page.Entries[len(page.Entries)-1].Seq, nil)
}

// drain reads and deletes a page of a recipient's copies in the first group.
func (p *peer) drain(ctx context.Context, recipient int) (int, error) {
	prefix := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("q"), 0), uint32(recipient))
	entries, _, err := p.db.Scan(prefix, nil, drained)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	return len(entries), p.db.Submit(ctx, func(tx *badger.Tx) error {
		for _, entry := range entries {
			tx.Delete(entry.Key)
		}
		return nil
	})
}
