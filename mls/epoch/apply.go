package epoch

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// Change is what a proposal does to one leaf. Old is nil for an Add, New for a
// removal.
type Change struct {
	Leaf     mls.LeafIndex
	Old, New *mls.LeafNode
}

// Applied is a commit's list of proposals with its effects, laid over the epoch
// it was made in. It is a value to keep or drop: the [State] does not change.
type Applied struct {
	// Edit is the tree with the proposals applied, and with the path once
	// [Applied.MergePath] or the committer has set it.
	Edit *tree.Edit
	// Committer is the leaf of the committer, for an external commit the one it
	// takes.
	Committer mls.LeafIndex
	External  bool
	// PathRequired tells that the commit must have an UpdatePath.
	PathRequired bool
	// Extensions are the new GroupContext's.
	Extensions mls.Extensions

	Updated []Change
	Removed []Change
	Added   []Change
	// KeyPackages are those of Added, in the same order.
	KeyPackages []*mls.KeyPackage

	PSKs         []mls.PreSharedKeyID
	ExternalInit []byte
	ReInit       *mls.ReInit
	// Others are AppEphemeral proposals and those of types unknown here, which
	// change nothing but concern the application.
	Others []*Proposal

	base    *State
	rules   *Rules
	hasPath bool
}

// Apply checks a commit's list of proposals and applies it to an overlay of the
// tree, in the order of RFC 9420, Section 12.3: extensions, updates, removals,
// additions. An external committer passes the leaf it joins with, others nil.
// Errors wrap [ErrProposal], [ErrProposalList], [ErrCommit] or what the leaf and
// KeyPackage checks of package mls return.
func (s *State) Apply(committer mls.Sender, joiner *mls.LeafNode, list []*Proposal, rules *Rules) (*Applied, error) {
	if s.Context.Epoch == 1<<64-1 {
		return nil, ErrEpochs
	}
	if committer.Type == mls.SenderTypeNewMemberCommit && joiner == nil {
		return nil, fmt.Errorf("external commit: %w", ErrPathRequired)
	}
	if err := checkList(committer, list); err != nil {
		return nil, err
	}
	if err := s.checkEach(list); err != nil {
		return nil, err
	}
	types := make([]mls.ProposalType, len(list))
	for i, p := range list {
		types[i] = p.Type
	}
	a := &Applied{
		Edit: s.Tree.Edit(), Committer: committer.Leaf, Extensions: s.Context.Extensions,
		PathRequired: mls.PathRequired(types), base: s, rules: rules,
		External: committer.Type == mls.SenderTypeNewMemberCommit,
	}
	for _, step := range []func(*Proposal) error{
		a.applyExtensions, a.applyUpdate, a.applyRemoval(joiner), a.checkSupported, a.applyAdd, a.applyOther,
	} {
		for _, p := range list {
			if err := step(p); err != nil {
				return nil, err
			}
		}
	}
	if err := a.applyAppData(list); err != nil {
		return nil, err
	}
	if a.External {
		leaf, err := a.Edit.Vacancy()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCommit, err)
		}
		a.Committer = leaf
	}
	return a, nil
}

// checkEach runs CheckProposal on what was not checked when it arrived. The
// signatures are most of a commit's cost when it adds many, so they are
// verified on all processors.
func (s *State) checkEach(list []*Proposal) error {
	var todo []*Proposal
	for _, p := range list {
		if !p.Checked {
			todo = append(todo, p)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(todo)/8+1)
	errs := make([]error, len(todo))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(todo); i += workers {
				if errs[i] = s.CheckProposal(todo[i]); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (a *Applied) applyExtensions(p *Proposal) error {
	if p.Type == mls.ProposalTypeGroupContextExtensions {
		a.Extensions = p.GroupContextExtensions
	}
	return nil
}

func (a *Applied) applyUpdate(p *Proposal) error {
	if p.Type != mls.ProposalTypeUpdate {
		return nil
	}
	old, err := a.base.Leaf(p.Sender.Leaf)
	if err != nil {
		return err
	}
	if !a.rules.successor(old, p.Update) {
		return ErrReplaced
	}
	a.Updated = append(a.Updated, Change{Leaf: p.Sender.Leaf, Old: old, New: p.Update})
	return a.Edit.UpdateLeaf(p.Sender.Leaf, p.Update)
}

// applyRemoval applies Removes and SelfRemoves; that the two are in no order
// makes no difference, since they concern different leaves.
func (a *Applied) applyRemoval(joiner *mls.LeafNode) func(*Proposal) error {
	return func(p *Proposal) error {
		var leaf mls.LeafIndex
		switch p.Type {
		case mls.ProposalTypeRemove:
			leaf = p.Remove
		case mls.ProposalTypeSelfRemove:
			leaf = p.Sender.Leaf
		default:
			return nil
		}
		old, err := a.base.Leaf(leaf)
		if err != nil {
			return err
		}
		if a.External && p.Type == mls.ProposalTypeRemove {
			// The leaf that a joiner brings must be a valid Update of the one it
			// removes (Section 12.2).
			if !a.rules.sameClient(old, joiner) {
				return ErrExternalRemove
			}
			if bytes.Equal(old.EncryptionKey, joiner.EncryptionKey) {
				return ErrUpdateKey
			}
			if !a.rules.successor(old, joiner) {
				return ErrReplaced
			}
		}
		a.Removed = append(a.Removed, Change{Leaf: leaf, Old: old})
		return a.Edit.RemoveLeaf(leaf)
	}
}

// checkSupported asks support for a proposal's type of the members that will
// process the commit, and so neither of those it removed nor of those it adds
// (RFC 9420, Section 12.2).
func (a *Applied) checkSupported(p *Proposal) error {
	if !a.Edit.Census().SupportsProposal(p.Type) {
		return fmt.Errorf("%w: %v", ErrUnsupportedProposal, p.Type)
	}
	return nil
}

func (a *Applied) applyAdd(p *Proposal) error {
	if p.Type != mls.ProposalTypeAdd {
		return nil
	}
	leaf, err := a.Edit.AddLeaf(&p.Add.LeafNode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCommit, err)
	}
	a.Added = append(a.Added, Change{Leaf: leaf, New: &p.Add.LeafNode})
	a.KeyPackages = append(a.KeyPackages, p.Add)
	return nil
}

func (a *Applied) applyOther(p *Proposal) error {
	switch p.Type {
	case mls.ProposalTypePSK:
		a.PSKs = append(a.PSKs, *p.PSK)
	case mls.ProposalTypeExternalInit:
		a.ExternalInit = p.ExternalInit
	case mls.ProposalTypeReInit:
		a.ReInit = p.ReInit
	case mls.ProposalTypeAdd, mls.ProposalTypeUpdate, mls.ProposalTypeRemove, mls.ProposalTypeGroupContextExtensions,
		mls.ProposalTypeSelfRemove, mls.ProposalTypeAppDataUpdate:
	default:
		a.Others = append(a.Others, p)
	}
	return nil
}

// applyAppData gathers the updates of each component and lets the application
// turn them into its new state (draft-ietf-mls-extensions, AppDataUpdate). The
// dictionary is merged in one pass, since a commit may change many components.
func (a *Applied) applyAppData(list []*Proposal) error {
	updates := map[mls.ComponentID][][]byte{} // none for a component that is removed
	for _, p := range list {
		if p.Type != mls.ProposalTypeAppDataUpdate {
			continue
		}
		u := p.AppDataUpdate
		if u.Operation == mls.AppDataUpdateSet {
			updates[u.ID] = append(updates[u.ID], u.Update)
		} else {
			updates[u.ID] = nil
		}
	}
	if len(updates) == 0 {
		return nil
	}
	var d mls.AppDataDictionary
	if _, err := a.Extensions.Decode(mls.ExtensionTypeAppDataDictionary, &d); err != nil {
		return err
	}
	states := make(map[mls.ComponentID][]byte, len(d)+len(updates))
	for _, c := range d {
		states[c.ID] = c.Data
	}
	for _, id := range slices.Sorted(maps.Keys(updates)) {
		list := updates[id]
		old, had := states[id]
		if list == nil {
			if !had {
				return fmt.Errorf("%w: removal of component %d, which has no state", ErrAppData, id)
			}
			delete(states, id)
			continue
		}
		state, ok := a.rules.appData(id, old, list)
		if !ok {
			return fmt.Errorf("%w: refused for component %d", ErrAppData, id)
		}
		states[id] = state
	}
	merged := make(mls.AppDataDictionary, 0, len(states))
	for _, id := range slices.Sorted(maps.Keys(states)) {
		merged = append(merged, mls.ComponentData{ID: id, Data: states[id]})
	}
	es, err := a.Extensions.With(mls.ExtensionTypeAppDataDictionary, &merged)
	a.Extensions = es
	return err
}
