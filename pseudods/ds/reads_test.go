package ds_test

import (
	"context"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// askedStore counts what it is asked.
type askedStore struct {
	ds.Store
	reads, firsts, messages int
}

func (s *askedStore) Read(ctx context.Context, group wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	s.reads++
	return s.Store.Read(ctx, group, lookups)
}

// TestReadsOfARequest: a message reads its group with two questions to the store, which
// may be far away, and a commit with a few, however large the group is.
func TestReadsOfARequest(t *testing.T) {
	r := newRig(t, nil)
	a := r.crowd(40)
	asked := &askedStore{Store: r.store}
	r.cfg.Store = asked
	r.restart()
	r.ok(a.send("the first of the process looks for what has expired"))
	for _, c := range []struct {
		most int
		do   func() error
	}{
		{2, func() error { return a.send("message") }},
		{5, func() error { return a.commit(wire.OpUpdate, nil) }},
	} {
		asked.reads = 0
		if r.ok(c.do()); asked.reads > c.most {
			t.Errorf("%d reads, want %d", asked.reads, c.most)
		}
	}
}

func (s *askedStore) First(ctx context.Context, group wire.GroupID, lane ds.Lane) (uint64, error) {
	s.firsts++
	return s.Store.First(ctx, group, lane)
}

func (s *askedStore) Message(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (*ds.Message, error) {
	s.messages++
	return s.Store.Message(ctx, group, lane, sequence)
}

// TestMessagesAreNotReadBack: a lane that has messages is looked up once, and what this
// process has put into it is not read from the store.
func TestMessagesAreNotReadBack(t *testing.T) {
	r := newRig(t, func(c *ds.Config) { c.Wake = func([]ds.Ref) {} })
	a := r.founded(1)[0]
	r.deliver()
	asked := &askedStore{Store: r.store}
	r.cfg.Store = asked
	r.restart()
	before := len(r.mail.boxes[string(a.address.Address.Sealed.Ciphertext)].items)
	const messages = 3
	for range messages {
		r.ok(a.send("message"))
	}
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{})
	r.runUntil(d, func() bool {
		return len(r.mail.boxes[string(a.address.Address.Sealed.Ciphertext)].items) == before+messages
	})
	if asked.firsts != 1 || asked.messages != 0 {
		t.Fatalf("looked for the first message %d times, and read %d", asked.firsts, asked.messages)
	}
}
