package publicgroup

import (
	"github.com/pseudods/pseudods/mls"
)

// ExternalJoin is what somebody needs to join by external commit (RFC 9420,
// Section 12.4.3.2). It is good for one epoch.
type ExternalJoin struct {
	// GroupInfo has the tree inside if its signer put it there; Tree is then nil.
	GroupInfo *mls.GroupInfo
	Tree      mls.RatchetTree
	// SelfRemoves are the pending proposals that an external commit may name,
	// and with [Config.CoverRemovals] must: PublicMessages, encoded.
	SelfRemoves [][]byte
}

// ExternalJoin returns what an external committer needs. It exports the tree: a
// caller that streams it, or knows that the joiner has it, takes
// [Group.GroupInfo], [Group.Tree] and [Group.Pending] instead. It fails with
// [ErrExternalCommit] if the policy allows no external joins, [ErrNoGroupInfo],
// or [ErrClosed].
func (g *Group) ExternalJoin() (*ExternalJoin, error) {
	switch {
	case !g.cfg.ExternalJoins:
		return nil, ErrExternalCommit
	case g.header.ReInit != nil:
		return nil, ErrClosed
	}
	gi, err := g.GroupInfo()
	if err != nil {
		return nil, err
	}
	j := &ExternalJoin{GroupInfo: gi}
	if g.header.Info.TreeAt == 0 {
		if j.Tree, err = g.Export(); err != nil {
			return nil, err
		}
	}
	j.SelfRemoves, err = g.Pending(func(e *PendingEntry) bool { return e.Type == mls.ProposalTypeSelfRemove })
	if err != nil {
		return nil, err
	}
	return j, nil
}
