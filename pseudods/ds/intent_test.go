package ds_test

import (
	"crypto/rand"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestCommitsDoWhatTheySay: a commit that does something else than its operation
// says is refused, and the group goes on.
func TestCommitsDoWhatTheySay(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a, b, c := all[0], all[1], all[2]
	second := r.person("user 0", "two.example")
	for _, op := range []wire.Operation{wire.OpAddUsers, wire.OpUpdate, wire.OpRemoveUsers, wire.OpRemoveClients, wire.OpReInit} {
		r.refused(a.add(op, second), wire.CodeNotAllowed)
	}
	r.refused(b.add(wire.OpAddClients, second), wire.CodeNotAllowed)
	r.ok(a.add(wire.OpAddClients, second))
	r.settle(a, a, b, c, second)

	stranger := r.person("user 9", "one.example")
	for _, op := range []wire.Operation{wire.OpAddClients, wire.OpUpdate, wire.OpRejoin, wire.OpExternalJoin} {
		r.refused(a.add(op, stranger), wire.CodeNotAllowed)
	}
	r.refused(a.remove(wire.OpRemoveClients, b), wire.CodeNotAllowed)
	r.refused(a.remove(wire.OpRemoveUsers, second), wire.CodeNotAllowed)
	r.refused(a.remove(wire.OpUpdate, second), wire.CodeNotAllowed)
	r.refused(b.remove(wire.OpRemoveUsers, a), wire.CodeNotAllowed) // one of two clients
	late := a.sign(a.sendRequest("still here"))
	r.ok(b.remove(wire.OpRemoveUsers, a, second))
	r.settle(b, a, b, c, second)
	if !a.gone || !second.gone || c.gone {
		t.Fatal("others were removed than should have been")
	}
	r.refused(r.call(late, nil), wire.CodeNotAllowed)
	r.ok(c.send("only us"))
	r.settle(c, b)
	if len(b.seen) != 1 {
		t.Fatalf("saw %q", b.seen)
	}
}

// TestINV10ContextStays: nobody changes what all members agreed on.
func TestINV10ContextStays(t *testing.T) {
	r := newRig(t, nil)
	a := r.founded(2)[0]
	change := []*mls.Proposal{group.GroupContextExtensions(mls.Extensions{})}
	for _, op := range []wire.Operation{wire.OpUpdate, wire.OpAddUsers, wire.OpReInit} {
		r.refused(a.commit(op, change), wire.CodeNotAllowed)
	}
	m := must(a.Propose(change[0], group.MessageOptions{}))
	r.refused(a.propose(wire.OpPropose, m), wire.CodeNotAllowed)
}

func (c *client) propose(op wire.Operation, m *mls.Message) error {
	return c.call(c.request(op, &wire.GroupMessage{Group: c.id(), Message: must(mls.Marshal(m))}, c.leafAuth(), stateKey(c.Group)), new(wire.Accepted))
}

// successor is what to go on with after the group.
func (c *client) successor() mls.ReInit {
	var id wire.NewGroupID
	c.ok(c.call(c.request(wire.OpRequestGroupID, &wire.Empty{}, wire.Auth{}, secret.Bytes{}), &id))
	return mls.ReInit{GroupID: id.Group[:], Version: mls.MLS10, CipherSuite: mls.X25519AES128GCM, Extensions: c.Context().Extensions}
}

func TestSelfRemove(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	leave := must(all[2].Propose(group.SelfRemove(), group.MessageOptions{}))
	r.refused(all[2].propose(wire.OpPropose, leave), wire.CodeNotAllowed)
	r.refused(all[1].propose(wire.OpSelfRemove, leave), wire.CodeNotAllowed)
	r.refused(all[0].commit(wire.OpPropose, nil), wire.CodeMalformed)
	r.ok(all[2].propose(wire.OpSelfRemove, leave))
	// Who has not heard of it can not leave it out.
	r.refused(all[1].commit(wire.OpUpdate, nil), wire.CodePendingProposals)
	r.settle(all[0], all...)
	r.ok(all[1].commit(wire.OpUpdate, nil))
	r.settle(all[1], all...)
	if !all[2].gone {
		t.Fatal("still a member")
	}
}

// external joins by external commit, and removes the client's old leaf if it
// has one.
func (c *client) external(op wire.Operation, via *client, remove *mls.LeafIndex) error {
	if op == wire.OpRejoin {
		return c.externalBy(c.userAuth(), op, via, remove)
	}
	return c.externalBy(wire.Auth{Type: wire.AuthJoiner}, op, via, remove)
}

func (c *client) externalBy(auth wire.Auth, op wire.Operation, via *client, remove *mls.LeafIndex) error {
	info, err := c.externalInfo(via)
	if err != nil {
		return err
	}
	g, request := c.joinBy(info, auth, op, via, remove)
	if err := c.call(request, new(wire.Accepted)); err != nil {
		return err
	}
	c.Group = g
	return nil
}

func (c *client) externalInfo(via *client) (*wire.ExternalCommitInfo, error) {
	info := new(wire.ExternalCommitInfo)
	return info, c.call(c.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: via.id()}, wire.Auth{}, stateKey(via.Group)), info)
}

// externalRequest is a request to join by external commit.
func (c *client) externalRequest(auth wire.Auth, op wire.Operation, via *client, remove *mls.LeafIndex) []byte {
	_, request := c.joinBy(must(c.externalInfo(via)), auth, op, via, remove)
	return request
}

func (c *client) joinBy(info *wire.ExternalCommitInfo, auth wire.Auth, op wire.Operation, via *client, remove *mls.LeafIndex) (*group.Group, []byte) {
	var gi mls.GroupInfo
	var nodes mls.RatchetTree
	c.ok(mls.Unmarshal(info.GroupInfo, &gi))
	c.ok(mls.Unmarshal(info.Tree, &nodes))
	c.address.Address.Sealed.Kind = wire.AddressBound
	g, commit, err := group.JoinExternal(c.cfg, c.mls, &gi, group.ExternalOptions{Tree: nodes, Remove: remove, GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
	c.ok(err)
	body := &wire.GroupCommit{Group: via.id(), Commit: must(mls.Marshal(commit.Message)), NextKey: stateKey(g), Address: &c.address}
	c.inform(body, commit)
	return g, c.request(op, body, auth, stateKey(via.Group))
}

func TestExternalJoinAndRejoin(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(2)
	guest := r.person("user 7", "two.example")
	r.refused(guest.external(wire.OpRejoin, all[0], nil), wire.CodeNotAllowed)
	r.ok(guest.external(wire.OpExternalJoin, all[0], nil))
	r.settle(all[0], all...)
	r.ok(guest.send("here I am"))
	r.settle(all[0], all...)
	if len(all[1].seen) != 1 {
		t.Fatalf("saw %q", all[1].seen)
	}
	// The guest lost its state: a new key, the same names.
	lost := must(guest.OwnLeaf())
	guest.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	guest.newAddress("two.example", wire.AddressBound)
	r.refused(guest.external(wire.OpExternalJoin, all[0], nil), wire.CodeNotAllowed)
	// Another member, who knows the credential and the key, is not the user.
	r.refused(guest.externalBy(wire.Auth{Type: wire.AuthJoiner}, wire.OpRejoin, all[0], &lost), wire.CodeNotAllowed)
	own := guest.userAuth()
	guest.user = all[1].user
	r.refused(guest.external(wire.OpRejoin, all[0], &lost), wire.CodeNotAllowed)
	r.refused(guest.externalBy(own, wire.OpRejoin, all[0], &lost), wire.CodeNotAllowed)
	guest.user = r.users["user 7"]
	r.ok(guest.external(wire.OpRejoin, all[0], &lost))
	r.settle(all[0], all...)
	r.ok(all[0].send("welcome back"))
	r.settle(all[0], guest)
	if len(guest.seen) != 1 {
		t.Fatalf("saw %q", guest.seen)
	}
}
