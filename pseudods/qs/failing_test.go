package qs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var errDisk = errors.New("disk failed")

// failing is a store whose next write fails, with or without having persisted.
type failing struct {
	qs.Store
	appends, payloads bool // which fail
	persist           bool
}

func (f *failing) Append(ctx context.Context, today qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	if !f.appends {
		return f.Store.Append(ctx, today, entries)
	}
	if f.persist {
		if _, err := f.Store.Append(ctx, today, entries[:1+len(entries)/2]); err != nil {
			return nil, err
		}
	}
	return nil, errDisk
}

func (f *failing) PutPayload(ctx context.Context, id wire.PayloadID, payload []byte, n int) error {
	if !f.payloads {
		return f.Store.PutPayload(ctx, id, payload, n)
	}
	if f.persist {
		if err := f.Store.PutPayload(ctx, id, payload, n); err != nil {
			return err
		}
	}
	return errDisk
}

// failingTogether fails alike where payload and entries go in one step.
type failingTogether struct{ *failing }

func (f failingTogether) AppendPayload(ctx context.Context, today qs.Day, id wire.PayloadID, payload []byte, n int, entries []qs.Append) ([]qs.Appended, error) {
	if err := f.PutPayload(ctx, id, payload, n); err != nil {
		return nil, err
	}
	return f.Append(ctx, today, entries)
}

// TestINV06FailedDeliveries: whatever of a delivery became durable before it
// failed, the same delivery sent again reaches everybody once.
func TestINV06FailedDeliveries(t *testing.T) {
	faults := []failing{{appends: true}, {appends: true, persist: true}, {payloads: true}, {payloads: true, persist: true}}
	for n := range 2 * len(faults) {
		fault, together := faults[n/2], n%2 == 0
		var store *failing
		r := newRig(t, func(c *qs.Config) {
			store = &failing{Store: c.Store}
			if c.Store = store; together {
				c.Store = failingTogether{store}
			}
		})
		alice, bob, carol := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
		g := r.newGroup(alice, bob, carol)
		g.send("before")
		d := g.delivery([]byte(long("message", 1000)))
		inner := store.Store
		*store = fault
		store.Store = inner
		for range 2 {
			_, err := r.service.Deliver(r.ctx, g.domain, d)
			r.want(err, errDisk)
		}
		*store = failing{Store: inner}
		r.restart()
		g.deliver(d, wire.Delivered, wire.Delivered, wire.Delivered)
		g.send("after")
		for _, o := range []*owner{alice, bob, carol} {
			o.ack(o.wantMessages("before", long("message", 1000), "after"))
		}
	}
}
