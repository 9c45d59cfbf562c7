package publicgroup_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// TestINV05OneCommitPerEpoch stages many commits and proposals for one epoch and
// applies them all at once: one commit gets through.
func TestINV05OneCommitPerEpoch(t *testing.T) {
	s := standard(t, nil)
	var staged []*publicgroup.Changes
	for _, from := range []mls.LeafIndex{0, 1, 2, 4, 5} {
		staged = append(staged, must(s.group.StageCommit(s.build(commit{from: from}), now)).Changes)
	}
	staged = append(staged, must(s.group.StageCommit(s.build(s.join(s.client())), now)).Changes)
	before := s.group.Epoch()
	store := s.store.Store // the counting one is for one goroutine
	var wg sync.WaitGroup
	errs := make([]error, 4*len(staged))
	for i := range errs {
		wg.Go(func() { errs[i] = store.Apply(staged[i%len(staged)]) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, publicgroup.ErrStale):
			t.Errorf("a commit that lost: %v", err)
		}
	}
	g := must(publicgroup.Open(store, s.cfg))
	if won != 1 || g.Epoch() != before+1 {
		t.Errorf("%d commits applied, epoch %d after %d", won, g.Epoch(), before)
	}
	for _, c := range staged {
		if _, err := s.group.Apply(c); !errors.Is(err, publicgroup.ErrStale) {
			t.Errorf("a commit of an epoch that is over: %v", err)
		}
	}
}

// TestStaleBase: whatever is staged for one revision can not be applied to
// another, of the same epoch either.
func TestStaleBase(t *testing.T) {
	s := standard(t, nil)
	late := must(s.group.StageCommit(s.build(commit{}), now))
	other := must(s.group.StageProposal(s.proposal(member(1), s.psk("x"), nil), now))
	s.propose(member(2), s.psk("y"))
	before := s.dump()
	for _, c := range []*publicgroup.Changes{late.Changes, other.Changes} {
		if _, err := s.group.Apply(c); !errors.Is(err, publicgroup.ErrStale) {
			t.Errorf("stale changes: %v", err)
		}
		if err := s.store.Apply(c); !errors.Is(err, publicgroup.ErrStale) {
			t.Errorf("stale changes at the store: %v", err)
		}
	}
	if !bytes.Equal(before, s.dump()) {
		t.Error("stale changes changed something")
	}
	c := must(publicgroup.Import(s.cfg, groupInfoMessage(must(s.group.GroupInfo())), must(s.group.Export())))
	if _, err := publicgroup.Create(s.store, s.cfg, c); !errors.Is(err, publicgroup.ErrStale) {
		t.Errorf("a second group in one store: %v", err)
	}
	if _, err := publicgroup.Create(publicgroup.NewMemory(), s.cfg, late.Changes); !errors.Is(err, publicgroup.ErrStale) {
		t.Errorf("a group from a commit: %v", err)
	}
	if _, err := publicgroup.Open(publicgroup.NewMemory(), s.cfg); !errors.Is(err, publicgroup.ErrNoGroup) {
		t.Errorf("an empty store: %v", err)
	}
}

// TestStagedIsAValue: staging any number of messages changes nothing, and the
// group can be followed from any of them.
func TestStagedIsAValue(t *testing.T) {
	s := standard(t, nil)
	s.propose(member(1), s.psk("x"))
	before := s.dump()
	for _, from := range []mls.LeafIndex{0, 2, 4} {
		b := s.build(commit{from: from, values: []*mls.Proposal{remove(5)}})
		first := must(s.group.StageCommit(b, now))
		again := must(s.group.StageCommit(b, now))
		if !bytes.Equal(must(mls.Marshal(first.Changes.Header)), must(mls.Marshal(again.Changes.Header))) {
			t.Error("the same commit was staged to two results")
		}
		if len(first.Dropped) != 1 || first.Dropped[0].Type != mls.ProposalTypePSK {
			t.Errorf("dropped proposals: %v", first.Dropped)
		}
	}
	if !bytes.Equal(before, s.dump()) {
		t.Fatal("staging changed something")
	}
}

var errDisk = errors.New("disk")

// TestStoreFaults lets each read of a commit fail in turn.
func TestStoreFaults(t *testing.T) {
	s := standard(t, nil)
	ref := s.propose(member(1), s.update(1, nil))
	b := s.build(commit{from: 4, refs: []mls.ProposalRef{ref}, values: []*mls.Proposal{remove(2)}})
	before := s.dump()
	for n := 0; ; n++ {
		s.store.fail, s.store.failAfter = errDisk, n
		staged, err := s.group.StageCommit(b, now)
		if s.store.fail = nil; err == nil {
			if n < 8 {
				t.Errorf("a commit read %d times only", n)
			}
			s.apply(staged.Changes)
			return
		}
		if !errors.Is(err, errDisk) || staged != nil {
			t.Fatalf("read %d failed, and the commit with %v", n, err)
		}
		if !bytes.Equal(before, s.dump()) {
			t.Fatal("a failed read changed something")
		}
	}
}

// lyingStore returns another proposal than it was asked for, or none.
type lyingStore struct {
	publicgroup.Store
	instead *publicgroup.Pending
}

func (s *lyingStore) Proposal(mls.ProposalRef) (*publicgroup.Pending, error) { return s.instead, nil }

func (s *lyingStore) Retained(uint64) (*publicgroup.Retained, error) { return nil, nil }

func TestInconsistentStore(t *testing.T) {
	s := standard(t, nil)
	s.commit(commit{}, s.client())
	ref := s.propose(member(1), remove(2))
	other := s.propose(member(1), remove(4))
	b := s.build(commit{refs: []mls.ProposalRef{ref}})
	for _, instead := range []*publicgroup.Pending{
		nil, {}, must(s.store.Proposal(other)), {Message: b.Commit}, {Message: s.privateMessage(nil)},
	} {
		g := must(publicgroup.Open(&lyingStore{s.store, instead}, s.cfg))
		if _, err := g.StageCommit(b, now); !errors.Is(err, publicgroup.ErrInconsistent) {
			t.Errorf("a commit with another proposal: %v", err)
		}
	}
	g := must(publicgroup.Open(&lyingStore{s.store, nil}, s.cfg))
	if _, err := g.Pending(nil); !errors.Is(err, publicgroup.ErrInconsistent) {
		t.Errorf("a pending proposal without a record: %v", err)
	}
	if _, err := g.StageJoined(g.Epoch(), 3); !errors.Is(err, publicgroup.ErrInconsistent) {
		t.Errorf("a retained epoch without a record: %v", err)
	}
}

// TestRetainedEpochs: the tree of an epoch that added members stays readable for
// them, whatever comes after, until all of them joined.
func TestRetainedEpochs(t *testing.T) {
	s := standard(t, func(c *publicgroup.Config) { c.RetainedEpochs = 2 })
	s.apply(must(s.group.StageRelease(1))) // the scene's own newcomers
	added := s.commit(commit{}, s.client(), s.client())
	kept, want := s.group.Epoch(), must(s.group.Export())
	old := s.group
	for range 5 {
		s.commit(commit{from: 1})
		s.commit(commit{from: 4, values: []*mls.Proposal{remove(added.Effects.Added[0].Leaf)}}, s.client())
		if s.group.Header().Retained[0] != kept {
			break
		}
		got := must(must(s.group.RetainedTree(kept)).Export())
		if !bytes.Equal(must(mls.Marshal(&got)), must(mls.Marshal(&want))) {
			t.Fatal("a retained tree changed")
		}
		slice := must(must(s.group.RetainedTree(kept)).Slice(1))
		if err := slice.Verify(s.suite, old.Context().TreeHash); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.group.Header().Retained) != 2 || s.group.Header().Retained[0] <= kept {
		t.Errorf("retained epochs %v beyond the limit of 2", s.group.Header().Retained)
	}
	if _, err := s.group.RetainedTree(kept); !errors.Is(err, publicgroup.ErrNotRetained) {
		t.Errorf("an epoch that was given up: %v", err)
	}
	if _, err := old.Export(); !errors.Is(err, publicgroup.ErrReleased) {
		t.Errorf("a view of what was released: %v", err)
	}
}

func TestJoinedReleases(t *testing.T) {
	s := standard(t, nil)
	s.apply(must(s.group.StageRelease(1)))
	staged := s.commit(commit{}, s.client(), s.client(), s.client())
	kept, old := s.group.Epoch(), s.group
	s.commit(commit{from: 1})
	if _, err := s.group.StageJoined(kept, 0); !errors.Is(err, publicgroup.ErrNotWaiting) {
		t.Errorf("a member that was there before: %v", err)
	}
	if _, err := s.group.StageJoined(kept+1, 0); !errors.Is(err, publicgroup.ErrNotRetained) {
		t.Errorf("an epoch that added nobody: %v", err)
	}
	for i, c := range staged.Effects.Added {
		must(old.Export())
		s.apply(must(s.group.StageJoined(kept, c.Leaf)))
		if _, err := s.group.StageJoined(kept, c.Leaf); i < 2 && !errors.Is(err, publicgroup.ErrNotWaiting) {
			t.Errorf("joining twice: %v", err)
		}
	}
	if len(s.group.Header().Retained) != 0 || must(s.store.Retained(kept)) != nil {
		t.Error("the epoch is kept though everybody joined")
	}
	if _, err := old.Export(); !errors.Is(err, publicgroup.ErrReleased) {
		t.Errorf("a view of what was released: %v", err)
	}
}

func TestSlice(t *testing.T) {
	s := standard(t, nil)
	for l := range mls.LeafIndex(8) {
		slice := must(s.group.Slice(l))
		if err := slice.Verify(s.suite, s.group.Context().TreeHash); err != nil || slice.Index != l {
			t.Errorf("slice of leaf %d: %v", l, err)
		}
	}
	if _, err := s.group.Slice(8); !errors.Is(err, tree.ErrNoMember) {
		t.Errorf("a slice outside the tree: %v", err)
	}
}

// TestAliases: what was staged and stored does not change with the buffers that
// the messages came in.
func TestAliases(t *testing.T) {
	s := standard(t, nil)
	p := s.proposal(member(1), s.update(1, nil), nil)
	staged := must(s.group.StageProposal(p, now))
	s.apply(staged.Changes)
	b := s.build(commit{refs: []mls.ProposalRef{staged.Proposal.Ref}, values: []*mls.Proposal{s.client().add(),
		s.requiring(mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalTypeSelfRemove}})}})
	applied := must(s.group.StageCommit(b, now))
	s.apply(applied.Changes)
	before := s.dump()
	for _, buffer := range [][]byte{p, b.Commit, b.Welcome, b.GroupInfo} {
		clear(buffer)
	}
	if !bytes.Equal(before, s.dump()) {
		t.Error("the store changed with a message's buffer")
	}
	info := groupInfoMessage(must(s.group.GroupInfo()))
	c := must(publicgroup.Import(s.cfg, info, must(s.group.Export())))
	header := must(mls.Marshal(c.Header))
	clear(info)
	if !bytes.Equal(header, must(mls.Marshal(c.Header))) {
		t.Error("an import changed with its GroupInfo's buffer")
	}
}

// TestSelfRemoveCovers: a member who leaves is gone, whoever else wants it out,
// and other members take its SelfRemove before an external sender's Remove.
func TestSelfRemoveCovers(t *testing.T) {
	s := standard(t, nil)
	s.propose(outside, remove(2))
	ref := s.propose(member(2), selfRemove)
	s.commit(commit{refs: []mls.ProposalRef{ref}})
	s.propose(outside, remove(4))
	s.commit(commit{values: []*mls.Proposal{remove(4)}})
}
