package ds_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var identified = &wire.GroupPolicy{Profile: wire.ProfileIdentified, ExternalJoins: true, Guests: true}

// employee makes a client whose credential names an account.
func (r *rig) employee(account, provider string) *client {
	c := wire.AccountCredential{Account: account, Provider: provider, Client: wire.Pseudonym(random(16))}
	return r.person(account, provider).called(must(c.Credential()))
}

// archive is what was retained.
type archive struct {
	messages []ds.Retained
	broken   bool
}

func (a *archive) retain(_ context.Context, m ds.Retained) error {
	if a.broken {
		return errors.New("archive is full")
	}
	a.messages = append(a.messages, m)
	return nil
}

// TestINV10ProfilesAreNeverMixed: a service that does not serve a profile takes
// no group of it, not as one of another either, and no leaf that does not fit.
func TestINV10ProfilesAreNeverMixed(t *testing.T) {
	r := newRig(t, nil)
	a := r.employee("ann", domain)
	r.refused(r.call(a.createRequest(identified), nil), wire.CodeNotAllowed)
	r.refused(r.call(a.createRequest(&wire.GroupPolicy{Profile: wire.ProfilePseudonymous}), nil), wire.CodeNotAllowed)

	r.cfg.Profiles = []wire.Profile{wire.ProfileIdentified, wire.ProfilePseudonymous}
	r.restart()
	r.ok(r.call(a.createRequest(identified), nil))
	pseudonymous := r.person("b", domain)
	r.refused(pseudonymous.external(wire.OpExternalJoin, a, nil), wire.CodeNotAllowed)
	r.refused(r.person("b", domain).addedBy(a), wire.CodeNotAllowed)
	r.refused(r.person("b", domain).bare().addedBy(a), wire.CodeNotAllowed)
	r.refused(r.call(r.person("b", domain).createRequest(identified), nil), wire.CodeNotAllowed)
	r.refused(a.changePolicy(func(p *wire.GroupPolicy) { p.Profile = wire.ProfilePseudonymous }), wire.CodeNotAllowed)
	next := a.successor()
	next.Extensions = nil // the default policy, and so another profile
	r.refused(a.commit(wire.OpReInit, []*mls.Proposal{group.ReInit(next)}), wire.CodeNotAllowed)
	b := r.employee("bob", domain)
	r.ok(b.addedBy(a))
	r.settle(a, a, b)
	r.ok(b.send("hello"))

	r.cfg.Profiles = []wire.Profile{wire.ProfilePseudonymous}
	r.restart()
	r.refused(b.send("anybody?"), wire.CodeNotAllowed)
	r.refused(r.call(a.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: a.id()}, wire.Auth{}, stateKey(a.Group)), nil), wire.CodeNotAllowed)
}

func (c *client) addedBy(a *client) error { return a.add(wire.OpAddUsers, c) }

// TestIdentifiedGroup: accounts are users, whose clients are theirs, and guests
// are those of other providers.
func TestIdentifiedGroup(t *testing.T) {
	r := newRig(t, func(c *ds.Config) { c.Profiles = []wire.Profile{wire.ProfileIdentified} })
	a, phone, b := r.employee("ann", domain), r.employee("ann", domain), r.employee("bob", "other.example")
	strict := *identified
	strict.Guests = false
	r.ok(r.call(a.createRequest(&strict), nil))
	r.refused(phone.addedBy(a), wire.CodeNotAllowed)
	r.ok(a.add(wire.OpAddClients, phone))
	r.settle(a, a, phone)
	r.ok(b.addedBy(a))
	r.settle(a, a, phone, b)
	r.refused(b.remove(wire.OpRemoveUsers, a, phone), wire.CodeNotAllowed)
	r.ok(a.changePolicy(func(p *wire.GroupPolicy) { p.Banned = [][]byte{[]byte("bob@other.example")} }, b))
	r.settle(a, a, phone, b)
	if !b.gone {
		t.Fatal("still a member")
	}
	r.refused(r.employee("bob", "other.example").addedBy(a), wire.CodeNotAllowed)
	r.ok(r.employee("bob", domain).addedBy(a)) // somebody else
}

// TestRetention: each message of an identified group is retained with its
// sender before it is stored, and none goes out if that fails.
func TestRetention(t *testing.T) {
	kept, pay := new(archive), &till{spent: map[string][32]byte{}}
	r := newRig(t, func(c *ds.Config) {
		c.Profiles = []wire.Profile{wire.ProfileIdentified, wire.ProfilePseudonymous}
		c.Retain = kept.retain
	})
	a, b, c := r.employee("ann", domain), r.employee("bob", domain), r.employee("cid", domain)
	r.ok(r.call(a.createRequest(identified), nil))
	r.ok(b.addedBy(a))
	r.settle(a, a, b)
	r.ok(b.send("hello"))
	must(b.target(0, "psst"))
	r.settle(a, a)
	r.ok(c.external(wire.OpExternalJoin, a, nil))
	r.settle(c, a, b)
	r.ok(b.propose(wire.OpSelfRemove, must(b.Propose(group.SelfRemove(), group.MessageOptions{}))))
	var got []string
	for _, m := range kept.messages {
		if m.Group != a.id() || len(m.Message) == 0 {
			t.Errorf("retained %d octets of another group", len(m.Message))
		}
		got = append(got, fmt.Sprint(m.Kind, " by ", m.Account))
	}
	want := fmt.Sprint([]string{fmt.Sprint(wire.FanoutCommit, " by ann@", domain), fmt.Sprint(wire.FanoutApplication, " by bob@", domain),
		fmt.Sprint(wire.FanoutTargeted, " by bob@", domain), fmt.Sprint(wire.FanoutCommit, " by cid@", domain), fmt.Sprint(wire.FanoutProposal, " by bob@", domain)})
	if fmt.Sprint(got) != want {
		t.Fatalf("retained %s, want %s", got, want)
	}
	r.settle(c, a, b, c)

	kept.broken, r.cfg.Payments = true, pay
	r.restart()
	before := r.store.Records(a.id())
	w := must(wire.ParseRequest(c.request(wire.OpTargetedMessage, &wire.TargetedMessage{Group: c.id(), Content: []byte("x")}, c.leafAuth(), stateKey(c.Group)), 1<<16))
	r.refused(r.call(c.sign(w), nil), wire.CodeInternal)
	r.refused(c.commit(wire.OpUpdate, nil), wire.CodeInternal)
	r.settle(c, a, b, c)
	if !maps.EqualFunc(before, r.store.Records(a.id()), bytes.Equal) || len(pay.spent) != 0 {
		t.Fatal("what was not retained changed the group, or cost something")
	}
	kept.broken = false
	r.ok(c.commit(wire.OpUpdate, nil))

	all, n := r.founded(2), len(kept.messages)
	r.ok(all[0].commit(wire.OpUpdate, nil))
	if len(kept.messages) != n {
		t.Fatal("messages of a pseudonymous group were retained")
	}
}
