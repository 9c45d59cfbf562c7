package qs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Deliver puts a delivery into its recipients' queues and says for each what
// became of it. The domain is that of the delivery service that calls, which the
// caller has authenticated: addresses that are bound to another do not open.
//
// What is reported as delivered is durable. After an error any of the recipients
// may have it, and the delivery can be sent again, to all or to some of them. It
// fails with [ErrSize].
func (s *Service) Deliver(ctx context.Context, domain string, d *wire.Delivery) (wire.DeliveryReport, error) {
	if len(d.Payload) == 0 || len(d.Payload) > MaxPayload || len(d.Recipients) == 0 || len(d.Recipients) > MaxRecipients {
		return nil, ErrSize
	}
	results, err := s.send(ctx, &sending{kind: wire.ItemDelivery, domain: domain, payload: d.Payload, recipients: d.Recipients})
	if err != nil {
		return nil, fmt.Errorf("qs: delivering: %w", err)
	}
	report := make(wire.DeliveryReport, len(results))
	for i, r := range results {
		report[i] = r.Outcome
	}
	return report, nil
}

// sending is a payload on its way into queues.
type sending struct {
	kind       wire.ItemKind
	domain     string
	payload    []byte
	recipients []wire.Recipient

	places  []place         // by recipient
	known   []bool          // whether there is such a place
	id      *wire.PayloadID // nil if the payload goes into each entry
	tickets []wire.Ticket
}

// send stores a payload and its entries. The payload is durable first, or with its
// first entries: a crash after it leaves a payload that nobody knows of, until it
// expires, and never an entry that points nowhere. Each attempt stores its own
// payload, so that the recipients that an earlier one reached keep theirs.
func (s *Service) send(ctx context.Context, m *sending) ([]Appended, error) {
	n := len(m.recipients)
	m.places, m.known = make([]place, n), make([]bool, n)
	parallel(n, func(i int) {
		r := &m.recipients[i]
		m.places[i], m.known[i] = s.open(&r.Address, seal.Use{Domain: m.domain, Binding: r.Binding})
	})
	results := make([]Appended, n)
	for i := range results {
		results[i].Outcome = wire.UnknownAddress
	}
	if !slices.Contains(m.known, true) {
		return results, nil
	}
	if len(m.payload) > s.cfg.Inline {
		if err := s.namePayload(m); err != nil {
			return nil, err
		}
		if s.together == nil {
			if err := s.cfg.Store.PutPayload(ctx, *m.id, m.payload, n); err != nil {
				return nil, err
			}
		}
	}
	appends, err := s.sealItems(ctx, m)
	if err != nil {
		return nil, err
	}
	var appended []Appended
	if m.id != nil && s.together != nil {
		appended, err = s.together.AppendPayload(ctx, s.today(), *m.id, m.payload, n, appends)
	} else {
		appended, err = s.append(ctx, appends)
	}
	if err != nil {
		return nil, err
	}
	next := 0
	for i, known := range m.known {
		if !known {
			continue
		}
		a := appended[next]
		if results[i] = a; a.Fresh {
			s.arrived(ctx, appends[next].Queue, a.Push)
		}
		next++
	}
	if m.id != nil {
		s.releaseUnused(ctx, *m.id, results)
	}
	return results, nil
}

func (s *Service) namePayload(m *sending) error {
	var id wire.PayloadID
	if _, err := io.ReadFull(s.cfg.Rand, id[:]); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(id[:], uint32(s.today())+uint32(s.cfg.MaxTTLDays)+1)
	m.id, m.tickets = &id, s.tickets(id, len(m.recipients))
	return nil
}

// sealItems makes the entries for those recipients that are known. Those whose
// queues are not there, or have a key that nothing can be sealed to, are so no more
// after it: one queue must not hold up the others' entries.
func (s *Service) sealItems(ctx context.Context, m *sending) ([]Append, error) {
	all := make([]Append, len(m.recipients))
	var failed atomic.Pointer[error]
	parallel(len(all), func(i int) {
		if !m.known[i] {
			return
		}
		p, r := &m.places[i], &m.recipients[i]
		all[i] = Append{Queue: p.queue, Mark: p.mark, Parent: p.parent, Claim: p.claim, Brief: m.kind == wire.ItemOffer, Number: r.Number}
		item := wire.Item{Kind: m.kind, Address: p.address, Stream: p.stream, Entry: r.Entry}
		if m.id != nil {
			item.Ticket = &m.tickets[i]
		} else {
			item.Inline = m.payload
		}
		if err := s.sealItem(ctx, &all[i], &item); errors.Is(err, ErrNotFound) || errors.Is(err, seal.ErrKey) {
			m.known[i] = false
		} else if err != nil {
			reason := err // which alone is allocated
			failed.Store(&reason)
		}
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	appends := all[:0]
	for i, known := range m.known {
		if known {
			appends = append(appends, all[i])
		}
	}
	return appends, nil
}

func (s *Service) append(ctx context.Context, appends []Append) ([]Appended, error) {
	if len(appends) == 0 {
		return nil, nil
	}
	if s.mixer != nil {
		return s.mixer.append(ctx, appends)
	}
	return s.cfg.Store.Append(ctx, s.today(), appends)
}

// arrived wakes the queue's reader, or its owner's device if there is none.
func (s *Service) arrived(ctx context.Context, queue wire.QueueID, push bool) {
	if s.readers.wake(queue) || !push || s.cfg.Push == nil {
		return
	}
	if _, first := s.pushed.add(queue, struct{}{}, s.cfg.Now()); !first {
		return
	}
	// A push that is lost to an error comes with a later entry.
	lost := func() { s.pushed.delete(queue) }
	if q, err := s.cfg.Store.Queue(ctx, queue); err == nil && len(q.Settings.Push) > 0 {
		s.cfg.Push.Notify(q.Settings.Push, lost)
	} else {
		lost()
	}
}

// releaseUnused gives back the payload for recipients that did not get an entry
// for it. If it fails the payload stays until it expires.
func (s *Service) releaseUnused(ctx context.Context, id wire.PayloadID, results []Appended) {
	var unused []uint16
	for i, r := range results {
		if !r.Fresh {
			unused = append(unused, uint16(i))
		}
	}
	if len(unused) > 0 {
		_ = s.cfg.Store.Release(ctx, id, unused)
	}
}

// parallel calls f for 0 to n-1, on all processors if there is enough to do.
func parallel(n int, f func(int)) {
	const worth = 32 // calls of a microsecond or more
	workers := min(runtime.GOMAXPROCS(0), n/worth)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				f(i)
			}
		})
	}
	wg.Wait()
}
