package publicgroup_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

var external = publicgroup.Config{ExternalJoins: true, CoverRemovals: true, InlineTree: true}

// TestEveryKindOfHandshake plays each kind once in every suite and follows the
// count of members.
func TestEveryKindOfHandshake(t *testing.T) {
	for _, id := range mls.CipherSuites() {
		s := newScene(t, id, external)
		steps := []struct {
			name string
			do   func()
			want int
		}{
			{"add", func() { s.commit(commit{}, s.client(), s.client(), s.client()) }, 4},
			{"add without a path", func() { s.commit(commit{from: 1, noPath: true}, s.client()) }, 5},
			{"update", func() { s.commit(commit{from: 4, partial: true}) }, 5},
			{"remove", func() { s.commit(commit{from: 2, values: []*mls.Proposal{remove(1)}}) }, 4},
			{"by reference", func() {
				newcomer := s.client()
				refs := []mls.ProposalRef{s.propose(member(2), s.update(2, nil)), s.propose(member(3), newcomer.add()),
					s.propose(mls.Sender{Type: mls.SenderTypeExternal}, remove(4)), s.propose(member(0), s.psk("x"))}
				s.commit(commit{from: 0, refs: refs})
				s.keys[1] = newcomer.key
				delete(s.keys, 4)
			}, 4},
			{"newcomer's proposal", func() {
				newcomer := s.client()
				s.keys[99] = newcomer.key
				from := mls.Sender{Type: mls.SenderTypeNewMemberProposal, Leaf: 99}
				ref := s.propose(from, newcomer.add())
				delete(s.keys, 99)
				s.commit(commit{from: 0, refs: []mls.ProposalRef{ref}})
				s.keys[4] = newcomer.key
			}, 5},
			{"external join", func() { s.commit(s.join(s.client())) }, 6},
			{"rejoin", func() {
				again := s.client()
				again.keyPackage.LeafNode.Credential = must(s.group.Leaf(2)).Credential
				s.commit(s.join(again, remove(2)))
			}, 6},
			{"self-remove in an external join", func() {
				ref := s.propose(member(3), &mls.Proposal{Type: mls.ProposalTypeSelfRemove})
				c := s.join(s.client())
				c.refs = []mls.ProposalRef{ref}
				s.commit(c)
			}, 6},
			{"group context extensions", func() {
				es := s.group.Context().Extensions
				es = must(es.With(mls.ExtensionTypeRequiredCapabilities, &mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}}))
				s.commit(commit{values: []*mls.Proposal{{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}}})
			}, 6},
			{"reinit", func() {
				s.commit(commit{noPath: true, values: []*mls.Proposal{{Type: mls.ProposalTypeReInit, ReInit: &mls.ReInit{
					GroupID: []byte("next"), Version: mls.MLS10, CipherSuite: id}}}})
			}, 6},
		}
		for i, step := range steps {
			step.do()
			if got := int(s.group.Tree().Members()); got != step.want || s.group.Epoch() != uint64(i+1) {
				t.Fatalf("%v: after %s: %d members in epoch %d, want %d in %d", s, step.name, got, s.group.Epoch(), step.want, i+1)
			}
		}
		if s.group.Header().ReInit == nil {
			t.Errorf("%v: a committed ReInit left the group open", s)
		}
		if _, err := s.group.ExternalJoin(); !errors.Is(err, publicgroup.ErrClosed) {
			t.Errorf("%v: a closed group invites: %v", s, err)
		}
	}
}
