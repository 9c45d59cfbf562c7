package ds_test

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

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

// userName is the name of a client's user in policies.
func (c *client) userName(profile wire.Profile) []byte {
	return []byte(must(wire.ParseMemberName(profile, &c.mls.Credential)).User)
}

// policyProposal is a change of the policy and nothing else.
func (c *client) policyProposal(change func(*wire.GroupPolicy)) *mls.Proposal {
	extensions := c.Context().Extensions
	p := must(wire.PolicyOf(extensions))
	change(&p)
	return group.GroupContextExtensions(must(extensions.Without(wire.ExtensionGroupPolicy).With(wire.ExtensionGroupPolicy, &p)))
}

func (c *client) changePolicy(change func(*wire.GroupPolicy), removed ...*client) error {
	c.Helper()
	list := []*mls.Proposal{c.policyProposal(change)}
	for _, o := range removed {
		list = append(list, group.Remove(must(o.OwnLeaf())))
	}
	return c.commit(wire.OpChangePolicy, list)
}

// TestINV10AdminsChangeThePolicy: once a group has admins, they alone add and
// remove others, change the policy and end the group, and all members have the
// same policy after each step.
func TestINV10AdminsChangeThePolicy(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(4)
	a, b, c, d := all[0], all[1], all[2], all[3]
	user := func(c *client) []byte { return c.userName(wire.ProfilePseudonymous) }
	agreed := func() {
		t.Helper()
		for _, m := range all {
			if got := m.Context().Extensions; !got.Equal(a.Context().Extensions) {
				t.Fatal("members have different policies")
			}
		}
	}
	onlyA := func(p *wire.GroupPolicy) { p.Admins = [][]byte{user(a), []byte("somebody who is not here")} }
	r.ok(b.changePolicy(onlyA)) // anybody may, as long as there are no admins
	r.settle(b, all...)
	agreed()

	stranger := r.person("stranger", "one.example")
	r.refused(b.add(wire.OpAddUsers, stranger), wire.CodeNotAllowed)
	r.refused(b.remove(wire.OpRemoveUsers, c), wire.CodeNotAllowed)
	r.refused(b.changePolicy(func(p *wire.GroupPolicy) { p.Admins = nil }), wire.CodeNotAllowed)
	r.refused(b.commit(wire.OpReInit, []*mls.Proposal{group.ReInit(b.successor())}), wire.CodeNotAllowed)
	for _, p := range []*mls.Proposal{group.Add(stranger.kp), group.Remove(must(c.OwnLeaf()))} {
		r.refused(b.propose(wire.OpPropose, must(must(group.Restore(b.cfg, must(b.Marshal()).Reveal())).Propose(p, group.MessageOptions{}))), wire.CodeNotAllowed)
	}
	r.ok(b.commit(wire.OpUpdate, nil))
	second := r.person("user 1", "two.example")
	r.ok(b.add(wire.OpAddClients, second))
	r.settle(b, append(all, second)...)
	r.ok(b.remove(wire.OpRemoveClients, second))
	r.settle(b, all...)

	// What an admin proposes, an admin commits.
	r.ok(a.propose(wire.OpPropose, must(a.Propose(group.Add(stranger.kp), group.MessageOptions{}))))
	r.settle(a, all...)
	r.refused(b.commit(wire.OpUpdate, nil, stranger), wire.CodeNotAllowed)
	r.ok(a.commit(wire.OpUpdate, nil, stranger))
	r.settle(a, append(all, stranger)...)

	r.ok(a.changePolicy(func(p *wire.GroupPolicy) { p.Admins = [][]byte{user(d)} }))
	r.settle(a, all...)
	agreed()
	r.refused(a.remove(wire.OpRemoveUsers, b), wire.CodeNotAllowed)
	r.ok(d.remove(wire.OpRemoveUsers, a, b, stranger))
	r.settle(d, all...)
	if !a.gone || !b.gone || c.gone {
		t.Fatal("others were removed than should have been")
	}
	r.ok(d.propose(wire.OpSelfRemove, must(d.Propose(group.SelfRemove(), group.MessageOptions{}))))
	r.settle(d, c)
	r.ok(c.commit(wire.OpUpdate, nil))
	r.refused(r.call(c.request(wire.OpDeleteGroup, &wire.GroupQuery{Group: c.id()}, c.leafAuth(), stateKey(c.Group)), nil), wire.CodeNotAllowed)
}

// TestINV10PolicyChangeIsNothingElse: what comes with a change of the policy, or
// is more than one, is refused, and so is one that nobody could take back.
func TestINV10PolicyChangeIsNothingElse(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(3)
	a, b, c := all[0], all[1], all[2]
	second := r.person("user 1", "two.example")
	r.ok(b.add(wire.OpAddClients, second))
	r.settle(b, append(all, second)...)
	user := func(c *client) []byte { return c.userName(wire.ProfilePseudonymous) }
	change := func(f func(*wire.GroupPolicy)) []*mls.Proposal { return []*mls.Proposal{a.policyProposal(f)} }
	banB := change(func(p *wire.GroupPolicy) { p.Banned = [][]byte{user(b)} })
	withB := func(leaves ...mls.LeafIndex) []*mls.Proposal {
		out := banB
		for _, l := range leaves {
			out = append(out[:len(out):len(out)], group.Remove(l))
		}
		return out
	}
	at := func(c *client) mls.LeafIndex { return must(c.OwnLeaf()) }
	extensions := a.Context().Extensions
	for name, list := range map[string][]*mls.Proposal{
		"another profile":       change(func(p *wire.GroupPolicy) { p.Profile = wire.ProfileIdentified }),
		"too few places":        change(func(p *wire.GroupPolicy) { p.MaxMembers = 3 }),
		"nobody is admin":       change(func(p *wire.GroupPolicy) { p.Admins = [][]byte{[]byte("somebody who is not here")} }),
		"the admin is banned":   change(func(p *wire.GroupPolicy) { p.Admins, p.Banned = [][]byte{user(a)}, [][]byte{user(a)} }),
		"no change":             {group.Remove(at(c))},
		"nothing":               {},
		"who is not banned":     withB(at(c)),
		"one of two clients":    withB(at(b)),
		"external senders gone": {group.GroupContextExtensions(extensions.Without(mls.ExtensionTypeExternalSenders))},
		"an addition":           append(change(func(p *wire.GroupPolicy) {}), group.Add(r.person("new", "one.example").kp)),
		"capabilities": {group.GroupContextExtensions(must(extensions.With(mls.ExtensionTypeRequiredCapabilities,
			&mls.RequiredCapabilities{Credentials: []mls.CredentialType{mls.CredentialTypeBasic}})))},
	} {
		b := a.commitBody(group.CommitOptions{Proposals: list, ForcePath: true})
		if name == "an addition" {
			b.Joiners = []wire.Joiner{{Secret: a.address.Secret}}
		}
		err := r.call(a.request(wire.OpChangePolicy, b, a.leafAuth(), stateKey(a.Group)), nil)
		a.Discard()
		if err == nil || !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.refused(a.commit(wire.OpUpdate, change(func(*wire.GroupPolicy) {})), wire.CodeNotAllowed)

	// A ban is one step: all clients of the user go, and nothing brings it back.
	r.ok(a.commit(wire.OpChangePolicy, withB(at(b), at(second))))
	r.settle(a, append(all, second)...)
	if !b.gone || !second.gone || c.gone {
		t.Fatal("others were removed than should have been")
	}
	again := r.person("user 1", "one.example")
	r.refused(a.add(wire.OpAddUsers, again), wire.CodeNotAllowed)
	r.refused(again.external(wire.OpExternalJoin, a, nil), wire.CodeNotAllowed)
	m := must(must(group.Restore(c.cfg, must(c.Marshal()).Reveal())).Propose(group.Add(again.kp), group.MessageOptions{}))
	r.refused(c.propose(wire.OpPropose, m), wire.CodeNotAllowed)

	// Who is banned and still there may not come back either.
	r.ok(a.changePolicy(func(p *wire.GroupPolicy) { p.Banned = append(p.Banned, user(c)) }))
	r.settle(a, c)
	r.ok(c.commit(wire.OpUpdate, nil))
	r.settle(c, a)
	lost := at(c)
	c.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	r.refused(c.external(wire.OpRejoin, a, &lost), wire.CodeNotAllowed)

	r.ok(a.commit(wire.OpChangePolicy, []*mls.Proposal{group.GroupContextExtensions(extensions)})) // the default again
	r.ok(a.add(wire.OpAddUsers, again))
}

// TestGuestsManageNothing: where guests may not add and remove, they may not let
// themselves, and neither propose what others would commit.
func TestGuestsManageNothing(t *testing.T) {
	r := newRig(t, nil)
	a := r.person("a", domain)
	r.ok(r.call(a.createRequest(&wire.GroupPolicy{Profile: wire.ProfilePseudonymous}), nil))
	guest, other := r.person("guest", "one.example"), r.person("other", "one.example")
	r.ok(a.add(wire.OpAddUsers, guest))
	r.settle(a, a, guest)
	r.refused(guest.changePolicy(func(p *wire.GroupPolicy) { p.Guests = true }), wire.CodeNotAllowed)
	r.refused(guest.commit(wire.OpReInit, []*mls.Proposal{group.ReInit(guest.successor())}), wire.CodeNotAllowed)
	m := must(must(group.Restore(guest.cfg, must(guest.Marshal()).Reveal())).Propose(group.Add(other.kp), group.MessageOptions{}))
	r.refused(guest.propose(wire.OpPropose, m), wire.CodeNotAllowed)
	r.ok(a.changePolicy(func(p *wire.GroupPolicy) { p.Guests = true }))
	r.settle(a, guest)
	r.ok(guest.add(wire.OpAddUsers, other))
}

// TestPolicyLeavesMembersBe: a stricter policy is for those who come.
func TestPolicyLeavesMembersBe(t *testing.T) {
	r := newRig(t, nil)
	a, plain := r.found("a"), r.person("plain", "one.example").bare()
	r.ok(a.add(wire.OpAddUsers, plain))
	r.settle(a, a, plain)
	r.ok(a.changePolicy(func(p *wire.GroupPolicy) { p.BarePseudonyms = false }))
	r.settle(a, a, plain)
	r.ok(plain.commit(wire.OpUpdate, nil))
	r.settle(plain, a)
	r.refused(a.add(wire.OpAddUsers, r.person("another", "one.example").bare()), wire.CodeNotAllowed)
	r.ok(a.send("still together"))
}
