package account

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// status says how far the account is with its services.
type status struct {
	queue bool // it was created
	// batches are the numbers of the batches that are in use at the queue service.
	batches [2]uint64
	// used tells that a last resort was used, so that the batch is to be replaced.
	used  [2]bool
	cards []ownCard // newest first
}

// MarshalTLS encodes s.
func (s *status) MarshalTLS(w *tlscodec.Writer) {
	w.Bool(s.queue)
	for i := range pools {
		w.Uint64(s.batches[i])
		w.Bool(s.used[i])
	}
	w.Vector(func(w *tlscodec.Writer) {
		for i := range s.cards {
			s.cards[i].MarshalTLS(w)
		}
	})
}

// UnmarshalTLS decodes s.
func (s *status) UnmarshalTLS(r *tlscodec.Reader) {
	*s = status{queue: r.Bool()}
	for i := range pools {
		s.batches[i], s.used[i] = r.Uint64(), r.Bool()
	}
	r.Vector(func(r *tlscodec.Reader) {
		var c ownCard
		c.UnmarshalTLS(r)
		s.cards = append(s.cards, c)
	})
}

func (s *status) clone() *status {
	c := *s
	c.cards = append([]ownCard(nil), s.cards...)
	return &c
}

// statusNow returns the status, which must not be modified.
func (a *Account) statusNow() *status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// setStatus saves what f makes of the status.
func (a *Account) setStatus(f func(*status)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.status.clone()
	f(next)
	if err := a.save(recordStatus, next); err != nil {
		return err
	}
	a.status = next
	return nil
}
