package ds_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const day = 24 * time.Hour

// tended makes a group that lets the service propose.
func (r *rig) tended(n int) []*client {
	r.Helper()
	a := r.person("user 0", "one.example")
	a.trust(r.cfg.Signers[0])
	r.ok(r.call(a.createRequest(), nil))
	return r.joined(a, n)
}

func (c *client) trust(service *mls.SignatureKey) {
	senders := mls.ExternalSenders{{SignatureKey: c.mls.Signer.Public(), Credential: mls.BasicCredential([]byte("somebody else"))},
		{SignatureKey: service.Public(), Credential: mls.BasicCredential([]byte(domain))}}
	c.context = must(mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &senders))
}

func newSigningRig(t testing.TB) *rig {
	r := newRig(t, nil)
	r.cfg.Signers = []*mls.SignatureKey{r.person("new", domain).mls.Signer, r.person("old", domain).mls.Signer}
	r.restart()
	return r
}

// loseQueue makes a client's address unknown at its queue service.
func (c *client) loseQueue() {
	c.mail.mu.Lock()
	defer c.mail.mu.Unlock()
	delete(c.mail.boxes, string(c.address.Address.Sealed.Ciphertext))
}

func (c *client) revoke(yes bool) {
	c.mail.mu.Lock()
	defer c.mail.mu.Unlock()
	c.mail.boxes[string(c.address.Address.Sealed.Ciphertext)].revoked = yes
}

// readdress gives the service another address of a member.
func (c *client) readdress() error {
	c.newAddress("one.example", wire.AddressBound)
	c.misses = true
	return c.call(c.request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: c.id(), Address: c.address}, c.leafAuth(), stateKey(c.Group)), nil)
}

// recipients delivers what waits, and counts to how many.
func (r *rig) recipients() int {
	r.Helper()
	counted := map[string]bool{}
	r.mail.count = func(d *wire.Delivery) {
		for _, to := range d.Recipients {
			counted[fmt.Sprint(to.Address.Ciphertext, to.Number)] = true
		}
	}
	defer func() { r.mail.count = nil }()
	r.deliver()
	return len(counted)
}

// proposals are the targets of what others propose to a member.
func (c *client) proposals() (out []mls.LeafIndex) {
	for _, p := range c.Group.Proposals() {
		if p.Type != mls.ProposalTypeRemove || p.Sender.Type != mls.SenderTypeExternal || p.Sender.Index != 1 {
			c.Fatalf("pending is %+v", p)
		}
		out = append(out, p.Remove)
	}
	return out
}

// TestDeadQueueLeadsToARemoval: a member whose queue is gone gets nothing more
// and is proposed to be removed by the next request, whatever that is; the next
// commit then has to cover it.
func TestDeadQueueLeadsToARemoval(t *testing.T) {
	for name, next := range map[string]func(*client) error{
		"a message":       func(c *client) error { return c.send("anybody there?") },
		"a commit":        func(c *client) error { return c.commit(wire.OpUpdate, nil) },
		"an addition":     func(c *client) error { return c.add(wire.OpAddUsers, c.person("new", "one.example")) },
		"another removal": func(c *client) error { return c.commit(wire.OpRemoveUsers, []*mls.Proposal{group.Remove(3)}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newSigningRig(t)
			all := r.tended(4)
			a, b, c := all[0], all[1], all[2]
			c.loseQueue()
			r.ok(a.send("one"))
			r.settle(a, a, b)
			r.restart()
			r.ok(next(a))
			r.ok(a.send("once is enough")) // it has not heard of the proposal
			r.refused(a.commit(wire.OpUpdate, nil), wire.CodePendingProposals)
			r.settle(a, a, b)
			if got := b.proposals(); len(got) != 1 || got[0] != must(c.OwnLeaf()) {
				t.Fatalf("proposed to remove %v", got)
			}
			r.ok(b.commit(wire.OpUpdate, nil))
			r.settle(b, a, b)
			if a.Epoch() != b.Epoch() || len(a.proposals()) != 0 {
				t.Fatalf("epochs %d and %d, proposals %v", a.Epoch(), b.Epoch(), a.proposals())
			}
			if _, err := b.Member(must(c.OwnLeaf())); err == nil {
				t.Fatal("still a member")
			}
			r.refused(c.send("back"), wire.CodeNotAllowed)
			r.ok(a.send("two"))
			r.settle(a, b)
		})
	}
}

// TestDeadQueueWithoutAProposal: who gave another address stays, and so does a
// member of a group that lets the service propose nothing; where nothing can be
// delivered, nothing is.
func TestDeadQueueWithoutAProposal(t *testing.T) {
	for name, trusting := range map[string]bool{"with external senders": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			r := newSigningRig(t)
			make := r.founded
			if trusting {
				make = r.tended
			}
			all := make(3)
			a, b, c := all[0], all[1], all[2]
			c.loseQueue()
			r.ok(a.send("one"))
			r.settle(a, a, b)
			r.ok(c.readdress()) // carries its own note
			r.ok(a.send("two"))
			if n := r.recipients(); n != 3 {
				t.Errorf("%d recipients", n)
			}
			r.settle(a, all...)
			if len(a.proposals()) != 0 || len(c.seen) != 1 {
				t.Fatalf("proposals %v, saw %q", a.proposals(), c.seen)
			}
			if trusting {
				return
			}
			c.loseQueue()
			r.ok(a.send("three"))
			r.settle(a, a, b)
			r.ok(a.send("four"))
			if n := r.recipients(); n != 2 {
				t.Errorf("%d recipients", n)
			}
			r.settle(a, a, b)
			if len(a.proposals()) != 0 {
				t.Fatalf("proposals %v", a.proposals())
			}
		})
	}
}

// TestINV02BlockShowsNothing: an address that its owner revoked is forgotten, and
// the others see no more than that of somebody who is silent.
func TestINV02BlockShowsNothing(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(3)
	a, b, c := all[0], all[1], all[2]
	c.revoke(true)
	r.ok(a.send("one"))
	r.settle(a, a, b)
	r.ok(a.send("two"))
	if n := r.recipients(); n != 2 {
		t.Errorf("%d recipients", n)
	}
	r.settle(a, a, b)
	r.ok(a.commit(wire.OpUpdate, nil))
	r.settle(a, a, b)
	if len(b.proposals()) != 0 || b.last != a.last {
		t.Fatalf("proposals %v", b.proposals())
	}
	if got := must(a.target(must(c.OwnLeaf()), "psst")); got.Sequence != a.last {
		t.Errorf("a message to who blocks has place %d", got.Sequence)
	}
	r.ok(c.readdress())
	r.ok(a.send("three"))
	if n := r.recipients(); n != 3 {
		t.Errorf("%d recipients", n)
	}
}

// TestDeadQueueIsProposedAgain: an external commit makes what is pending void.
func TestDeadQueueIsProposedAgain(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(3)
	a, b, c := all[0], all[1], all[2]
	c.loseQueue()
	r.ok(a.send("one"))
	r.deliver()
	r.ok(a.send("two"))
	r.settle(a, a, b)
	guest := r.person("guest", "one.example")
	r.ok(guest.external(wire.OpExternalJoin, a, nil))
	r.settle(a, a, b)
	if got := b.proposals(); len(got) != 1 || got[0] != must(c.OwnLeaf()) || b.Epoch() != guest.Epoch() {
		t.Fatalf("proposed to remove %v", got)
	}
	r.settle(a, guest)
	r.ok(guest.commit(wire.OpUpdate, nil))
	r.settle(guest, a, b)
	if _, err := b.Member(must(c.OwnLeaf())); err == nil {
		t.Fatal("still a member")
	}
}

// TestManyDeadQueues: one request takes care of a few.
func TestManyDeadQueues(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(8)
	a, b := all[0], all[1]
	for _, c := range all[2:] {
		c.loseQueue()
	}
	r.ok(a.send("one"))
	r.deliver()
	for i, want := range []int{4, 6, 6} {
		r.ok(a.send(fmt.Sprint("message ", i)))
		r.settle(a, b)
		if got := b.proposals(); len(got) != want {
			t.Fatalf("proposed to remove %v", got)
		}
	}
	r.settle(a, a)
	r.ok(b.commit(wire.OpUpdate, nil))
	r.settle(b, a, b)
	if a.Members() != 2 {
		t.Fatalf("%d members", a.Members())
	}
}

func bound(a wire.MemberAddress) wire.MemberAddress {
	a.Address.Sealed.Kind = wire.AddressBound
	return a
}

// busyStore lets another request come in before the first of some batches.
type busyStore struct {
	ds.Store
	before func(*ds.Batch)
}

func (s *busyStore) Commit(ctx context.Context, g wire.GroupID, b *ds.Batch) error {
	if hook := s.before; hook != nil && len(b.Puts) == 1 { // a note
		s.before = nil
		hook(b)
	}
	return s.Store.Commit(ctx, g, b)
}

// TestINV06NoteOfALostQueueIsDurable: the dispatcher's note survives a restart
// and a group that changes meanwhile.
func TestINV06NoteOfALostQueueIsDurable(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(3)
	a, b, c := all[0], all[1], all[2]
	c.loseQueue()
	r.ok(a.send("one"))
	other := must(ds.New(r.cfg)) // another node, on the store itself
	request := b.request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: b.id(), Address: bound(b.address)}, b.leafAuth(), stateKey(b.Group))
	calls := 0
	r.cfg.Store = &busyStore{Store: r.store, before: func(*ds.Batch) {
		calls++
		var response wire.Response
		r.ok(mls.Unmarshal(other.Handle(t.Context(), request), &response))
	}}
	r.restart()
	r.deliver()
	r.restart()
	r.ok(a.send("two"))
	r.settle(a, a, b)
	if got := b.proposals(); len(got) != 1 || got[0] != must(c.OwnLeaf()) || calls != 1 {
		t.Fatalf("proposed to remove %v after %d calls", got, calls)
	}
}

// TestIdleMembersLeave: who was not heard of for long is proposed to be removed,
// and who makes any request stays.
func TestIdleMembersLeave(t *testing.T) {
	r := newSigningRig(t)
	r.cfg.IdleDays = 36
	r.restart()
	all := r.tended(4)
	a, b, c, d := all[0], all[1], all[2], all[3]
	r.pass(20 * day)
	r.ok(b.send("here"))
	r.pass(15 * day)
	r.ok(a.send("everybody is there"))
	r.settle(a, all...)
	if got := b.proposals(); len(got) != 0 {
		t.Fatalf("proposed to remove %v", got)
	}
	r.pass(2 * day)
	r.ok(d.send("me too"))
	r.settle(a, all...)
	if got := b.proposals(); !slices.Equal(got, []mls.LeafIndex{must(c.OwnLeaf())}) {
		t.Fatalf("proposed to remove %v", got)
	}
	r.ok(b.commit(wire.OpUpdate, nil))
	r.settle(b, all...)
	if !c.gone || d.gone {
		t.Fatal("others left than should have")
	}
	r.cfg.IdleDays = -1
	r.restart()
	r.pass(100 * day)
	r.ok(b.send("alone"))
	r.settle(b, a, b, d)
	if got := b.proposals(); len(got) != 0 {
		t.Fatalf("proposed to remove %v", got)
	}
}

// TestActivityIsWrittenSeldom: a member that makes requests every day writes
// about one record a week for it, and in a group that lets the service propose
// nothing, none.
func TestActivityIsWrittenSeldom(t *testing.T) {
	r := newSigningRig(t)
	for name, want := range map[string]int{"tended": 4, "not": 0} {
		a := r.founded(1)[0]
		if want > 0 {
			a = r.tended(1)[0]
		}
		writes, last := 0, string(r.store.Records(a.id())["y"])
		for range 32 {
			r.pass(day)
			r.ok(a.send("x"))
			r.ok(a.send("y"))
			if now := string(r.store.Records(a.id())["y"]); now != last {
				writes, last = writes+1, now
			}
		}
		if writes != want {
			t.Errorf("%s: %d writes", name, writes)
		}
	}
}
