package publicgroup

import (
	"fmt"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// Bundle is a commit with what must come along, each part encoded.
type Bundle struct {
	Commit []byte // MLSMessage of a PublicMessage
	// Welcome is an MLSMessage of a Welcome if the commit adds members, else
	// empty.
	Welcome []byte
	// GroupInfo is an MLSMessage of the new epoch's GroupInfo, or empty.
	GroupInfo []byte
	// PartialGroupInfo is the short form (draft-ietf-mls-ratchet-tree-options),
	// or empty. At most one of the two may be there.
	PartialGroupInfo []byte
}

// size returns how many octets b has.
func (b *Bundle) size() int {
	return len(b.Commit) + len(b.Welcome) + len(b.GroupInfo) + len(b.PartialGroupInfo)
}

// StagedCommit is a valid commit and what it takes to make it the group's next
// epoch.
type StagedCommit struct {
	// Effects are the proposals and what they do to whom.
	Effects *epoch.Applied
	// Path tells whether the committer replaced its leaf.
	Path bool
	// KeyPackages names the KeyPackages of Effects.Added, in the same order.
	// They are used up.
	KeyPackages []mls.KeyPackageRef
	// Welcome is nil if nobody is added.
	Welcome *mls.Welcome
	// Dropped are pending proposals that the commit does not name. They are void
	// in the new epoch: who still wants them proposes again.
	Dropped []PendingEntry
	// AuthenticatedData is what the committer attached.
	AuthenticatedData []byte
	Changes           *Changes
}

// StageCommit checks a commit by a member or by a newcomer who joins with it,
// with its Welcome and GroupInfo. now is the time by which lifetimes are judged.
//
// Errors wrap, in the order of the checks: [ErrTooLarge], [mls.ErrMalformed],
// [ErrWireFormat], [ErrContentType], [epoch.ErrWrongGroup],
// [epoch.ErrWrongEpoch], [mls.ErrSender], [epoch.ErrTag], [ErrClosed],
// [ErrExternalCommit], [ErrUnknownProposal], [ErrRepeatedProposal],
// [ErrPendingProposals], [ErrPathWanted], [ErrGroupInfo] and [ErrWelcome] for parts that are missing or
// unwanted; [epoch.ErrUnknownSender] and [mls.ErrSignature]; those of
// [epoch.State.Apply], [ErrLifetime], [ErrLeafRefused]; those of
// [epoch.Applied.MergePath] and [epoch.Applied.Context], [ErrTooManyMembers];
// [ErrGroupInfo] and [ErrWelcome].
func (g *Group) StageCommit(b *Bundle, now time.Time) (*StagedCommit, error) {
	if b.size() > g.cfg.MaxMessage {
		return nil, ErrTooLarge
	}
	a, s, err := g.openHandshake(b.Commit, mls.ContentTypeCommit)
	if err != nil {
		return nil, err
	}
	commit := a.Content.Commit
	joiner, err := g.checkJoiner(a)
	if err != nil {
		return nil, err
	}
	list, err := g.resolve(a)
	if err != nil {
		return nil, err
	}
	if err := g.checkCovered(a.Content.Sender, list); err != nil {
		return nil, err
	}
	pathless, err := g.countPathless(list, commit.Path != nil)
	if err != nil {
		return nil, err
	}
	info, err := g.openGroupInfo(b)
	if err != nil {
		return nil, err
	}
	welcome, err := g.openWelcome(b.Welcome, list)
	if err != nil {
		return nil, err
	}

	if err := s.VerifyContent(a); err != nil {
		return nil, err
	}
	effects, err := s.Apply(a.Content.Sender, joiner, list, g.cfg.Rules)
	if err != nil {
		return nil, err
	}
	if err := g.checkEntering(s, effects, commit.Path, now); err != nil {
		return nil, err
	}
	if commit.Path != nil {
		if err := effects.MergePath(commit.Path); err != nil {
			return nil, err
		}
	}
	if effects.Edit.Members() > g.cfg.MaxMembers {
		return nil, ErrTooManyMembers
	}
	t, err := transition(effects, a)
	if err != nil {
		return nil, err
	}

	refs, err := keyPackageRefs(g.suite, effects.KeyPackages)
	if err != nil {
		return nil, err
	}
	if err := checkWelcome(welcome, refs); err != nil {
		return nil, err
	}
	h := g.header.next()
	h.Context, h.InterimTranscriptHash, h.ConfirmationTag = t.Context, t.InterimTranscriptHash, a.ConfirmationTag
	h.Tree, h.PathlessAdds, h.Pending, h.ReInit = t.Changes.Header, pathless, nil, effects.ReInit
	if h.Info, err = g.checkCommitInfo(info, h, effects); err != nil {
		return nil, err
	}
	added := make([]mls.LeafIndex, len(effects.Added))
	for i := range effects.Added {
		added[i] = effects.Added[i].Leaf
	}
	retained := g.retain(h, added)
	c := g.changes(h)
	c.Tree, c.Retained = t.Changes, retained
	staged := &StagedCommit{Effects: effects, Path: commit.Path != nil, KeyPackages: refs, Welcome: welcome,
		AuthenticatedData: a.Content.AuthenticatedData, Changes: c}
	named := namedBy(list)
	for _, e := range g.header.Pending {
		c.Proposals = append(c.Proposals, ProposalWrite{Ref: e.Ref})
		if !named[string(e.Ref)] {
			staged.Dropped = append(staged.Dropped, e)
		}
	}
	return staged, nil
}

// transition closes the changes of the tree and hashes the commit into the
// transcript.
func transition(effects *epoch.Applied, a *mls.AuthenticatedContent) (*epoch.Transition, error) {
	provisional, err := effects.Context()
	if err != nil {
		return nil, err
	}
	ctx, err := effects.Confirmed(provisional, a)
	if err != nil {
		return nil, err
	}
	return effects.Next(ctx, a.ConfirmationTag)
}

// checkJoiner returns the leaf that an external committer brings, nil for a
// member's commit.
func (g *Group) checkJoiner(a *mls.AuthenticatedContent) (*mls.LeafNode, error) {
	switch {
	case a.Content.Sender.Type != mls.SenderTypeNewMemberCommit:
		return nil, nil
	case !g.cfg.ExternalJoins:
		return nil, ErrExternalCommit
	case a.Content.Commit.Path == nil:
		return nil, fmt.Errorf("external commit: %w", epoch.ErrPathRequired)
	}
	return &a.Content.Commit.Path.LeafNode, nil
}

// resolve returns a commit's list of proposals with those it names filled in.
// A proposal by value is the committer's own.
func (g *Group) resolve(a *mls.AuthenticatedContent) ([]*epoch.Proposal, error) {
	list := make([]*epoch.Proposal, 0, len(a.Content.Commit.Proposals))
	entries := make(map[string]*PendingEntry, len(g.header.Pending))
	for i := range g.header.Pending {
		entries[string(g.header.Pending[i].Ref)] = &g.header.Pending[i]
	}
	named := make(map[string]bool)
	var unknown []mls.ProposalRef
	for _, p := range a.Content.Commit.Proposals {
		if p.Proposal != nil {
			list = append(list, &epoch.Proposal{Proposal: p.Proposal, Sender: a.Content.Sender})
			continue
		}
		entry := entries[string(p.Ref)]
		if entry == nil {
			unknown = append(unknown, p.Ref)
			continue
		}
		if named[string(p.Ref)] {
			return nil, ErrRepeatedProposal
		}
		named[string(p.Ref)] = true
		if len(unknown) > 0 {
			continue // the records are not needed any more
		}
		resolved, err := g.pending(entry)
		if err != nil {
			return nil, err
		}
		list = append(list, resolved)
	}
	if len(unknown) > 0 {
		return nil, &UnknownProposalsError{Refs: unknown}
	}
	return list, nil
}

func namedBy(list []*epoch.Proposal) map[string]bool {
	named := make(map[string]bool, len(list))
	for _, p := range list {
		if p.Ref != nil {
			named[string(p.Ref)] = true
		}
	}
	return named
}

// checkCovered enforces [Config.CoverRemovals]. A proposal is covered if the
// commit names it or removes the same leaf otherwise.
func (g *Group) checkCovered(committer mls.Sender, list []*epoch.Proposal) error {
	if !g.cfg.CoverRemovals {
		return nil
	}
	named, removed := namedBy(list), map[mls.LeafIndex]bool{}
	for _, p := range list {
		if p.Type == mls.ProposalTypeRemove {
			removed[p.Remove] = true
		}
	}
	var left []mls.ProposalRef
	for _, e := range g.header.Pending {
		leaf := e.Sender.Leaf
		switch {
		case e.Type == mls.ProposalTypeSelfRemove:
		case e.Type == mls.ProposalTypeRemove && e.Sender.Type == mls.SenderTypeExternal && committer.Type == mls.SenderTypeMember:
			leaf = e.Target
		default:
			continue
		}
		if !named[string(e.Ref)] && !removed[leaf] {
			left = append(left, e.Ref)
		}
	}
	if len(left) > 0 {
		return &PendingProposalsError{Refs: left}
	}
	return nil
}

// countPathless returns how many members were added without a path once the
// commit is applied.
func (g *Group) countPathless(list []*epoch.Proposal, path bool) (uint32, error) {
	if path {
		return 0, nil
	}
	n := g.header.PathlessAdds
	for _, p := range list {
		if p.Type == mls.ProposalTypeAdd {
			n++
		}
	}
	if n > g.header.PathlessAdds && int64(n) > int64(g.cfg.MaxPathlessAdds) {
		return 0, ErrPathWanted
	}
	return n, nil
}

// checkEntering applies the service's policy to the leaves that a commit brings
// in.
func (g *Group) checkEntering(s *epoch.State, effects *epoch.Applied, path *mls.UpdatePath, now time.Time) error {
	for _, c := range effects.Added {
		if err := g.cfg.checkLifetime(c.New, now); err != nil {
			return err
		}
		if err := g.cfg.checkLeaf(nil, c.New); err != nil {
			return err
		}
	}
	for _, c := range effects.Updated {
		if err := g.cfg.checkLeaf(c.Old, c.New); err != nil {
			return err
		}
	}
	if path == nil {
		return nil
	}
	var old *mls.LeafNode
	if !effects.External {
		var err error
		if old, err = s.Leaf(effects.Committer); err != nil {
			return err
		}
	}
	return g.cfg.checkLeaf(old, &path.LeafNode)
}
