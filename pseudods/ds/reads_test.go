package ds_test

import (
	"context"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// askedStore counts the reads.
type askedStore struct {
	ds.Store
	reads int
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
