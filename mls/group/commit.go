package group

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// CommitOptions says what a commit does. The zero value commits all proposals
// that wait, or, if there are none, just renews this client's keys.
type CommitOptions struct {
	// Proposals are committed by value.
	Proposals []*mls.Proposal
	// Skip leaves a waiting proposal out. Nil leaves out none.
	Skip func(*epoch.Proposal) bool
	// ForcePath renews this client's keys even if no proposal asks for it. A
	// second commit of an epoch that adds members always does.
	ForcePath bool
	// Leaf changes this client's leaf. It implies a path.
	Leaf *LeafChange

	AuthenticatedData []byte
	// WireFormat of the commit. Default: [Config].Handshakes.
	WireFormat mls.WireFormat

	// Welcome says what the GroupInfo inside the Welcome holds, GroupInfo what
	// that of the new epoch for others holds.
	Welcome, GroupInfo GroupInfoOptions
}

// Commit is what a commit gives out. Nothing of it may reach newcomers before
// the delivery service took the commit itself.
type Commit struct {
	Message *mls.Message
	// Welcome is for all members that the commit added, nil if it added none.
	Welcome *mls.Message
	// GroupInfo is that of the new epoch. Partial is its short form for a
	// delivery service that follows the group; it takes the epoch before to have
	// had a ratchet_tree in its GroupInfo if this one has.
	GroupInfo *mls.GroupInfo
	Partial   *mls.PartialGroupInfo
	// Skipped are proposals that waited and could not be committed together
	// with the others.
	Skipped []*epoch.Proposal
	// What the commit will do.
	What *Committed
}

// Commit makes a commit (RFC 9420, Section 12.4.1). The group stays in its
// epoch, with the commit pending. Of the waiting proposals those are taken that
// are valid together: removals before updates before others, the newest first
// where they exclude each other, a ReInit only if it is alone. Own Updates can
// not be part of an own commit.
//
// It fails with [ErrPendingCommit], [ErrRemoved], [ErrReInitialised], [ErrPSK],
// [ErrLifetime], [ErrRefused], or as the rules of package epoch do for the
// proposals by value.
func (g *Group) Commit(o CommitOptions) (*Commit, error) { return g.commit(o, nil) }

// commit is [Group.Commit] with PSKs that only the caller knows.
func (g *Group) commit(o CommitOptions, known []mls.PSK) (*Commit, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	if g.pending != nil {
		return nil, ErrPendingCommit
	}
	a := g.content(mls.ContentTypeCommit, o.WireFormat, o.AuthenticatedData)
	list, skipped, err := g.choose(&o, a.Content.Sender)
	if err != nil {
		return nil, err
	}
	applied, err := g.now.public.Apply(a.Content.Sender, nil, list, g.cfg.Rules)
	if err != nil {
		return nil, err
	}
	psks, err := g.psks(applied.PSKs, known)
	if err != nil {
		return nil, err
	}
	d := &draft{cfg: &g.cfg, base: g.now.public, applied: applied, list: list, psks: psks, content: a, signer: g.now.signer, init: g.now.secrets.Init}
	// Without a path nothing in a commit is random. If one that adds members is
	// discarded and made again, the two can come out the same, and then so do the
	// key and nonce of their Welcomes, whose contents need not be the same: one
	// commit of an epoch may go without.
	repeated := g.pathNext && len(applied.Added) > 0
	if applied.PathRequired || o.ForcePath || o.Leaf != nil || repeated {
		old, err := g.now.public.Leaf(a.Content.Sender.Leaf)
		if err != nil {
			return nil, err
		}
		d.leaf, d.newSigner = o.Leaf.apply(old, g.now.signer)
	} else {
		d.newSigner = g.now.signer
		if d.private, err = g.now.private.Prune(applied.Edit); err != nil {
			return nil, err
		}
	}
	n := new(next)
	made, err := d.finish(g, n, &o)
	if err != nil {
		return nil, err
	}
	made.Skipped, made.What = skipped, n.what
	n.what.Own = true
	if made.Message, err = g.frame(a); err != nil {
		return nil, err
	}
	g.pending = &pending{commit: made, authenticatedData: o.AuthenticatedData, next: n}
	g.pathNext = g.pathNext || (made.Welcome != nil && d.leaf == nil)
	return made, nil
}

// draft is a commit in the making, of a member or an external committer.
type draft struct {
	cfg     *Config
	base    *epoch.State
	applied *epoch.Applied
	list    []*epoch.Proposal
	psks    []mls.PSK
	content *mls.AuthenticatedContent
	signer  *mls.SignatureKey // of the message
	init    mls.InitSecret

	leaf      *mls.LeafNode // template of the path's leaf, nil without a path
	private   *tree.Private // in the new epoch, if there is no path
	newSigner *mls.SignatureKey
}

// finish does all of a commit but to frame it: the path, the key schedule, the
// signature and the confirmation tag, the next epoch, the Welcome and the
// GroupInfo.
func (d *draft) finish(g *Group, n *next, o *CommitOptions) (*Commit, error) {
	s := d.base.Suite
	private, commitSecret := d.private, s.ZeroSecret()
	var own *tree.OwnPath
	var err error
	if d.leaf != nil {
		own, err = d.applied.Edit.CreatePath(d.cfg.Rand, d.applied.Committer, d.leaf, d.newSigner, d.base.Context.GroupID)
		if err != nil {
			return nil, err
		}
		defer own.Wipe()
		if err := own.Leaf().Check(s, mls.LeafNodeSourceCommit); err != nil {
			return nil, err
		}
		d.applied.SetPath()
		private, commitSecret = own.Private(), own.CommitSecret()
	}
	provisional, err := d.applied.Context()
	if err != nil {
		return nil, err
	}
	if err := d.cfg.validateCommit(d.list, newLeaf(own)); err != nil {
		return nil, err
	}
	commit := &mls.Commit{Proposals: byValueOrReference(d.list)}
	if own != nil {
		encoded, err := mls.Marshal(provisional)
		if err != nil {
			return nil, err
		}
		if commit.Path, err = own.Seal(encoded); err != nil {
			return nil, err
		}
	}
	d.content.Content.Commit = commit
	if err := d.content.Sign(d.signer, d.base.EncodedContext()); err != nil {
		return nil, err
	}
	ctx, err := d.applied.Confirmed(provisional, d.content)
	if err != nil {
		return nil, err
	}
	secrets, err := schedule(s, d.init, commitSecret, d.psks, ctx)
	if err != nil {
		return nil, err
	}
	d.content.ConfirmationTag = s.ConfirmationTag(secrets.EpochSecrets, ctx.ConfirmedTranscriptHash)
	n.what = committed(d.base, d.applied, newLeaf(own))
	if err := n.complete(g, d.applied, ctx, d.content.ConfirmationTag, private, d.newSigner, secrets.EpochSecrets); err != nil {
		return nil, err
	}
	return d.publish(n, own, secrets, o)
}

// newLeaf returns the leaf of a path, nil without one.
func newLeaf(own *tree.OwnPath) *mls.LeafNode {
	if own == nil {
		return nil
	}
	return own.Leaf()
}

// publish makes what others need besides the commit.
func (d *draft) publish(n *next, own *tree.OwnPath, secrets *scheduled, o *CommitOptions) (*Commit, error) {
	defer secrets.consume()
	made := new(Commit)
	var err error
	if made.GroupInfo, err = n.groupInfo(o.GroupInfo, d.applied.Edit.Export); err != nil {
		return nil, err
	}
	if made.Partial, err = made.GroupInfo.Partial(o.GroupInfo.Tree); err != nil {
		return nil, err
	}
	if len(d.applied.Added) == 0 {
		return made, nil
	}
	info, err := n.groupInfo(o.Welcome, d.applied.Edit.Export)
	if err != nil {
		return nil, err
	}
	welcome, err := sealWelcome(d.applied, own, secrets, info)
	made.Welcome = &mls.Message{WireFormat: mls.WireFormatWelcome, Welcome: welcome}
	return made, err
}

func byValueOrReference(list []*epoch.Proposal) []mls.ProposalOrRef {
	out := make([]mls.ProposalOrRef, len(list))
	for i, p := range list {
		if p.Ref != nil {
			out[i].Ref = p.Ref
		} else {
			out[i].Proposal = p.Proposal
		}
	}
	return out
}
