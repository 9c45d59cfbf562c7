package ds_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestReInit: a group ends by a ReInit, all of its members go on in the one that
// follows, and the old one is deleted.
func TestReInit(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a, b, c := all[0], all[1], all[2]
	next := a.successor()
	r.refused(b.commit(wire.OpUpdate, []*mls.Proposal{group.ReInit(next)}), wire.CodeNotAllowed)
	r.refused(b.propose(wire.OpPropose, must(must(group.Restore(b.cfg, must(b.Marshal()).Reveal())).Propose(group.ReInit(next), group.MessageOptions{}))), wire.CodeNotAllowed)
	r.ok(a.commit(wire.OpReInit, []*mls.Proposal{group.ReInit(next)}))
	r.settle(a, all...)
	for _, m := range all {
		if m.Ended() != group.EndReInit {
			t.Fatal("a member did not see the end of the group")
		}
	}
	old, key := a.Group, stateKey(a.Group)
	lost := must(c.OwnLeaf())
	r.refused(c.external(wire.OpRejoin, a, &lost), wire.CodeNotAllowed)

	// Each of the others brings a new KeyPackage, with the names that it has.
	before := map[*client]*group.Group{}
	for _, m := range []*client{b, c} {
		before[m] = m.Group
		m.newAddress("one.example", wire.AddressOneTime)
		m.called(m.mls.Credential)
		m.Group, m.last = nil, 0
	}
	g, made, err := old.Successor(a.cfg, a.mls, []*mls.KeyPackage{b.kp, c.kp}, group.CommitOptions{GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
	r.ok(err)
	a.Group, a.last = g, 0
	a.newAddress("one.example", wire.AddressBound)
	nodes := must(g.Tree())
	create := &wire.CreateGroup{Group: a.id(), GroupInfo: infoMessage(must(g.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
		Tree: must(mls.Marshal(&nodes)), Address: &a.address}
	r.ok(r.call(a.request(wire.OpCreateGroup, create, wire.Auth{Type: wire.AuthJoiner}, stateKey(g)), nil))
	body := &wire.GroupCommit{Group: a.id(), Commit: must(mls.Marshal(made.Message)), PartialGroupInfo: must(mls.Marshal(made.Partial)),
		Welcome: must(mls.Marshal(made.Welcome)), NextKey: stateKey(a.next())}
	for _, m := range []*client{b, c} {
		body.Joiners = append(body.Joiners, wire.Joiner{Secret: m.address.Secret, JoinInfo: []byte("join info")})
		m.before = before[m]
	}
	r.ok(r.call(a.request(wire.OpAddUsers, body, a.leafAuth(), stateKey(g)), nil))
	must(a.Merge())
	r.settle(a, a, b, c)
	r.ok(c.send("here we go on"))
	r.settle(a, a, b)
	if len(a.seen) != 1 || len(b.seen) != 1 || a.id() != wire.GroupID(next.GroupID) {
		t.Fatalf("saw %q and %q", a.seen, b.seen)
	}

	leaf := wire.Auth{Type: wire.AuthLeaf, Leaf: must(old.OwnLeaf())}
	id := wire.GroupID(old.GroupID())
	r.ok(r.call(a.request(wire.OpDeleteGroup, &wire.GroupQuery{Group: id}, leaf, key), nil))
	if n := len(r.store.Records(id)); n != 3 {
		t.Errorf("%d records are left", n)
	}
}
