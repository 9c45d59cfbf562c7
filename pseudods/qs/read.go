package qs

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// readers are those that wait for entries, at most one for each queue.
type readers struct {
	closing chan struct{} // closed by close
	most    int

	// mu guards what follows.
	mu      sync.Mutex
	closed  bool
	waiting map[wire.QueueID]*reader
}

type reader struct {
	arrived  chan struct{} // holds one signal
	replaced chan struct{} // closed when a newer reader takes over
}

// enter makes a new reader the one of its queue.
func (r *readers) enter(queue wire.QueueID) (*reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.waiting[queue]; old != nil {
		close(old.replaced)
	} else if len(r.waiting) >= r.most {
		return nil, ErrBusy
	}
	n := &reader{arrived: make(chan struct{}, 1), replaced: make(chan struct{})}
	r.waiting[queue] = n
	return n, nil
}

func (r *readers) leave(queue wire.QueueID, n *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[queue] == n {
		delete(r.waiting, queue)
	}
}

// wake tells the queue's reader to look, and reports whether there is one.
func (r *readers) wake(queue wire.QueueID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.waiting[queue]
	if n == nil {
		return false
	}
	n.wake()
	return true
}

func (n *reader) wake() {
	select {
	case n.arrived <- struct{}{}:
	default: // it has not yet looked since the last signal
	}
}

// wakeSome wakes the readers of some queues.
func (r *readers) wakeSome(some func(wire.QueueID) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for queue, n := range r.waiting {
		if some(queue) {
			n.wake()
		}
	}
}

func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.closing)
	}
}

// pageSize is how many entries a page has if the reader does not say.
const pageSize = 256

// Read returns a page of a queue's entries after a sequence number. If there are
// none it waits for up to the given time, but not longer than the service's
// ceiling, and then returns an empty page. max is the most entries wanted, zero
// for the service's default.
//
// It fails with [ErrNotFound], [ErrReplaced] when a newer reader takes over,
// [ErrBusy], or the context's error. Entries stay in the queue until they are
// acknowledged.
func (s *Service) Read(ctx context.Context, queue wire.QueueID, after uint64, max int, wait time.Duration) (*wire.QueuePage, error) {
	// The reader is there before it looks, so that an entry that comes after the
	// look wakes it.
	r, err := s.readers.enter(queue)
	if err != nil {
		return nil, err
	}
	defer s.readers.leave(queue, r)
	return s.next(ctx, r, queue, after, max, min(wait, s.cfg.MaxWait))
}

// next returns the next page, or an empty one after the wait.
func (s *Service) next(ctx context.Context, r *reader, queue wire.QueueID, after uint64, max int, wait time.Duration) (*wire.QueuePage, error) {
	if max <= 0 || max > MaxPage {
		max = pageSize
	}
	var over <-chan time.Time
	for {
		page, err := s.cfg.Store.ReadQueue(ctx, queue, s.today(), after, max)
		s.pushed.delete(queue)
		if err != nil || len(page.Entries) > 0 || wait <= 0 {
			return page, err
		}
		if over == nil {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-r.arrived:
		case <-r.replaced:
			return nil, ErrReplaced
		case <-over:
			return page, nil
		case <-s.readers.closing:
			return page, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Stream returns the pages of a queue after a sequence number as they come: all
// there is, then a page that says Empty, if need be without entries, then
// further pages. It ends when the consumer stops or the service closes, or after
// an error, which is one of those of [Service.Read]. An empty page also comes
// each time the service's ceiling for waiting has passed, as a sign of life.
func (s *Service) Stream(ctx context.Context, queue wire.QueueID, after uint64) iter.Seq2[*wire.QueuePage, error] {
	return func(yield func(*wire.QueuePage, error) bool) {
		r, err := s.readers.enter(queue)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.readers.leave(queue, r)
		for wait := time.Duration(0); ; {
			page, err := s.next(ctx, r, queue, after, 0, wait)
			if err == nil && r.isReplaced() {
				page, err = nil, ErrReplaced
			}
			if !yield(page, err) || err != nil || s.readers.isClosed() {
				return
			}
			if n := len(page.Entries); n > 0 {
				after = page.Entries[n-1].Seq
			}
			if wait = s.cfg.MaxWait; !page.Empty {
				wait = 0
			}
		}
	}
}

func (r *reader) isReplaced() bool {
	select {
	case <-r.replaced:
		return true
	default:
		return false
	}
}

func (r *readers) isClosed() bool {
	select {
	case <-r.closing:
		return true
	default:
		return false
	}
}

// Ack removes entries up to and with a sequence number, and takes back tickets:
// each payload goes when the last of its recipients has given its ticket back.
// It fails with [ErrNotFound], or with [ErrTicket] before it changes anything.
// If it fails later, tickets that were not taken back lead to payloads that stay
// until they expire.
func (s *Service) Ack(ctx context.Context, queue wire.QueueID, upto uint64, tickets []wire.Ticket) error {
	if len(tickets) > MaxPage {
		return ErrSize
	}
	if err := s.checkTickets(tickets); err != nil {
		return err
	}
	if err := s.cfg.Store.AckQueue(ctx, queue, s.today(), upto); err != nil {
		return err
	}
	byPayload := make(map[wire.PayloadID][]uint16)
	for _, t := range tickets {
		byPayload[t.Payload] = append(byPayload[t.Payload], t.Index)
	}
	for id, recipients := range byPayload {
		if err := s.cfg.Store.Release(ctx, id, recipients); err != nil {
			return err
		}
	}
	return nil
}
