package ds_test

import (
	"crypto/rand"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestUnmodifiedClients: a group of clients that know RFC 9420 alone goes through
// all that they can do, under the default policy.
func TestUnmodifiedClients(t *testing.T) {
	r := newRig(t, nil)
	r.plain = true
	all := r.founded(4)
	a, b, c, d := all[0], all[1], all[2], all[3]
	r.ok(b.send("hello"))
	r.settle(a, all...)
	r.ok(c.commit(wire.OpUpdate, nil))
	r.settle(c, all...)
	late := d.sign(d.sendRequest("still here"))
	r.ok(d.leave())
	r.settle(a, all...)
	r.ok(b.commit(wire.OpUpdate, nil))
	r.settle(b, all...)
	if !d.gone {
		t.Fatal("a client that left is still a member")
	}
	r.refused(r.call(late, nil), wire.CodeNotAllowed)

	guest := r.person("guest", "two.example")
	r.ok(guest.external(wire.OpExternalJoin, a, nil))
	r.settle(guest, a, b, c)
	lost := must(guest.OwnLeaf())
	guest.newAddress("two.example", wire.AddressBound)
	own := guest.mls.Signer
	guest.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader)) // as any member could
	r.refused(guest.external(wire.OpExternalJoin, a, nil), wire.CodeNotAllowed)
	r.refused(guest.external(wire.OpRejoin, a, &lost), wire.CodeNotAllowed) // it has no user key
	r.refused(guest.externalBy(wire.Auth{Type: wire.AuthJoiner}, wire.OpRejoin, a, &lost), wire.CodeNotAllowed)
	guest.mls.Signer = own
	r.ok(guest.externalBy(wire.Auth{Type: wire.AuthJoiner}, wire.OpRejoin, a, &lost))
	r.settle(guest, a, b, c)
	r.ok(guest.send("back"))
	r.settle(a, a, b, c)
	for i, m := range []*client{a, b, c} {
		if got := m.seen; len(got) == 0 || got[len(got)-1] != "back" {
			t.Errorf("client %d saw %q", i, got)
		}
	}
	r.ok(guest.remove(wire.OpRemoveUsers, a, b, c))
	r.settle(guest, a, b, c)
	r.ok(r.call(guest.deletion(), nil))
	r.wantTombstone(guest)
}

// TestMixedClients: whether a commit brings a full GroupInfo or a partial one is
// each committer's affair.
func TestMixedClients(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("a")
	r.plain = true
	b := r.person("b", "one.example")
	r.ok(a.add(wire.OpAddUsers, b)) // in full
	r.plain = false
	r.settle(a, a, b)
	for i := range 4 {
		r.plain = i%2 == 0
		by := []*client{a, b}[i/2]
		r.ok(by.commit(wire.OpUpdate, nil))
		r.settle(by, a, b)
		joiner := r.person("c", "one.example")
		r.ok(joiner.external(wire.OpExternalJoin, a, nil))
		r.settle(joiner, a, b)
		r.ok(a.commit(wire.OpRemoveUsers, []*mls.Proposal{group.Remove(must(joiner.OwnLeaf()))}))
		r.settle(a, a, b)
	}
}
