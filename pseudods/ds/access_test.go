package ds_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// accessRequest asks the members of a group for its key, as the given leaf.
func (c *client) accessRequest(id wire.GroupID, leaf mls.LeafIndex, key *seal.PrivateKey) []byte {
	body := &wire.AccessRequest{Group: id, Key: [32]byte(key.Public().Public)}
	return c.request(wire.OpAccessRequest, body, wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, secret.Bytes{})
}

// sendFor sends a message and returns the access requests that come back.
func (c *client) sendFor(text string) [][]byte {
	c.Helper()
	var out wire.Accepted
	c.ok(c.call(c.sign(c.sendRequest(text)), &out))
	return out.Access
}

// TestAccessAcrossARemoval: a member that missed a removal has no key that opens
// the group, asks for it, and comes back.
func TestAccessAcrossARemoval(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(4)
	a, late := all[0], all[2]
	r.ok(a.remove(wire.OpRemoveUsers, all[1]))
	r.ok(a.commit(wire.OpUpdate, nil))
	r.refused(late.send("am I in?"), wire.CodeNotAllowed)

	key := must(seal.GenerateKey(wire.X25519))
	lost := must(late.OwnLeaf())
	request := late.accessRequest(a.id(), lost, key)
	r.ok(r.call(request, new(wire.Empty)))
	r.restart()
	r.ok(r.call(request, new(wire.Empty))) // a retry
	send := a.sign(a.sendRequest("somebody asks?"))
	var first, again wire.Accepted
	r.ok(r.call(send, &first))
	r.ok(r.call(send, &again))
	if len(first.Access) != 1 || !bytes.Equal(first.Access[0], request) || len(again.Access) != 1 {
		t.Fatalf("got %d requests and %d again", len(first.Access), len(again.Access))
	}
	if got := a.sendFor("and once more"); len(got) != 0 {
		t.Fatalf("%d requests were handed out twice", len(got))
	}

	asked := must(wire.ParseRequest(first.Access[0], 1<<16))
	var body wire.AccessRequest
	r.ok(mls.Unmarshal(asked.Body, &body))
	grant := must(seal.SealAccess(body.Key, a.id(), &wire.AccessGrant{Epoch: a.Epoch(), GroupStateKey: stateKey(a.Group)}))
	must(a.target(asked.Auth.Leaf, string(grant)))
	r.deliver()
	late.Group = nil // it reads without following
	items := r.mail.boxes[string(late.address.Address.Sealed.Ciphertext)].items
	e := must(seal.OpenEntry(seal.DeliverySecret{Bytes: late.address.Secret}, &items[len(items)-1].entry))
	var f wire.Fanout
	r.ok(mls.Unmarshal(must(seal.OpenPayload(e.PayloadKey, items[len(items)-1].payload)), &f))
	got := must(seal.OpenAccess(key, a.id(), f.Message))
	if f.Kind != wire.FanoutTargeted || got.Epoch != a.Epoch() || !got.GroupStateKey.Equal(stateKey(a.Group)) {
		t.Fatalf("the grant is for epoch %d", got.Epoch)
	}
	late.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	late.newAddress("one.example", wire.AddressBound)
	r.ok(late.external(wire.OpRejoin, a, &lost))
	r.settle(a, a, late)
	r.ok(late.send("back"))
	r.settle(a, a)
	if got := a.seen; got[len(got)-1] != "back" {
		t.Fatalf("saw %q", got)
	}
}

// TestINV03AccessIsCheckedBeforeItIsHandedOut: a request that no member made, or
// made long ago, or that a commit makes void, reaches nobody and is forgotten.
func TestINV03AccessIsCheckedBeforeItIsHandedOut(t *testing.T) {
	key := must(seal.GenerateKey(wire.X25519))
	for name, tc := range map[string]func(*rig, []*client){
		"another's leaf": func(r *rig, all []*client) { r.ok(r.call(all[1].accessRequest(all[0].id(), 2, key), nil)) },
		"nobody's leaf":  func(r *rig, all []*client) { r.ok(r.call(all[1].accessRequest(all[0].id(), 99, key), nil)) },
		"one's own":      func(r *rig, all []*client) { r.ok(r.call(all[0].accessRequest(all[0].id(), 0, key), nil)) },
		"forged": func(r *rig, all []*client) {
			b := all[1].accessRequest(all[0].id(), 1, key)
			b[len(b)-1] ^= 1
			r.ok(r.call(b, nil))
		},
		"too old": func(r *rig, all []*client) {
			r.ok(r.call(all[1].accessRequest(all[0].id(), 1, key), nil))
			r.pass(48 * time.Hour)
		},
		"removed since": func(r *rig, all []*client) {
			r.ok(r.call(all[2].accessRequest(all[0].id(), must(all[2].OwnLeaf()), key), nil))
			b := all[0].commitBody(group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(must(all[2].OwnLeaf()))}})
			var out wire.Accepted
			r.ok(r.call(all[0].request(wire.OpRemoveUsers, b, all[0].leafAuth(), stateKey(all[0].Group)), &out))
			must(all[0].Merge())
			if len(out.Access) != 0 {
				r.Fatal("who removes a member is asked to let it in")
			}
		},
		"removed by now": func(r *rig, all []*client) {
			leaf := must(all[2].OwnLeaf())
			r.ok(all[0].remove(wire.OpRemoveUsers, all[2]))
			r.ok(r.call(all[2].accessRequest(all[0].id(), leaf, key), nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			all := r.founded(3)
			tc(r, all)
			if got := all[0].sendFor("x"); len(got) != 0 {
				t.Errorf("%d requests came back", len(got))
			}
			if n := r.kindsOf(all[0])['a']; n != 0 {
				t.Errorf("%d requests are kept", n)
			}
		})
	}
	r := newRig(t, nil)
	a := r.founded(2)[0]
	before := len(r.store.Records(a.id()))
	w := must(wire.ParseRequest(a.accessRequest(a.id(), 0, key), 1<<16))
	w.GroupStateKey = stateKey(a.Group)
	r.refused(r.call(a.sign(w), nil), wire.CodeMalformed)
	w.GroupStateKey, w.ExpiresAt = secret.Bytes{}, uint64(start.Unix())-1
	r.refused(r.call(a.sign(w), nil), wire.CodeStale)
	w.ExpiresAt, w.RecipientDomain = uint64(start.Unix())+60, "other.example"
	r.refused(r.call(a.sign(w), nil), wire.CodeWrongRecipient)
	if n := len(r.store.Records(a.id())); n != before {
		t.Errorf("%d records of %d", n, before)
	}
}

// TestINV11AccessIsBounded: what strangers can make a group keep has a bound,
// and no answer tells whether there is a group.
func TestINV11AccessIsBounded(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(11)
	a, key := all[0], must(seal.GenerateKey(wire.X25519))
	var requests [][]byte
	for _, c := range all[1:] {
		requests = append(requests, c.accessRequest(a.id(), must(c.OwnLeaf()), key))
		r.ok(r.call(requests[len(requests)-1], new(wire.Empty)))
	}
	last := all[10].accessRequest(a.id(), must(all[10].OwnLeaf()), key)
	r.ok(r.call(last, new(wire.Empty)))
	if n := r.kindsOf(a)['a']; n != 8 {
		t.Fatalf("%d requests are kept", n)
	}
	got := map[string]bool{}
	for _, b := range a.sendFor("x") {
		got[string(b)] = true
	}
	for i, b := range append(requests, last) {
		if want := i >= 2 && i != 9; got[string(b)] != want {
			t.Errorf("request %d: handed out %t, want %t", i, got[string(b)], want)
		}
	}

	known := r.ds.Handle(context.Background(), a.accessRequest(a.id(), 3, key))
	ghost := wire.GroupID{1, 2, 3}
	unknown := r.ds.Handle(context.Background(), a.accessRequest(ghost, 3, key))
	if !bytes.Equal(known, unknown) || len(r.store.Records(ghost)) != 0 {
		t.Errorf("answers %x and %x, %d records", known, unknown, len(r.store.Records(ghost)))
	}
	huge := must(wire.ParseRequest(a.accessRequest(a.id(), 0, key), 1<<16))
	huge.Auth.Signature = make([]byte, 1<<14)
	r.refused(r.call(must(mls.Marshal(huge)), nil), wire.CodeTooLarge)
}

// TestINV08StrangersUseUpNothing: requests for access that cost nothing are
// counted by themselves, and what is too much is not kept.
func TestINV08StrangersUseUpNothing(t *testing.T) {
	r := newRig(t, func(c *ds.Config) { c.PerLeaf = ds.Limit{Every: time.Hour, Burst: 3} })
	a, key := r.found("a"), must(seal.GenerateKey(wire.X25519))
	for i := range 6 {
		r.ok(r.call(a.accessRequest(a.id(), mls.LeafIndex(i+1), key), new(wire.Empty)))
	}
	if n := r.kindsOf(a)['a']; n != 3 {
		t.Errorf("%d requests are kept", n)
	}
	for i := range 3 {
		r.ok(a.send(fmt.Sprint("still mine ", i)))
	}
}
