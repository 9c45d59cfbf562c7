package group

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// choose puts the list of a commit together: the given proposals and, of the
// waiting ones, as many as are valid with them.
func (g *Group) choose(o *CommitOptions, committer mls.Sender) (list, skipped []*epoch.Proposal, err error) {
	for i, p := range o.Proposals {
		if p.Type == mls.ProposalTypeUpdate || p.Type == mls.ProposalTypeSelfRemove {
			return nil, nil, fmt.Errorf("%w: number %d", ErrProposalType, i)
		}
		copied, err := detached(p)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, &epoch.Proposal{Proposal: copied, Sender: committer})
	}
	var waiting []*epoch.Proposal
	for _, p := range g.queue.order {
		switch {
		case o.Skip != nil && o.Skip(p):
		case p.Type == mls.ProposalTypeUpdate && p.Sender.Leaf == committer.Leaf:
		default:
			waiting = append(waiting, p)
		}
	}
	if len(waiting) == 0 {
		return list, nil, nil
	}
	if all := slices.Concat(list, waiting); g.valid(committer, all) == nil {
		return all, nil, nil
	}
	slices.Reverse(waiting) // the newest first
	slices.SortStableFunc(waiting, func(a, b *epoch.Proposal) int { return rank(a.Type) - rank(b.Type) })
	list, skipped = g.take(committer, list, waiting)
	return list, skipped, nil
}

// take adds to list those of some that are valid together with it and with
// those before them. It halves what does not fit, so that few conflicts cost few
// tries.
func (g *Group) take(committer mls.Sender, list, some []*epoch.Proposal) (with, skipped []*epoch.Proposal) {
	all := slices.Concat(list, some)
	switch {
	case g.valid(committer, all) == nil:
		return all, nil
	case len(some) == 1:
		return list, some
	}
	half := len(some) / 2
	with, skipped = g.take(committer, list, some[:half])
	with, more := g.take(committer, with, some[half:])
	return with, slices.Concat(skipped, more)
}

// rank orders proposals by how much they matter, see [Group.Commit].
func rank(t mls.ProposalType) int {
	switch t {
	case mls.ProposalTypeSelfRemove:
		return 0
	case mls.ProposalTypeRemove:
		return 1
	case mls.ProposalTypeUpdate:
		return 2
	case mls.ProposalTypeReInit:
		return 4
	}
	return 3
}

// valid checks whether a list of proposals can be committed.
func (g *Group) valid(committer mls.Sender, list []*epoch.Proposal) error {
	a, err := g.now.public.Apply(committer, nil, list, g.cfg.Rules)
	if err != nil {
		return err
	}
	if err := a.Edit.CheckKeys(); err != nil {
		return err
	}
	if err := epoch.CheckSupport(a.Edit.Census(), a.Extensions); err != nil {
		return err
	}
	if _, err = g.psks(a.PSKs, nil); err != nil {
		return err
	}
	for _, p := range list {
		p.Checked = true // signatures need not be verified again
	}
	return nil
}
