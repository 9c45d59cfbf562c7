package qs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

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
	out := make([]outgoing, len(d.Recipients))
	for i := range out {
		r := &d.Recipients[i]
		out[i] = outgoing{number: r.Number, use: seal.Use{Domain: domain, Binding: r.Binding}, address: &r.Address,
			item: wire.Item{Kind: wire.ItemDelivery, Entry: r.Entry}}
	}
	results, err := s.send(ctx, d.Payload, out)
	if err != nil {
		return nil, fmt.Errorf("qs: delivering: %w", err)
	}
	report := make(wire.DeliveryReport, len(results))
	for i, r := range results {
		report[i] = r.Outcome
	}
	return report, nil
}

// outgoing is an entry on its way into a queue.
type outgoing struct {
	number  uint64
	use     seal.Use
	address *wire.SealedAddress
	item    wire.Item
	brief   bool // nobody uses the stream again

	place place
	known bool // whether there is such a place
}

// send stores a payload and its entries. The payload is durable first: a crash
// after it leaves a payload that nobody knows of, until it expires, and never an
// entry that points nowhere. Each attempt stores its own payload, so that the
// recipients that an earlier one reached keep theirs.
func (s *Service) send(ctx context.Context, payload []byte, out []outgoing) ([]Appended, error) {
	anybody := false
	parallel(len(out), func(i int) {
		o := &out[i]
		o.place, o.known = s.open(o.address, o.use)
	})
	for i := range out {
		anybody = anybody || out[i].known
	}
	results := make([]Appended, len(out))
	for i := range results {
		results[i].Outcome = wire.UnknownAddress
	}
	if !anybody {
		return results, nil
	}
	var id *wire.PayloadID
	if len(payload) > s.cfg.Inline {
		var err error
		if id, err = s.storePayload(ctx, payload, len(out)); err != nil {
			return nil, err
		}
	}
	appends, from, err := s.sealItems(ctx, payload, id, out)
	if err != nil {
		return nil, err
	}
	appended, err := s.append(ctx, appends)
	if err != nil {
		return nil, err
	}
	for i, a := range appended {
		results[from[i]] = a
		if a.Fresh {
			s.arrived(ctx, appends[i].Queue, a.Push)
		}
	}
	if id != nil {
		s.releaseUnused(ctx, *id, results)
	}
	return results, nil
}

func (s *Service) storePayload(ctx context.Context, payload []byte, recipients int) (*wire.PayloadID, error) {
	var id wire.PayloadID
	if _, err := io.ReadFull(s.cfg.Rand, id[:]); err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(id[:], uint32(s.today())+uint32(s.cfg.MaxTTLDays)+1)
	return &id, s.cfg.Store.PutPayload(ctx, id, payload, recipients)
}

// sealItems makes the entries for those recipients whose queues are there; from
// tells which they are.
func (s *Service) sealItems(ctx context.Context, payload []byte, id *wire.PayloadID, out []outgoing) (appends []Append, from []int, err error) {
	var tickets []wire.Ticket
	if id != nil {
		tickets = s.tickets(*id, len(out))
	}
	all := make([]Append, len(out))
	errs := make([]error, len(out))
	parallel(len(out), func(i int) {
		o := &out[i]
		if !o.known {
			return
		}
		p := &o.place
		all[i] = Append{Queue: p.queue, Mark: p.mark, Parent: p.parent, Claim: p.claim, Brief: o.brief, Number: o.number}
		o.item.Address, o.item.Stream = p.address, p.stream
		if id != nil {
			o.item.Ticket = &tickets[i]
		} else {
			o.item.Inline = payload
		}
		errs[i] = s.sealItem(ctx, &all[i], &o.item)
	})
	appends, from = all[:0], make([]int, 0, len(out))
	for i := range out {
		switch {
		case !out[i].known, errors.Is(errs[i], ErrNotFound):
		case errs[i] != nil:
			return nil, nil, errs[i]
		default:
			appends, from = append(appends, all[i]), append(from, i)
		}
	}
	return appends, from, nil
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
	if q, err := s.cfg.Store.Queue(ctx, queue); err == nil && len(q.Settings.Push) > 0 {
		s.cfg.Push.Notify(q.Settings.Push)
	} else {
		s.pushed.delete(queue)
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
