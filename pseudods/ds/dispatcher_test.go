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

// runUntil runs a dispatcher until the mail is as it should be.
func (r *rig) runUntil(d *ds.Dispatcher, arrived func() bool) {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	ok := false
	for deadline := time.Now().Add(5 * time.Second); !ok && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
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
