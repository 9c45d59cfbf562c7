package group_test

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/tree"
)

var open = group.GroupInfoOptions{ExternalPub: true, Tree: true}

func (p *person) groupInfo(o group.GroupInfoOptions) *mls.GroupInfo {
	p.t.Helper()
	info, err := p.GroupInfo(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return over(p.t, &mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: info}).GroupInfo
}

// joinsExternally joins by a commit that all others accept.
func (p *person) joinsExternally(info *mls.GroupInfo, o group.ExternalOptions, others ...*person) *group.Commit {
	p.t.Helper()
	g, made, err := group.JoinExternal(p.cfg, p.client, info, o)
	if err != nil {
		p.t.Fatalf("%s joins: %v", p.name, err)
	}
	p.Group = g
	for _, q := range others {
		q.takes(made.Message)
	}
	agree(p.t, append(others, p)...)
	return made
}

func TestExternalJoin(t *testing.T) {
	for _, c := range mls.CipherSuites() {
		t.Run(fmt.Sprintf("suite=%v", c), func(t *testing.T) {
			t.Parallel()
			all := people(t, c, 3)
			alice, bob, carol := all[0], all[1], all[2]
			dave := newPerson(t, c, "dave")

			// With the tree apart from the GroupInfo.
			nodes, err := alice.Tree()
			if err != nil {
				t.Fatal(err)
			}
			made := dave.joinsExternally(alice.groupInfo(group.GroupInfoOptions{ExternalPub: true}),
				group.ExternalOptions{Tree: nodes, GroupInfo: open}, alice, bob, carol)
			if !made.What.External || made.What.Committer != 3 {
				t.Error("dave is not told where he is")
			}
			dave.hears(bob.sends("welcome"), "welcome")
			carol.hears(dave.sends("thanks"), "thanks")
			dave.commits(group.CommitOptions{}, alice, bob, carol)

			// By the GroupInfo that the first joiner published.
			erin := newPerson(t, c, "erin")
			erin.joinsExternally(dave.groupInfo(open), group.ExternalOptions{}, alice, bob, carol, dave)

			// Rejoin under the same credential, in the old place.
			old := bob.leaf()
			again := newPerson(t, c, bob.name)
			made = again.joinsExternally(alice.groupInfo(open), group.ExternalOptions{Remove: &old}, alice, carol, dave, erin)
			if made.What.Committer != old || len(made.What.Removed) != 1 {
				t.Error("bob did not come back to his place")
			}
			if r := bob.takes(made.Message); r.Committed.Ended != group.EndRemoved {
				t.Error("the old bob is not told")
			}
			again.commits(group.CommitOptions{}, alice, carol, dave, erin)
		})
	}
}

func TestExternalJoinTakesSelfRemoves(t *testing.T) {
	all := people(t, suite, 3)
	alice, bob, carol := all[0], all[1], all[2]
	m := carol.proposes(group.SelfRemove(), alice, bob)
	psk := mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: []byte("ticket")}
	dave := newPerson(t, suite, "dave")
	for _, p := range []*person{alice, bob, dave} {
		p.store.PutExternalPSK(psk.ID, secretOf("admit one"))
	}
	made := dave.joinsExternally(alice.groupInfo(open), group.ExternalOptions{
		SelfRemoves: []*mls.PublicMessage{over(t, m).PublicMessage}, PSKs: []mls.PreSharedKeyID{psk},
		Proposals: []*mls.Proposal{group.AppEphemeral(mls.ComponentData{ID: 0x8001, Data: []byte("hi")})},
	}, alice, bob)
	if len(made.What.Removed) != 1 || made.What.Committer != 2 {
		t.Error("carol's leaf is not dave's now")
	}
	if r := carol.takes(made.Message); r.Committed.Ended != group.EndRemoved {
		t.Error("carol is not told")
	}
}

func TestExternalJoinFails(t *testing.T) {
	all := people(t, suite, 2)
	alice, bob := all[0], all[1]
	dave := newPerson(t, suite, "dave")
	join := func(info *mls.GroupInfo, o group.ExternalOptions) error {
		_, _, err := group.JoinExternal(dave.cfg, dave.client, info, o)
		return err
	}
	changed := func(f func(*mls.GroupInfo)) *mls.GroupInfo {
		info := alice.groupInfo(open)
		f(info)
		if err := info.Sign(alice.client.Signer); err != nil {
			t.Fatal(err)
		}
		return info
	}
	other := newPerson(t, mls.P256AES128GCM, "other")
	_, _, err := group.JoinExternal(other.cfg, other.client, alice.groupInfo(open), group.ExternalOptions{})
	wants(t, err, group.ErrParameters)

	leaf := bob.leaf()
	for name, tc := range map[string]struct {
		err, want error
	}{
		"no external_pub": {join(alice.groupInfo(group.GroupInfoOptions{Tree: true}), group.ExternalOptions{}), group.ErrNoExternalPub},
		"no tree":         {join(alice.groupInfo(group.GroupInfoOptions{ExternalPub: true}), group.ExternalOptions{}), group.ErrNoTree},
		"bad external_pub": {join(changed(func(i *mls.GroupInfo) {
			i.Extensions, _ = i.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: []byte{1}})
		}), group.ExternalOptions{}), mls.ErrPublicKey},
		"tag of a wrong size": {join(changed(func(i *mls.GroupInfo) { i.ConfirmationTag = i.ConfirmationTag[1:] }), group.ExternalOptions{}), epoch.ErrTag},
		"unknown signer":      {join(changed(func(i *mls.GroupInfo) { i.Signer = 7 }), group.ExternalOptions{}), group.ErrSigner},
		"huge signer":         {join(changed(func(i *mls.GroupInfo) { i.Signer = 1<<31 + 0 }), group.ExternalOptions{}), group.ErrSigner},
		"other's signature":   {join(changed(func(i *mls.GroupInfo) { i.Signer = 1 }), group.ExternalOptions{}), mls.ErrSignature},
		"other tree hash":     {join(changed(func(i *mls.GroupInfo) { i.GroupContext.TreeHash = make([]byte, 32) }), group.ExternalOptions{}), group.ErrTreeHash},
		"other suite":         {join(changed(func(i *mls.GroupInfo) { i.GroupContext.CipherSuite = 0xffff }), group.ExternalOptions{}), group.ErrParameters},
		"tree of duplicates": {join(changed(func(i *mls.GroupInfo) {
			nodes, _ := alice.Tree()
			nodes[2] = nodes[0]
			i.Extensions, _ = i.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes)
		}), group.ExternalOptions{}), tree.ErrDuplicateKey},
		"removal of another": {join(alice.groupInfo(open), group.ExternalOptions{Remove: &leaf}), epoch.ErrExternalRemove},
		"unknown psk": {join(alice.groupInfo(open), group.ExternalOptions{
			PSKs: []mls.PreSharedKeyID{{Type: mls.PSKTypeExternal, ID: []byte("?")}}}), group.ErrPSK},
		"proposal it may not have": {join(alice.groupInfo(open), group.ExternalOptions{
			Proposals: []*mls.Proposal{group.Add(dave.keyPackage())}}), epoch.ErrExternalList},
	} {
		if err := tc.err; err == nil || !is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}

	// A message that is not a SelfRemove does not pass for one.
	m := bob.proposes(group.Remove(0), alice)
	wants(t, join(alice.groupInfo(open), group.ExternalOptions{SelfRemoves: []*mls.PublicMessage{m.PublicMessage}}), group.ErrProposalType)
}

// A joiner who used an outdated GroupInfo is told to get a new one, and the
// group goes on.
func TestExternalJoinRace(t *testing.T) {
	all := people(t, suite, 2)
	alice, bob := all[0], all[1]
	info := alice.groupInfo(open)
	dave, erin := newPerson(t, suite, "dave"), newPerson(t, suite, "erin")
	dave.joinsExternally(info, group.ExternalOptions{}, alice, bob)
	_, late, err := group.JoinExternal(erin.cfg, erin.client, info, group.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.refuses(late.Message, epoch.ErrWrongEpoch)
	erin.joinsExternally(dave.groupInfo(open), group.ExternalOptions{}, alice, bob, dave)
}

func TestFindOwnLeaf(t *testing.T) {
	all := people(t, suite, 3)
	nodes, err := all[0].Tree()
	if err != nil {
		t.Fatal(err)
	}
	l, err := group.FindOwnLeaf(nodes, &all[2].client.Credential)
	if err != nil || l != 2 {
		t.Errorf("leaf %d, %v", l, err)
	}
	stranger := mls.BasicCredential([]byte("stranger"))
	_, err = group.FindOwnLeaf(nodes, &stranger)
	wants(t, err, group.ErrNotInTree)
}
