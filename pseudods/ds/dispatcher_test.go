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

func (s *lateStore) Oldest(ctx context.Context, group wire.GroupID, lane ds.Lane) (*ds.Message, error) {
	m, err := s.Store.Oldest(ctx, group, lane)
	if m == nil && err == nil {
		s.once.Do(s.hook)
	}
	return m, err
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
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	waiting := 1
	for deadline := time.Now().Add(5 * time.Second); waiting > 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mail.mu.Lock()
		waiting = 2 - len(r.mail.boxes[string(all[0].address.Address.Sealed.Ciphertext)].items)
		r.mail.mu.Unlock()
	}
	cancel()
	<-done
	if waiting > 0 {
		t.Fatalf("%d messages did not go out", waiting)
	}
}
