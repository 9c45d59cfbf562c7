package group_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// doorman refuses credentials by name and external senders altogether.
type doorman struct{ banned string }

var errBanned = errors.New("banned")

func (d *doorman) ValidateLeaf(l *mls.LeafNode) error {
	if string(l.Credential.Identity) == d.banned {
		return errBanned
	}
	return nil
}

func (d *doorman) ValidateExternalSender(*mls.ExternalSender) error { return errBanned }

func TestCredentialValidator(t *testing.T) {
	alice, bob := newPerson(t, suite, "alice"), newPerson(t, suite, "bob")
	d := &doorman{}
	bob.cfg.Credentials = d
	alice.create(nil)
	add := alice.commits(values(group.Add(bob.keyPackage())))
	nodes, err := alice.Tree()
	if err != nil {
		t.Fatal(err)
	}
	d.banned = "alice"
	_, err = group.JoinWelcome(bob.cfg, add.Welcome.Welcome, group.JoinOptions{Tree: nodes})
	wants(t, err, group.ErrRefused)
	wants(t, err, errBanned)
	d.banned = "eve"
	bob.joinFrom(alice, add)

	eve := newPerson(t, suite, "eve")
	add1 := group.Add(eve.keyPackage())
	m := alice.proposes(add1)
	bob.refuses(m, errBanned)
	_, err = bob.Commit(values(add1))
	wants(t, err, errBanned)
	bob.refuses(alice.drafts(group.CommitOptions{}).Message, group.ErrUnknownProposal)
	alice.Discard()
	bob.refuses(alice.drafts(group.CommitOptions{Skip: func(*epoch.Proposal) bool { return true }, Proposals: []*mls.Proposal{add1}}).Message, errBanned)
	alice.Discard()
	identity := mls.BasicCredential([]byte("eve"))
	none := func(*epoch.Proposal) bool { return true }
	bob.refuses(alice.drafts(group.CommitOptions{Skip: none, Leaf: &group.LeafChange{Credential: &identity}}).Message, errBanned)
	alice.Discard()
	_, joining, err := group.JoinExternal(eve.cfg, eve.client, alice.groupInfo(open), group.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bob.refuses(joining.Message, errBanned)
	senders := mls.ExternalSenders{{SignatureKey: eve.client.Signer.Public(), Credential: identity}}
	es, err := mls.Extensions(nil).With(mls.ExtensionTypeExternalSenders, &senders)
	if err != nil {
		t.Fatal(err)
	}
	bob.refuses(alice.drafts(group.CommitOptions{Skip: none, Proposals: []*mls.Proposal{group.GroupContextExtensions(es)}}).Message, errBanned)
	alice.Discard()
	_, err = group.Create(bob.cfg, bob.client, []byte("x"), es)
	wants(t, err, errBanned)
	bob.takes(alice.drafts(group.CommitOptions{Skip: none}).Message)
}

func TestCheckCommit(t *testing.T) {
	all := people(t, suite, 3)
	alice, bob, carol := all[0], all[1], all[2]
	errRight := errors.New("no right to remove")
	g, err := group.Restore(group.Config{CheckCommit: func(c *group.Committed) error {
		if len(c.Removed) > 0 && c.Committer != 0 {
			return errRight
		}
		return nil
	}}, carol.state())
	if err != nil {
		t.Fatal(err)
	}
	carol.Group = g
	carol.refuses(bob.drafts(values(group.Remove(0))).Message, errRight)
	bob.Discard()
	carol.refuses(bob.drafts(values(group.Remove(2))).Message, group.ErrRefused)
	carol.takes(alice.drafts(values(group.Remove(1))).Message)
}

func TestLifetimes(t *testing.T) {
	alice := newPerson(t, suite, "alice", func(c *group.Config) { c.Now, c.MaxLifetime = at(1000), time.Hour })
	alice.create(nil)
	bob := newPerson(t, suite, "bob")
	for name, tc := range map[string]struct {
		life mls.Lifetime
		want error
	}{
		"good":     {mls.Lifetime{NotBefore: 1000, NotAfter: 1000}, nil},
		"longest":  {mls.Lifetime{NotBefore: 0, NotAfter: 3600}, nil},
		"too long": {mls.Lifetime{NotBefore: 0, NotAfter: 3601}, group.ErrLifetime},
		"expired":  {mls.Lifetime{NotBefore: 0, NotAfter: 999}, group.ErrLifetime},
		"early":    {mls.Lifetime{NotBefore: 1001, NotAfter: 2000}, group.ErrLifetime},
		"inverted": {mls.Lifetime{NotBefore: 2000, NotAfter: 100}, group.ErrLifetime},
	} {
		bob.client.Lifetime = tc.life
		k := bob.keyPackage()
		_, err := alice.Commit(values(group.Add(k)))
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: commit: %v, want %v", name, err, tc.want)
		}
		alice.Discard()
		_, err = alice.Propose(group.Add(k), group.MessageOptions{})
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: propose: %v, want %v", name, err, tc.want)
		}
	}
}

func TestMaxProposals(t *testing.T) {
	all := people(t, suite, 3, func(c *group.Config) { c.MaxProposals = 2 })
	alice, bob := all[0], all[1]
	alice.proposes(group.Remove(2), bob)
	alice.proposes(group.GroupContextExtensions(nil), bob)
	_, err := alice.Propose(group.ReInit(mls.ReInit{Version: mls.MLS10}), group.MessageOptions{})
	wants(t, err, group.ErrTooManyProposals)
	_, err = alice.ProposeUpdate(nil, group.MessageOptions{})
	wants(t, err, group.ErrTooManyProposals)
	alice.commits(group.CommitOptions{}, bob)
	alice.proposes(group.GroupContextExtensions(nil), bob)
}

func TestMaxProposalOctets(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.MaxProposalOctets = 1000 })
	alice, bob := all[0], all[1]
	large := func(n int) *mls.Proposal {
		return group.AppEphemeral(mls.ComponentData{ID: 0x8001, Data: make([]byte, n)})
	}
	alice.proposes(large(500), bob)
	bob.restores()
	_, err := alice.Propose(large(501), group.MessageOptions{})
	wants(t, err, group.ErrTooManyProposals)
	_, err = bob.Propose(large(500), group.MessageOptions{})
	wants(t, err, group.ErrTooManyProposals)
	alice.proposes(large(400), bob)
	alice.commits(group.CommitOptions{}, bob)
}

// A proposal of a type that only the application knows.
func TestCustomProposal(t *testing.T) {
	const custom mls.ProposalType = 0xf123
	alice, bob, carol := newPerson(t, suite, "alice"), newPerson(t, suite, "bob"), newPerson(t, suite, "carol")
	for _, p := range []*person{alice, bob} {
		p.client.Capabilities = group.DefaultCapabilities(suite)
		p.client.Capabilities.Proposals = append(p.client.Capabilities.Proposals, custom)
	}
	alice.create(nil)
	bob.joinFrom(alice, alice.commits(values(group.Add(bob.keyPackage()))))
	p := &mls.Proposal{Type: custom, Opaque: []byte("content")}
	bob.proposes(p, alice)
	made := alice.commits(values(p), bob)
	if o := made.What.Others; len(o) != 2 || string(o[1].Opaque) != "content" || o[1].Sender.Leaf != bob.leaf() || made.What.Path.New == nil {
		t.Errorf("%+v", o)
	}
	carol.joinFrom(alice, alice.commits(values(group.Add(carol.keyPackage())), bob))
	_, err := alice.Commit(values(p)) // carol does not know it
	wants(t, err, epoch.ErrUnsupportedProposal)
}

func TestKeptEpochsAreBounded(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.PastEpochs, c.ResumptionEpochs = 3, 2 })
	for range 8 {
		all[0].commits(group.CommitOptions{}, all[1])
	}
	if past, resumption := all[1].Kept(); past != 3 || resumption != 2 {
		t.Errorf("%d past epochs and %d resumption PSKs are kept", past, resumption)
	}
	size := len(all[1].state())
	for range 8 {
		all[0].commits(group.CommitOptions{}, all[1])
	}
	if grown := len(all[1].state()); grown != size {
		t.Errorf("the state grows from %d to %d octets", size, grown)
	}
}

// Whatever a method is asked for, without rand it makes nothing and changes
// nothing.
func TestRandFails(t *testing.T) {
	all := people(t, suite, 2)
	alice := all[0]
	state := alice.state()
	for n := range 40 {
		cfg := alice.cfg
		cfg.Rand = bytes.NewReader(make([]byte, 7*n))
		g, err := group.Restore(cfg, state)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = g.Commit(group.CommitOptions{}); err == nil {
			return
		}
		after, err := g.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !after.Equal(secret.Clone(state)) {
			t.Fatalf("changed after %d octets of rand", 7*n)
		}
	}
	t.Error("no commit with 280 octets of rand")
}

func TestGREASE(t *testing.T) {
	alice := newPerson(t, suite, "alice")
	var err error
	if alice.client.Capabilities, err = group.WithGREASE(group.DefaultCapabilities(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	c := &alice.client.Capabilities
	greased := slices.ContainsFunc(c.CipherSuites, mls.IsGREASE[mls.CipherSuite]) && slices.ContainsFunc(c.Extensions, mls.IsGREASE[mls.ExtensionType]) &&
		slices.ContainsFunc(c.Proposals, mls.IsGREASE[mls.ProposalType]) && slices.ContainsFunc(c.Credentials, mls.IsGREASE[mls.CredentialType])
	if !greased || len(group.DefaultCapabilities().Proposals)+1 != len(c.Proposals) {
		t.Errorf("no GREASE in %+v", c)
	}
	alice.create(nil)
	bob := newPerson(t, suite, "bob")
	made := alice.commits(group.CommitOptions{Proposals: []*mls.Proposal{group.Add(bob.keyPackage())},
		Welcome: group.GroupInfoOptions{Extensions: mls.Extensions{{Type: 0x5a5a, Data: []byte("ignored")}}}})
	bob.joinFrom(alice, made)
	bob.commits(group.CommitOptions{}, alice)
}

// A client whose own leaf is not valid is stopped before others see it.
func TestInvalidClient(t *testing.T) {
	alice := newPerson(t, suite, "alice")
	alice.client.Extensions = mls.Extensions{{Type: 0xf0f0}}
	_, err := group.Create(alice.cfg, alice.client, []byte("x"), nil)
	wants(t, err, mls.ErrLeafNode)
	_, err = group.NewKeyPackage(alice.cfg, alice.client, group.KeyPackageOptions{})
	wants(t, err, mls.ErrLeafNode)
	_, err = group.NewKeyPackage(group.Config{}, alice.client, group.KeyPackageOptions{})
	wants(t, err, group.ErrNoStore)
	alice.client.Extensions = nil
	_, err = group.Create(alice.cfg, alice.client, []byte("x"), mls.Extensions{{Type: 0xf0f0}})
	wants(t, err, epoch.ErrUnsupportedExtension)
	alice.client.Suite = 0xffff
	_, err = group.Create(alice.cfg, alice.client, []byte("x"), nil)
	wants(t, err, mls.ErrUnsupportedSuite)
	all := people(t, suite, 2)
	_, err = all[0].Commit(group.CommitOptions{Leaf: &group.LeafChange{Extensions: mls.Extensions{{Type: 0xf0f0}}}})
	wants(t, err, mls.ErrLeafNode)
	_, err = all[0].Commit(values(group.SelfRemove()))
	wants(t, err, group.ErrProposalType)
	_, err = all[0].Propose(&mls.Proposal{Type: mls.ProposalTypeUpdate}, group.MessageOptions{})
	wants(t, err, group.ErrProposalType)
}
