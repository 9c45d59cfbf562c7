package group_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

func TestLostRace(t *testing.T) {
	for name, change := range map[string]func(*group.Config){"public": public, "private": private} {
		t.Run(name, func(t *testing.T) {
			all := people(t, suite, 4, change)
			alice, bob, carol, dave := all[0], all[1], all[2], all[3]
			dave.proposes(group.Remove(carol.leaf()), alice, bob, carol)
			ours, theirs := alice.drafts(group.CommitOptions{}), bob.drafts(group.CommitOptions{})
			if alice.Epoch() != 1 || alice.Pending() != ours {
				t.Fatal("a commit took effect before it was merged")
			}
			_, err := alice.Commit(group.CommitOptions{})
			wants(t, err, group.ErrPendingCommit)

			// The delivery service takes bob's. Alice drops hers by processing it.
			if r := alice.takes(theirs.Message); r.Committed.Own || r.Committed.Committer != bob.leaf() {
				t.Error("wrong committer")
			}
			dave.takes(theirs.Message)
			if _, err := bob.Merge(); err != nil {
				t.Fatal(err)
			}
			agree(t, alice, bob, dave)
			if alice.Pending() != nil {
				t.Error("the lost commit is still pending")
			}
			_, err = alice.Merge()
			wants(t, err, group.ErrNoPendingCommit)
			bob.refuses(ours.Message, epoch.ErrWrongEpoch)
			alice.commits(group.CommitOptions{}, bob, dave)
		})
	}
}

func TestDiscard(t *testing.T) {
	all := people(t, suite, 3)
	alice, bob, carol := all[0], all[1], all[2]
	bob.proposes(group.Remove(carol.leaf()), alice, carol)
	before := alice.state()
	alice.drafts(group.CommitOptions{})
	alice.Discard()
	if string(alice.state()) != string(before) {
		t.Error("a commit that was discarded left something behind")
	}
	alice.Discard()
	if len(alice.Proposals()) != 1 {
		t.Error("the proposal is gone with the commit")
	}
	alice.commits(group.CommitOptions{}, bob)
}

// A delivery service may send a commit back to its sender.
func TestEcho(t *testing.T) {
	for name, change := range map[string]func(*group.Config){"public": public, "private": private} {
		t.Run(name, func(t *testing.T) {
			all := people(t, suite, 2, change)
			alice, bob := all[0], all[1]
			made, err := alice.Commit(group.CommitOptions{AuthenticatedData: []byte("aad")})
			if err != nil {
				t.Fatal(err)
			}
			alice.restores()
			bob.takes(made.Message)
			r := alice.takes(made.Message)
			if !r.Committed.Own || r.Sender.Leaf != alice.leaf() || string(r.AuthenticatedData) != "aad" || r.Epoch != 1 {
				t.Errorf("%+v", r)
			}
			agree(t, alice, bob)
			alice.refuses(made.Message, epoch.ErrWrongEpoch)

			// An own proposal that comes back in the clear changes nothing.
			if name == "public" {
				m := alice.proposes(group.Remove(bob.leaf()), bob)
				alice.takes(m)
				bob.takes(m)
				if len(alice.Proposals()) != 1 || len(bob.Proposals()) != 1 {
					t.Error("a proposal counts twice")
				}
			}
		})
	}
}

// Proposals that exclude each other do not stop a commit.
func TestCommitChoosesProposals(t *testing.T) {
	all := people(t, suite, 4)
	alice, bob, carol, dave := all[0], all[1], all[2], all[3]
	erin := newPerson(t, suite, "erin")
	update := func(p *person) *mls.Message {
		m, err := p.ProposeUpdate(nil, group.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range without(all, p) {
			q.takes(m)
		}
		return m
	}
	update(carol)
	update(dave)
	newest := update(dave)
	update(alice) // the committer's own
	bob.proposes(group.Remove(carol.leaf()), alice, carol, dave)
	bob.proposes(group.Remove(alice.leaf()), alice, carol, dave) // the committer
	k := erin.keyPackage()
	bob.proposes(group.Add(k), alice, carol, dave)
	dave.proposes(group.Add(k), alice, bob, carol)
	bob.proposes(group.Add(all[3].keyPackage()), alice, carol, dave) // a member already
	bob.proposes(group.ReInit(mls.ReInit{GroupID: []byte("x"), Version: mls.MLS10, CipherSuite: suite}), alice, carol, dave)
	unknown, err := bob.ExternalPSK([]byte("nobody has it"))
	if err != nil {
		t.Fatal(err)
	}
	bob.proposes(unknown, alice, carol, dave)

	made := alice.commits(group.CommitOptions{}, bob, dave)
	w := made.What
	if len(w.Removed) != 1 || len(w.Updated) != 1 || len(w.Added) != 1 || w.ReInit != nil || len(w.PSKs) != 0 {
		t.Errorf("%d removed, %d updated, %d added", len(w.Removed), len(w.Updated), len(w.Added))
	}
	if got, want := w.Updated[0].New.EncryptionKey, newest.PublicMessage.Content.Proposal.Update.EncryptionKey; string(got) != string(want) {
		t.Error("not the newest Update")
	}
	if len(made.Skipped) != 7 {
		t.Errorf("%d proposals were skipped, want 7", len(made.Skipped))
	}
}
