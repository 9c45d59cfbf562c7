package publicgroup

import (
	"bytes"
	"fmt"
	"slices"
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
	// AuthenticatedData is what the committer attached. It and the Welcome alias
	// the bundle; all else is copied.
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
// [ErrPendingProposals], [ErrPathWanted], [ErrGroupInfo] and [ErrWelcome] for
// parts that are missing or unwanted; [epoch.ErrUnknownSender] and [mls.ErrSignature]; those of
// [epoch.State.Apply], [ErrLifetime], [ErrLeafRefused]; those of
// [epoch.Applied.MergePath] and [epoch.Applied.Context], [ErrTooManyMembers];
// [ErrGroupInfo] and [ErrWelcome].
func (g *Group) StageCommit(b *Bundle, now time.Time) (*StagedCommit, error) {
	c, err := g.openCommit(b)
	if err != nil {
		return nil, err
	}
	t, err := g.enact(c, now)
	if err != nil {
		return nil, err
	}
	return g.settle(c, t)
}

// candidate is a commit on its way through the checks.
type candidate struct {
	message  *mls.AuthenticatedContent
	state    *epoch.State
	joiner   *mls.LeafNode // of an external commit
	list     []*epoch.Proposal
	pathless uint32
	info     submitted
	welcome  *mls.Welcome // names nobody twice

	effects *epoch.Applied // set by enact
}

// openCommit reads a bundle and makes all checks that take no signature.
func (g *Group) openCommit(b *Bundle) (*candidate, error) {
	if b.size() > g.cfg.MaxMessage {
		return nil, ErrTooLarge
	}
	c := new(candidate)
	var err error
	if c.message, c.state, err = g.openHandshake(b.Commit, mls.ContentTypeCommit); err != nil {
		return nil, err
	}
	if c.joiner, err = g.checkJoiner(c.message); err != nil {
		return nil, err
	}
	if c.list, err = g.resolve(c.message); err != nil {
		return nil, err
	}
	if err := g.checkCovered(c.message.Content.Sender, c.list); err != nil {
		return nil, err
	}
	if c.pathless, err = g.countPathless(c.list, c.message.Content.Commit.Path != nil); err != nil {
		return nil, err
	}
	if c.info, err = g.openGroupInfo(b); err != nil {
		return nil, err
	}
	c.welcome, err = g.openWelcome(b.Welcome, c.list)
	return c, err
}

// enact verifies the signature, applies the proposals and the path, and leads to
// the new epoch (RFC 9420, Section 12.4.2).
func (g *Group) enact(c *candidate, now time.Time) (*epoch.Transition, error) {
	if err := c.state.VerifyContent(c.message); err != nil {
		return nil, err
	}
	path, err := c.detach()
	if err != nil {
		return nil, err
	}
	if c.effects, err = c.state.Apply(c.message.Content.Sender, c.joiner, c.list, g.cfg.Rules); err != nil {
		return nil, err
	}
	if err := g.checkEntering(c.state, c.list, c.effects, path, now); err != nil {
		return nil, err
	}
	if path != nil {
		if err := c.effects.MergePath(path); err != nil {
			return nil, err
		}
	}
	if c.effects.Edit.Members() > g.cfg.MaxMembers {
		return nil, ErrTooManyMembers
	}
	if err := g.cfg.checkExtensions(c.effects.Extensions); err != nil {
		return nil, err
	}
	provisional, err := c.effects.Context()
	if err != nil {
		return nil, err
	}
	ctx, err := c.effects.Confirmed(provisional, c.message)
	if err != nil {
		return nil, err
	}
	return c.effects.Next(ctx, c.message.ConfirmationTag)
}

// detach replaces what may enter the group's state by copies, and returns that
// of the path: state must neither change with the caller's buffers nor hold a
// whole message in memory for a leaf.
func (c *candidate) detach() (*mls.UpdatePath, error) {
	for i, p := range c.list {
		q := *p
		q.Proposal = new(mls.Proposal)
		*q.Proposal = *p.Proposal
		if err := detach(q.Proposal); err != nil {
			return nil, err
		}
		c.list[i] = &q
	}
	path := c.message.Content.Commit.Path
	if path == nil {
		return nil, nil
	}
	own := &mls.UpdatePath{LeafNode: path.LeafNode, Nodes: slices.Clone(path.Nodes)}
	for i := range own.Nodes {
		own.Nodes[i].EncryptionKey = bytes.Clone(own.Nodes[i].EncryptionKey)
	}
	return own, detach(&own.LeafNode)
}

// detach makes v a copy of itself that shares no octets with what it was decoded
// from.
func detach(v interface {
	mls.Marshaler
	mls.Unmarshaler
}) error {
	b, err := mls.Marshal(v)
	if err != nil {
		return err
	}
	return mls.Unmarshal(b, v)
}

// settle checks Welcome and GroupInfo against the new epoch and puts together
// what changes.
func (g *Group) settle(c *candidate, t *epoch.Transition) (*StagedCommit, error) {
	refs, err := keyPackageRefs(g.suite, c.effects.KeyPackages)
	if err != nil {
		return nil, err
	}
	if err := checkWelcome(c.welcome, refs); err != nil {
		return nil, err
	}
	h := g.header.next()
	h.Context, h.InterimTranscriptHash, h.ConfirmationTag = t.Context, t.InterimTranscriptHash, bytes.Clone(c.message.ConfirmationTag)
	h.Tree, h.PathlessAdds, h.Pending, h.ReInit = t.Changes.Header, c.pathless, nil, c.effects.ReInit
	if h.Info, err = g.checkCommitInfo(c.info, h, c.effects); err != nil {
		return nil, err
	}
	retained := g.retain(h, c.effects.Added)
	changes := g.changes(h)
	changes.Tree, changes.Retained = t.Changes, retained
	staged := &StagedCommit{Effects: c.effects, Path: c.message.Content.Commit.Path != nil, KeyPackages: refs,
		Welcome: c.welcome, AuthenticatedData: c.message.Content.AuthenticatedData, Changes: changes}
	named := namedBy(c.list)
	for _, e := range g.header.Pending {
		changes.Proposals = append(changes.Proposals, ProposalWrite{Ref: e.Ref})
		if !named[string(e.Ref)] {
			staged.Dropped = append(staged.Dropped, e)
		}
	}
	return staged, nil
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
//
// What a proposal by reference brings in was judged when it arrived, in this
// epoch. Judged again it could fail, for a lifetime that has ended since, and with
// it the commit of every member who names what waits.
func (g *Group) checkEntering(s *epoch.State, list []*epoch.Proposal, effects *epoch.Applied, path *mls.UpdatePath, now time.Time) error {
	for _, p := range list {
		if p.Ref != nil {
			continue
		}
		if err := g.checkProposed(s, p, now); err != nil {
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
