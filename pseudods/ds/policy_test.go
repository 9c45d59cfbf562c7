package ds_test

import (
	"crypto/rand"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// bare gives a client a credential that is nothing but a pseudonym.
func (c *client) bare() *client {
	c.mls.Credential = mls.BasicCredential(random(16))
	ext := wire.KeyPackageAddress{Address: c.address.Address, WelcomeKey: [32]byte(c.welcome.Public().Public)}
	c.kp = must(group.NewKeyPackage(c.cfg, c.mls, group.KeyPackageOptions{Extensions: must(mls.Extensions{}.With(wire.ExtensionQueueAddress, &ext))}))
	return c
}

// TestINV10PolicyHolds: what the members agreed on in the GroupContext is
// enforced against each of them.
func TestINV10PolicyHolds(t *testing.T) {
	r := newRig(t, nil)
	a := r.person("a", domain) // a member of the service's own provider
	strict := &wire.GroupPolicy{Profile: wire.ProfilePseudonymous, MaxMembers: 3}
	r.ok(r.call(a.createRequest(strict), new(wire.Accepted)))
	guest, stranger := r.person("guest", "one.example"), r.person("stranger", "one.example")
	r.refused(a.add(wire.OpAddUsers, stranger.bare()), wire.CodeNotAllowed)
	r.ok(a.add(wire.OpAddUsers, guest))
	r.settle(a, a, guest)

	other := r.person("other", domain)
	r.refused(guest.add(wire.OpAddUsers, other), wire.CodeNotAllowed)
	r.refused(guest.remove(wire.OpRemoveUsers, a), wire.CodeNotAllowed)
	r.refused(other.external(wire.OpExternalJoin, a, nil), wire.CodeNotAllowed)
	r.ok(guest.commit(wire.OpUpdate, nil))
	r.settle(guest, a)
	r.refused(a.add(wire.OpAddUsers, other, r.person("one too many", domain)), wire.CodeFull)
	r.ok(a.add(wire.OpAddUsers, other))
	r.settle(a, a, guest, other)

	lost := must(guest.OwnLeaf())
	guest.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	guest.newAddress("one.example", wire.AddressBound)
	r.ok(guest.external(wire.OpRejoin, a, &lost))
}

func TestDefaultPolicyTakesBarePseudonyms(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("a")
	plain := r.person("plain", "one.example").bare()
	r.ok(a.add(wire.OpAddUsers, plain))
	r.settle(a, a, plain)
	r.ok(plain.send("hello"))
	r.settle(a, a)
	if len(a.seen) != 1 {
		t.Fatalf("saw %q", a.seen)
	}
	twin := r.person("twin", "one.example")
	twin.mls.Credential = plain.mls.Credential
	twin.kp = must(group.NewKeyPackage(twin.cfg, twin.mls, group.KeyPackageOptions{}))
	r.refused(a.add(wire.OpAddUsers, twin), wire.CodeNotAllowed)
	r.refused(a.add(wire.OpAddClients, twin), wire.CodeNotAllowed)
}

func TestCreate(t *testing.T) {
	r := newRig(t, nil)
	a := r.person("a", "one.example")
	request := a.createRequest()
	r.ok(r.call(request, nil))
	r.ok(r.call(request, nil)) // a retry
	var w wire.Request
	r.ok(mls.Unmarshal(request, &w))
	w.Nonce[0] ^= 1
	r.refused(r.call(a.sign(&w), nil), wire.CodeNotAllowed) // there is one
	foreign := r.person("b", "one.example")
	foreign.address.Address.Sealed.Kind = wire.AddressBound
	foreign.Group = must(group.Create(foreign.cfg, foreign.mls, random(32), nil))
	nodes := must(foreign.Tree())
	body := &wire.CreateGroup{Group: foreign.id(), GroupInfo: infoMessage(must(foreign.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
		Tree: must(mls.Marshal(&nodes)), Address: &foreign.address}
	r.refused(r.call(foreign.request(wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, stateKey(foreign.Group)), nil), wire.CodeNotAllowed)
}

func TestDeleteGroup(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a := all[0]
	id, create := a.id(), a.sendRequest("x")
	del := func(c *client) []byte {
		return c.request(wire.OpDeleteGroup, &wire.GroupQuery{Group: id}, c.leafAuth(), stateKey(c.Group))
	}
	r.refused(r.call(del(a), nil), wire.CodeNotAllowed)
	r.ok(a.remove(wire.OpRemoveUsers, all[1:]...))
	request := del(a)
	r.ok(r.call(request, new(wire.Accepted)))
	r.ok(r.call(request, new(wire.Accepted))) // a retry
	for k := range r.store.Records(id) {
		if k[0] != 'h' && k[0] != 'r' && k[0] != 'x' {
			t.Errorf("a record of kind %q is left", k[0])
		}
	}
	r.refused(a.send("anybody?"), wire.CodeNotAllowed)
	r.refused(r.call(del(a), nil), wire.CodeNotAllowed)
	create.Operation, create.Auth = wire.OpCreateGroup, wire.Auth{Type: wire.AuthJoiner}
	nodes := must(a.Tree())
	create.Body = must(mls.Marshal(&wire.CreateGroup{Group: id, GroupInfo: infoMessage(must(a.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
		Tree: must(mls.Marshal(&nodes)), Address: &a.address}))
	r.refused(r.call(a.sign(create), nil), wire.CodeNotAllowed)
	r.settle(a, all[1:]...)
	if !all[1].gone || !all[2].gone {
		t.Fatal("the others were not told")
	}
}
