package group_test

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

func TestProposalsFromOutside(t *testing.T) {
	overSuites(t, func(t *testing.T, c mls.CipherSuite) {
		t.Parallel()
		s := mustSuite(t, c)
		service := newClient(t, c, "service")
		senders := mls.ExternalSenders{{SignatureKey: service.Signer.Public(), Credential: service.Credential}}
		es, err := mls.Extensions(nil).With(mls.ExtensionTypeExternalSenders, &senders)
		if err != nil {
			t.Fatal(err)
		}
		all := people(t, c, 3)
		alice, bob, carol := all[0], all[1], all[2]
		alice.commits(values(group.GroupContextExtensions(es)), bob, carol)

		m, err := group.ProposeAsExternal(s, alice.GroupID(), alice.Epoch(), 0, service.Signer, group.Remove(carol.leaf()))
		if err != nil {
			t.Fatal(err)
		}
		dave := newPerson(t, c, "dave")
		join, err := group.ProposeJoin(s, alice.GroupID(), alice.Epoch(), dave.client.Signer, dave.keyPackage())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if r := p.takes(m); r.Sender.Type != mls.SenderTypeExternal || r.Proposal.Remove != carol.leaf() {
				t.Error("not the service's proposal")
			}
			p.takes(join)
		}
		bob.restores()
		made := alice.commits(group.CommitOptions{}, bob)
		dave.joinFrom(alice, made)
		agree(t, alice, bob, dave)
		if r := carol.takes(made.Message); r.Committed.Ended != group.EndRemoved {
			t.Error("carol is still in")
		}

		late, err := group.ProposeAsExternal(s, alice.GroupID(), alice.Epoch()-1, 0, service.Signer, group.Remove(bob.leaf()))
		if err != nil {
			t.Fatal(err)
		}
		alice.refuses(late, epoch.ErrWrongEpoch)
		second, err := group.ProposeAsExternal(s, alice.GroupID(), alice.Epoch(), 1, service.Signer, group.Remove(bob.leaf()))
		if err != nil {
			t.Fatal(err)
		}
		alice.refuses(second, epoch.ErrUnknownSender)
		forged, err := group.ProposeAsExternal(s, alice.GroupID(), alice.Epoch(), 0, dave.client.Signer, group.Remove(bob.leaf()))
		if err != nil {
			t.Fatal(err)
		}
		alice.refuses(forged, mls.ErrSignature)
		_, err = group.ProposeAsExternal(s, alice.GroupID(), alice.Epoch(), 0, service.Signer, group.SelfRemove())
		wants(t, err, mls.ErrSender)
	})
}

// The delivery service gets the GroupInfo of the next epoch in its short form.
func TestPartialGroupInfo(t *testing.T) {
	for _, withTree := range []bool{false, true} {
		t.Run(fmt.Sprintf("tree=%v", withTree), func(t *testing.T) {
			all := people(t, suite, 2)
			grease := mls.Extensions{{Type: 0x3a3a, Data: []byte("x")}}
			made := all[0].commits(group.CommitOptions{GroupInfo: group.GroupInfoOptions{ExternalPub: true, Tree: withTree, Extensions: grease}}, all[1])
			want := mls.RatchetTreeAbsent
			if withTree {
				want = mls.RatchetTreePresent
			}
			if made.Partial.RatchetTree != want || len(made.Partial.Extensions) != 2 {
				t.Errorf("%+v", made.Partial)
			}
			// What the service knows, with the short form, is the signed whole.
			info := &mls.GroupInfo{GroupContext: all[1].Context(), Extensions: made.Partial.Extensions,
				ConfirmationTag: made.Message.PublicMessage.ConfirmationTag, Signer: 0, Signature: made.Partial.Signature}
			var err error
			if withTree {
				nodes, err := all[1].Tree()
				if err != nil {
					t.Fatal(err)
				}
				if info.Extensions, err = info.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes); err != nil {
					t.Fatal(err)
				}
			}
			leaf, err := all[1].Member(0)
			if err != nil {
				t.Fatal(err)
			}
			if err := info.VerifySignature(mustSuite(t, suite), leaf.SignatureKey); err != nil {
				t.Error(err)
			}
		})
	}
}
