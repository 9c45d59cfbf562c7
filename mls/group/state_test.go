package group_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// busy makes a group whose state has something of everything, and returns a
// member with a commit pending and one with an Update proposed.
func busy(t testing.TB, c mls.CipherSuite) (alice, bob *person) {
	all := people(t, c, 5, func(c *group.Config) { c.PastEpochs, c.ResumptionEpochs = 2, 2 })
	alice, bob = all[0], all[1]
	carol, dave, erin := all[2], all[3], all[4]
	bob.hears(alice.sends("a"), "a")
	alice.sends("lost")
	bob.hears(alice.sends("b"), "b")
	carol.commits(values(group.Remove(erin.leaf())), alice, bob, dave)
	m, err := bob.ProposeUpdate(&group.LeafChange{Signer: newClient(t, c, "bob").Signer}, group.MessageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.takes(m)
	psk, err := alice.Resumption(alice.GroupID(), alice.Epoch())
	if err != nil {
		t.Fatal(err)
	}
	frank := newPerson(t, c, "frank")
	alice.drafts(group.CommitOptions{
		Proposals:         []*mls.Proposal{group.Add(frank.keyPackage()), psk, group.AppEphemeral(mls.ComponentData{ID: 0x8001})},
		AuthenticatedData: []byte("aad"), GroupInfo: open, Welcome: group.GroupInfoOptions{Tree: true},
	})
	return alice, bob
}

func TestRestoreMidWay(t *testing.T) {
	overSuites(t, func(t *testing.T, c mls.CipherSuite) {
		t.Parallel()
		alice, bob := busy(t, c)
		before := alice.Pending()
		state := alice.state()
		alice.restores()
		bob.restores()
		if !bytes.Equal(alice.state(), state) {
			t.Fatal("a restored group has another state")
		}
		after := alice.Pending()
		if after.What.Added[0].Leaf != before.What.Added[0].Leaf || len(after.What.Updated) != 1 || len(after.What.Others) != 1 || !after.What.Own {
			t.Errorf("the pending commit changed: %+v", after.What)
		}
		bob.takes(after.Message)
		if _, err := alice.Merge(); err != nil {
			t.Fatal(err)
		}
		agree(t, alice, bob)
		alice.hears(bob.sends("signed with the new key"), "signed with the new key")
		bob.commits(group.CommitOptions{}, alice)
	})
}

func TestRestoreEnded(t *testing.T) {
	all := people(t, suite, 2, func(c *group.Config) { c.PastEpochs = 1 })
	alice, bob := all[0], all[1]
	late := alice.sends("late")
	bob.takes(alice.commits(values(group.Remove(bob.leaf()))).Message)
	bob.restores()
	if bob.Ended() != group.EndRemoved {
		t.Error("forgot that it was removed")
	}
	bob.hears(late, "late")
	_, err := bob.Send(nil, group.MessageOptions{})
	wants(t, err, group.ErrRemoved)
	_, err = bob.EpochAuthenticator()
	wants(t, err, group.ErrRemoved)
	_, err = bob.OwnLeaf()
	wants(t, err, group.ErrRemoved)
	_, err = bob.Commit(group.CommitOptions{})
	wants(t, err, group.ErrRemoved)
	_, err = bob.GroupInfo(open)
	wants(t, err, group.ErrRemoved)
	bob.refuses(alice.drafts(group.CommitOptions{}).Message, group.ErrRemoved)
}

func TestStateIsStrict(t *testing.T) {
	alice, _ := busy(t, suite)
	state := alice.state()
	for i := range state {
		if _, err := group.Restore(alice.cfg, state[:i]); !is(err, group.ErrState) {
			t.Fatalf("prefix of %d octets: %v", i, err)
		}
	}
	_, err := group.Restore(alice.cfg, append(bytes.Clone(state), 0))
	wants(t, err, group.ErrState)
	other := bytes.Clone(state)
	other[1]++
	_, err = group.Restore(alice.cfg, other)
	wants(t, err, group.ErrState)
	if !bytes.Equal(alice.state(), state) {
		t.Error("restoring changed its input")
	}
}

// A state whose keys are not those of the member's leaf is not taken for one.
func TestStateHoldsOwnKeys(t *testing.T) {
	alice, _ := busy(t, suite)
	for name, key := range map[string]secret.Bytes{"signature key": alice.client.Signer.Private(), "leaf key": alice.Private().LeafKey().Bytes} {
		bad := alice.state()
		at := bytes.Index(bad, key.Reveal())
		if at < 0 {
			t.Fatalf("no %s in the state", name)
		}
		bad[at+5] ^= 1
		if _, err := group.Restore(alice.cfg, bad); !is(err, group.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Secrets that are consumed must not be found in the state (RFC 9420, Section
// 9.2).
func TestForwardSecrecy(t *testing.T) {
	all := people(t, suite, 4)
	alice, bob, carol, dave := all[0], all[1], all[2], all[3]
	has := func(p *person, b secret.Bytes) bool { return b.Len() > 0 && bytes.Contains(p.state(), b.Reveal()) }
	gone := map[string]secret.Bytes{}
	note := func(name string, b secret.Bytes) {
		if !has(bob, b) {
			t.Fatalf("%s is not in the state to begin with", name)
		}
		gone[name] = secret.Clone(b.Reveal())
	}
	s := bob.Secrets()
	if !s.Encryption.IsZero() || !s.Confirmation.IsZero() {
		t.Error("encryption or confirmation secret is kept")
	}

	// The secrets of an epoch, and the old keys of a path that is replaced.
	for name, b := range map[string]secret.Bytes{
		"init secret": s.Init.Bytes, "sender data secret": s.SenderData, "exporter secret": s.Exporter, "external secret": s.External,
		"membership key": s.Membership, "resumption psk": s.Resumption, "epoch authenticator": s.EpochAuthenticator,
	} {
		note(name, b)
	}
	bob.hears(alice.sends("1"), "1")
	alice.sends("2")
	bob.hears(alice.sends("3"), "3")
	alice.commits(group.CommitOptions{}, bob, carol, dave) // gives bob keys of inner nodes
	carol.commits(group.CommitOptions{}, alice, bob, dave)
	for i, k := range bob.NodeKeys() {
		note(fmt.Sprintf("node key %d", i), k)
	}
	if len(bob.NodeKeys()) != 3 {
		t.Errorf("%d node keys, want those of the leaf and two parents", len(bob.NodeKeys()))
	}
	bob.commits(group.CommitOptions{}, alice, carol, dave)
	for name, b := range gone {
		if has(bob, b) {
			t.Errorf("%q is still in the state", name)
		}
	}

	// The pending commit's secrets go when it is discarded, the Update's key
	// when it is not committed.
	clean := bob.state()
	bob.drafts(group.CommitOptions{})
	if bytes.Equal(bob.state(), clean) {
		t.Error("no pending commit in the state")
	}
	bob.Discard()
	if !bytes.Equal(bob.state(), clean) {
		t.Error("something is left of the discarded commit")
	}

	// Message keys: a state saved after a message was read does not open it.
	m := alice.sends("once")
	bob.hears(m, "once")
	bob.restores()
	bob.refuses(m, mls.ErrKeyUsed)

	// Removal deletes everything.
	last := secret.Clone(bob.Secrets().Exporter.Reveal())
	leafKey := secret.Clone(bob.Private().LeafKey().Reveal())
	bob.takes(alice.commits(values(group.Remove(bob.leaf())), carol, dave).Message)
	if has(bob, last) || has(bob, leafKey) {
		t.Error("a removed member keeps secrets")
	}
}

func TestPendingExportIsThatOfTheNextEpoch(t *testing.T) {
	all := people(t, suite, 2)
	alice, bob := all[0], all[1]
	if _, err := alice.PendingExport("label", nil, 32); !errors.Is(err, group.ErrNoPendingCommit) {
		t.Errorf("without a commit: %v", err)
	}
	before, err := alice.Export("label", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := alice.Commit(group.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pending, err := alice.PendingExport("label", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Process(commit.Message); err != nil {
		t.Fatal(err)
	}
	after, err := bob.Export("label", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	if pending.Equal(before) || !pending.Equal(after) {
		t.Error("the pending export is not that of the epoch the commit makes")
	}
}
