package group_test

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// inSuite gives p keys for another suite.
func (p *person) inSuite(c mls.CipherSuite) *person {
	q := &person{t: p.t, name: p.name, cfg: p.cfg, store: p.store, client: newClient(p.t, c, p.name)}
	q.client.Credential = p.client.Credential
	return q
}

func TestReInit(t *testing.T) {
	for i, c := range mls.CipherSuites() {
		to := mls.CipherSuites()[(i+1)%len(mls.CipherSuites())]
		t.Run(fmt.Sprintf("suite=%v", c), func(t *testing.T) {
			t.Parallel()
			all := people(t, c, 3)
			alice, bob, carol := all[0], all[1], all[2]
			r := mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, CipherSuite: to}
			bob.proposes(group.ReInit(r), alice, carol)
			made := alice.commits(group.CommitOptions{}, bob, carol)
			if made.What.Ended != group.EndReInit || carol.Ended() != group.EndReInit || carol.ReInit().CipherSuite != to {
				t.Fatal("the group did not end")
			}
			_, err := bob.Send([]byte("x"), group.MessageOptions{})
			wants(t, err, group.ErrReInitialised)
			_, err = bob.Commit(group.CommitOptions{})
			wants(t, err, group.ErrReInitialised)
			carol.restores()

			// Somebody else than the committer opens the next group.
			bob2, alice2, carol2 := bob.inSuite(to), alice.inSuite(to), carol.inSuite(to)
			next, commit, err := bob.Successor(bob2.cfg, bob2.client, []*mls.KeyPackage{alice2.keyPackage(), carol2.keyPackage()},
				group.CommitOptions{Welcome: group.GroupInfoOptions{Tree: true}})
			if err != nil {
				t.Fatal(err)
			}
			bob2.Group = next
			if _, err := next.Merge(); err != nil {
				t.Fatal(err)
			}
			for _, p := range []struct{ old, new *person }{{alice, alice2}, {carol, carol2}} {
				w := over(t, commit.Welcome).Welcome
				_, err := group.JoinWelcome(p.new.cfg, w, group.JoinOptions{})
				wants(t, err, group.ErrPredecessor)
				if p.new.Group, err = group.JoinWelcome(p.new.cfg, w, group.JoinOptions{Before: p.old.Group}); err != nil {
					t.Fatal(err)
				}
			}
			agree(t, bob2, alice2, carol2)
			alice2.commits(group.CommitOptions{}, bob2, carol2)
		})
	}
}

func TestReInitIsChecked(t *testing.T) {
	all := people(t, suite, 3)
	alice, bob, carol := all[0], all[1], all[2]
	_, _, err := alice.Successor(alice.cfg, alice.client, nil, group.CommitOptions{})
	wants(t, err, group.ErrNotReInitialised)
	r := mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, CipherSuite: suite}
	_, err = alice.Commit(values(group.ReInit(r), group.Remove(1)))
	wants(t, err, epoch.ErrReInitNotAlone)
	alice.commits(values(group.ReInit(r)), bob, carol)
	alice2, bob2 := alice.inSuite(suite), bob.inSuite(suite)
	tree := group.CommitOptions{Welcome: group.GroupInfoOptions{Tree: true}}

	// Carol is left out.
	_, commit, err := alice.Successor(alice2.cfg, alice2.client, []*mls.KeyPackage{bob2.keyPackage()}, tree)
	if err != nil {
		t.Fatal(err)
	}
	_, err = group.JoinWelcome(bob2.cfg, commit.Welcome.Welcome, group.JoinOptions{Before: bob.Group})
	wants(t, err, group.ErrPredecessor)

	other := people(t, suite, 2)
	_, err = group.JoinWelcome(bob2.cfg, commit.Welcome.Welcome, group.JoinOptions{Before: other[0].Group})
	wants(t, err, group.ErrPredecessor)
	_, _, err = alice.Successor(alice2.cfg, alice.inSuite(mls.P256AES128GCM).client, nil, tree)
	wants(t, err, group.ErrParameters)
}

func TestBranch(t *testing.T) {
	overSuites(t, func(t *testing.T, c mls.CipherSuite) {
		t.Parallel()
		all := people(t, c, 4)
		alice, bob, carol := all[0], all[1], all[2]
		alice2, bob2, carol2 := alice.inSuite(c), bob.inSuite(c), carol.inSuite(c)
		sub, commit, err := alice.Branch(alice2.cfg, alice2.client, []byte("aside"), nil,
			[]*mls.KeyPackage{bob2.keyPackage(), carol2.keyPackage()}, group.CommitOptions{Welcome: group.GroupInfoOptions{Tree: true}})
		if err != nil {
			t.Fatal(err)
		}
		alice2.Group = sub
		if _, err := sub.Merge(); err != nil {
			t.Fatal(err)
		}
		for _, p := range []struct{ old, new *person }{{bob, bob2}, {carol, carol2}} {
			if p.new.Group, err = group.JoinWelcome(p.new.cfg, commit.Welcome.Welcome, group.JoinOptions{Before: p.old.Group}); err != nil {
				t.Fatal(err)
			}
		}
		agree(t, alice2, bob2, carol2)
		bob.hears(all[3].sends("the old group goes on"), "the old group goes on")
	})
}

func TestBranchIsChecked(t *testing.T) {
	all := people(t, suite, 2)
	alice, bob := all[0], all[1]
	tree := group.CommitOptions{Welcome: group.GroupInfoOptions{Tree: true}}
	join := func(p *person, c *group.Commit, before *person) error {
		_, err := group.JoinWelcome(p.cfg, c.Welcome.Welcome, group.JoinOptions{Before: before.Group})
		return err
	}
	branch := func(keyPackages ...*mls.KeyPackage) *group.Commit {
		_, commit, err := alice.Branch(alice.cfg, alice.inSuite(suite).client, []byte("aside"), nil, keyPackages, tree)
		if err != nil {
			t.Fatal(err)
		}
		return commit
	}
	bob2 := bob.inSuite(suite)
	stranger := newPerson(t, suite, "stranger")
	wants(t, join(bob2, branch(bob2.keyPackage(), stranger.keyPackage()), bob), group.ErrPredecessor)

	// A PSK of an epoch that bob has left behind and not kept.
	commit := branch(bob2.keyPackage())
	alice.commits(group.CommitOptions{}, bob)
	wants(t, join(bob2, commit, bob), group.ErrPredecessor)

	// An ordinary group does not pass for a branch.
	alice3 := alice.inSuite(suite)
	alice3.create(nil)
	wants(t, join(bob2, alice3.drafts(group.CommitOptions{Proposals: []*mls.Proposal{group.Add(bob2.keyPackage())},
		Welcome: tree.Welcome}), bob), group.ErrPredecessor)

	// In a running group, such a PSK is no proposal.
	psk, err := alice.Resumption(alice.GroupID(), alice.Epoch())
	if err != nil {
		t.Fatal(err)
	}
	psk.PSK.Usage = mls.ResumptionPSKUsageBranch
	_, err = alice.Propose(psk, group.MessageOptions{})
	wants(t, err, epoch.ErrPSKUsage)
}
