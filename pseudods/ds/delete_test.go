package ds_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func (c *client) deletion() []byte {
	return c.request(wire.OpDeleteGroup, &wire.GroupQuery{Group: c.id()}, c.leafAuth(), stateKey(c.Group))
}

// wantTombstone checks that nothing is left of a group but what the answer to a
// retry takes.
func (r *rig) wantTombstone(c *client) {
	r.Helper()
	records := r.store.Records(c.id())
	for k := range records {
		if k[0] != 'h' && k[0] != 'r' && k[0] != 'x' {
			r.Errorf("a record of kind %q is left", k[0])
		}
	}
	if len(records) != 3 {
		r.Errorf("%d records are left", len(records))
	}
}

// TestGroupEnds: its last member removes the others and then deletes the group,
// of which nothing is left in the store, while the others still hear of it.
func TestGroupEnds(t *testing.T) {
	r := newSigningRig(t)
	a := r.person("user 0", "one.example")
	a.trust(r.cfg.Signers[0])
	body := a.createBody()
	body.Roster = part(0, 0)
	r.ok(r.call(a.request(wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, stateKey(a.Group)), nil))
	all := r.joined(a, 4)
	id := a.id()
	r.ok(all[3].propose(wire.OpSelfRemove, must(all[3].Propose(group.SelfRemove(), group.MessageOptions{}))))
	r.settle(a, all...)
	r.refused(r.call(a.deletion(), nil), wire.CodeNotAllowed)
	r.ok(a.remove(wire.OpRemoveUsers, all[1:3]...))
	r.ok(a.add(wire.OpAddUsers, r.person("late", "one.example")))
	r.settle(a, all...)
	r.refused(r.call(a.deletion(), nil), wire.CodeNotAllowed)
	r.ok(a.commit(wire.OpRemoveUsers, []*mls.Proposal{group.Remove(1)}))
	r.ok(r.call(all[1].accessRequest(id, 1, all[1].welcome), nil))
	if kinds := r.kindsOf(a); len(kinds) != len(ds.AllKinds)-1 { // all but a proposal
		t.Errorf("kinds of records before: %v", kinds)
	}
	request := a.deletion()
	r.ok(r.call(request, new(wire.Accepted)))
	r.wantTombstone(a)
	r.restart()
	r.ok(r.call(request, new(wire.Accepted))) // a retry
	r.wantTombstone(a)

	r.refused(a.send("anybody?"), wire.CodeNotAllowed)
	r.refused(r.call(a.deletion(), nil), wire.CodeNotAllowed)
	other := r.person("other", "one.example")
	again := other.createBody()
	again.Group = id
	r.refused(r.call(other.request(wire.OpCreateGroup, again, wire.Auth{Type: wire.AuthJoiner}, stateKey(other.Group)), nil), wire.CodeNotAllowed)
	r.ok(r.call(all[1].accessRequest(id, 1, all[1].welcome), nil))
	r.pass(time.Hour)
	r.refused(r.call(request, nil), wire.CodeStale)
	r.wantTombstone(a)
	r.settle(a, all[1:]...)
	for i, m := range all[1:] {
		if !m.gone {
			t.Errorf("member %d was not told", i+1)
		}
	}
	if waiting := must(r.store.Waiting(t.Context(), ds.Ref{}, 1)); len(waiting) != 0 {
		t.Error("messages wait for nobody")
	}
}

// failingStore fails at one of the batches to come.
type failingStore struct {
	ds.Store
	left int
}

func (s *failingStore) Commit(ctx context.Context, g wire.GroupID, b *ds.Batch) error {
	if s.left--; s.left < 0 {
		return errors.New("store failed")
	}
	return s.Store.Commit(ctx, g, b)
}

// TestINV09LargeGroupIsDeletedInSteps: a deletion that takes more than one step
// makes the group unreadable in its first, and is ended by a retry if it fails in
// between.
func TestINV09LargeGroupIsDeletedInSteps(t *testing.T) {
	defer ds.SetMaxErased(20)()
	r := newRig(t, nil)
	all := r.founded(12)
	a := all[0]
	r.ok(a.remove(wire.OpRemoveUsers, all[1:]...))
	r.settle(a, all[1:]...)
	for range 30 {
		r.ok(a.send("x"))
	}
	r.deliver()
	before := len(r.store.Records(a.id()))
	if before < 80 {
		t.Fatalf("only %d records", before)
	}
	request := a.deletion()
	r.cfg.Store = &failingStore{Store: r.store, left: 2}
	r.restart()
	r.refused(r.call(request, nil), wire.CodeInternal)
	left := r.store.Records(a.id())
	for k := range left {
		if k[0] == 'H' || k[0] == 'l' || k[0] == 'j' {
			t.Errorf("a record of kind %q is left after the first steps", k[0])
		}
	}
	if n := before - len(left); n < 30 || n > 45 {
		t.Errorf("two steps removed %d records", n)
	}
	r.refused(a.send("anybody?"), wire.CodeNotAllowed)
	r.cfg.Store = r.store
	r.restart()
	r.ok(r.call(request, new(wire.Accepted)))
	r.wantTombstone(a)
}
