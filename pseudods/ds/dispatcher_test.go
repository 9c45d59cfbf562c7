package ds_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// lateStore calls a hook once, after it told that a lane is empty.
type lateStore struct {
	ds.Store
	once sync.Once
	hook func()
}

func (s *lateStore) Done(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	next, err := s.Store.Done(ctx, group, lane, sequence)
	if next == 0 && err == nil {
		s.once.Do(s.hook)
	}
	return next, err
}

// TestINV06NoWakeIsLost: a message that comes just when its lane was found empty
// goes out without waiting for another.
func TestINV06NoWakeIsLost(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(1)
	late := &lateStore{Store: r.store, hook: func() { r.ok(all[0].send("late")) }}
	r.cfg.Store = late
	r.restart()
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond})
	r.cfg.Wake = d.Wake
	r.restart()
	r.ok(all[0].send("first"))
	r.runUntil(d, func() bool { return len(r.mail.boxes[string(all[0].address.Address.Sealed.Ciphertext)].items) == 2 })
}

// TestWaitingLanes: a lane waits from before its message is accepted until it is in
// the queue.
func TestWaitingLanes(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(1)
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond})
	r.cfg.Wake = d.Wake
	r.restart()
	if n := d.Waiting(); n != 0 {
		t.Errorf("%d lanes wait for nothing", n)
	}
	r.ok(all[0].send("one"))
	if n := d.Waiting(); n != 1 {
		t.Errorf("%d lanes wait", n)
	}
	r.runUntil(d, func() bool {
		return d.Waiting() == 0 && len(r.mail.boxes[string(all[0].address.Address.Sealed.Ciphertext)].items) == 1
	})
}

// runUntil runs a dispatcher until the mail is as it should be.
func (r *rig) runUntil(d *ds.Dispatcher, arrived func() bool) {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	ok := false
	for deadline := time.Now().Add(time.Minute); !ok && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mail.mu.Lock()
		ok = arrived()
		r.mail.mu.Unlock()
	}
	cancel()
	<-done
	if !ok {
		r.Fatal("not all messages went out")
	}
}

// hastyStore delivers a message of the lane elsewhere once, just when its number was
// told.
type hastyStore struct {
	ds.Store
	once sync.Once
	hook func()
}

func (s *hastyStore) Message(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (*ds.Message, error) {
	s.once.Do(func() {
		s.Store.Done(ctx, group, lane, sequence)
		s.hook()
	})
	return s.Store.Message(ctx, group, lane, sequence)
}

// TestINV06AnotherProcessIsFaster: a message that another process delivers meanwhile
// does not end the lane for those that follow.
func TestINV06AnotherProcessIsFaster(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(1)
	r.ok(all[0].send("first"))
	r.cfg.Store = &hastyStore{Store: r.store, hook: func() { r.ok(all[0].send("second")) }}
	r.restart() // and has nothing in hand
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond})
	r.runUntil(d, func() bool { return len(r.mail.boxes[string(all[0].address.Address.Sealed.Ciphertext)].items) == 1 })
}

// hanging is mail of which one provider takes deliveries and does not answer.
type hanging struct {
	*mail
	domain string
	held   chan struct{} // one for each
}

func (h *hanging) Deliver(ctx context.Context, domain string, d *wire.Delivery) (wire.DeliveryReport, error) {
	if domain == h.domain {
		h.held <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.mail.Deliver(ctx, domain, d)
}

// TestINV06HangingProviderHoldsUpNoOther: as many deliveries as there are workers wait
// for a provider, and as many lanes again; a message for another goes out meanwhile,
// also if its lane was not known before.
func TestINV06HangingProviderHoldsUpNoOther(t *testing.T) {
	const workers = 3
	r := newRig(t, nil)
	here := r.founded(1)[0]
	h := &hanging{r.mail, "away.example", make(chan struct{}, 100)}
	d := ds.NewDispatcher(r.ds, h, ds.DispatcherConfig{Workers: workers, Retry: time.Millisecond})
	r.cfg.Wake = d.Wake
	r.restart()
	for range 2*workers + 1 {
		c := r.person("somebody", h.domain)
		r.ok(r.call(c.createRequest(), new(wire.Accepted)))
		r.ok(c.send("to nobody"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range workers {
			<-h.held
		}
		if err := here.send("meanwhile"); err != nil {
			t.Error(err)
			cancel()
		}
	}()
	go func() {
		select {
		case <-time.After(time.Minute):
			t.Error("nothing went out")
			cancel()
		case <-ctx.Done():
		}
	}()
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	for ctx.Err() == nil {
		r.mail.mu.Lock()
		arrived := len(r.mail.boxes[string(here.address.Address.Sealed.Ciphertext)].items)
		r.mail.mu.Unlock()
		if arrived == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := len(h.held); n > 0 {
		t.Errorf("%d more deliveries than workers were handed to the provider", n)
	}
	cancel()
	<-done
}
