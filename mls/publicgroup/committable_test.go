package publicgroup_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// TestWhatWaitsCanBeCommitted: members commit what waits by default, so that a
// proposal which is accepted and then stands in the way of every commit would
// stop the group.
func TestWhatWaitsCanBeCommitted(t *testing.T) {
	t.Run("an Add that expires meanwhile", func(t *testing.T) {
		s := newScene(t, mls.X25519AES128GCM, publicgroup.Config{})
		late := s.client()
		late.keyPackage.LeafNode.Lifetime.NotAfter = uint64(now.Unix())
		ref := s.propose(member(0), late.sign().add())
		b := s.build(commit{refs: []mls.ProposalRef{ref}})
		if _, err := s.group.StageCommit(b, now.Add(time.Hour)); err != nil {
			t.Error(err)
		}
		b = s.build(commit{values: []*mls.Proposal{late.add()}})
		if _, err := s.group.StageCommit(b, now.Add(time.Hour)); !errors.Is(err, publicgroup.ErrLifetime) {
			t.Errorf("by value: %v", err)
		}
	})
	t.Run("more Adds than there is room", func(t *testing.T) {
		s := newScene(t, mls.X25519AES128GCM, publicgroup.Config{MaxMembers: 3})
		refs := []mls.ProposalRef{s.propose(member(0), s.client().add()), s.propose(member(0), s.client().add())}
		message := s.proposal(member(0), s.client().add(), nil)
		if _, err := s.group.StageProposal(message, now); !errors.Is(err, publicgroup.ErrTooManyMembers) {
			t.Errorf("an Add too many: %v", err)
		}
		if _, err := s.group.StageCommit(s.build(commit{refs: refs}), now); err != nil {
			t.Error(err)
		}
	})
	t.Run("more application data than the header takes", func(t *testing.T) {
		s := newScene(t, mls.X25519AES128GCM, publicgroup.Config{MaxExtensions: 4096})
		s.dictionary()
		update := func(id mls.ComponentID, n int) *mls.Proposal {
			return &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate,
				AppDataUpdate: &mls.AppDataUpdate{ID: id, Operation: mls.AppDataUpdateSet, Update: make([]byte, n)}}
		}
		refs := []mls.ProposalRef{s.propose(member(0), update(1, 1000)), s.propose(member(0), update(2, 1000))}
		message := s.proposal(member(0), update(3, 2000), nil)
		if _, err := s.group.StageProposal(message, now); !errors.Is(err, publicgroup.ErrTooLarge) {
			t.Errorf("an update too many: %v", err)
		}
		if _, err := s.group.StageCommit(s.build(commit{refs: refs}), now); err != nil {
			t.Error(err)
		}
	})
}
