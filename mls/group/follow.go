package group

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// follow computes the epoch that a commit of somebody else leads to (RFC 9420,
// Section 12.4.2). The framing of a was verified.
func (g *Group) follow(a *mls.AuthenticatedContent) (*next, error) {
	c := a.Content.Commit
	list, err := g.resolve(c.Proposals, a.Content.Sender)
	if err != nil {
		return nil, err
	}
	path, err := detachedPath(c.Path)
	if err != nil {
		return nil, err
	}
	var joiner, leaf *mls.LeafNode
	if path != nil {
		leaf = &path.LeafNode
		if a.Content.Sender.Type == mls.SenderTypeNewMemberCommit {
			joiner = leaf
		}
	}
	applied, err := g.now.public.Apply(a.Content.Sender, joiner, list, g.cfg.Rules)
	if err != nil {
		return nil, err
	}
	if path != nil {
		if err := applied.MergePath(path); err != nil {
			return nil, err
		}
	}
	if err := g.cfg.validateCommit(list, leaf); err != nil {
		return nil, err
	}
	provisional, err := applied.Context()
	if err != nil {
		return nil, err
	}
	n := &next{what: committed(g.now.public, applied, leaf)}
	if g.removedBy(applied) {
		n.what.Ended = EndRemoved
	}
	if n.what.Ended != EndRemoved {
		if err := g.followSecrets(n, a, applied, list, path, provisional); err != nil {
			return nil, err
		}
	}
	if g.cfg.CheckCommit != nil {
		if err := refused(g.cfg.CheckCommit(n.what)); err != nil {
			n.wipe()
			return nil, err
		}
	}
	return n, nil
}

// validateCommit asks the application about what a commit brings in, but for
// proposals that it was asked about when they arrived. path is nil without one.
func (c *Config) validateCommit(list []*epoch.Proposal, path *mls.LeafNode) error {
	for _, p := range list {
		if p.Ref != nil {
			continue
		}
		if err := c.validateProposal(p.Proposal); err != nil {
			return err
		}
	}
	if path == nil {
		return nil
	}
	return c.validateLeaf(path)
}

// resolve turns a commit's list into proposals. Those by value count as the
// committer's.
func (g *Group) resolve(list []mls.ProposalOrRef, committer mls.Sender) ([]*epoch.Proposal, error) {
	out := make([]*epoch.Proposal, len(list))
	for i := range list {
		if list[i].Proposal == nil {
			if out[i] = g.queue.find(list[i].Ref); out[i] == nil {
				return nil, fmt.Errorf("%w: number %d of the list", ErrUnknownProposal, i)
			}
			continue
		}
		p, err := detached(list[i].Proposal)
		if err != nil {
			return nil, err
		}
		out[i] = &epoch.Proposal{Proposal: p, Sender: committer}
	}
	return out, nil
}

// detachedPath copies what the tree will keep of a path.
func detachedPath(p *mls.UpdatePath) (*mls.UpdatePath, error) {
	if p == nil {
		return nil, nil
	}
	out := &mls.UpdatePath{Nodes: slices.Clone(p.Nodes)}
	for i := range out.Nodes {
		out.Nodes[i].EncryptionKey = slices.Clone(out.Nodes[i].EncryptionKey)
	}
	return out, detach(&p.LeafNode, &out.LeafNode)
}

func (g *Group) removedBy(a *epoch.Applied) bool {
	own := g.now.private.Leaf()
	return slices.ContainsFunc(a.Removed, func(c epoch.Change) bool { return c.Leaf == own })
}

// followSecrets derives the secrets of the next epoch and verifies that the
// committer derived the same.
func (g *Group) followSecrets(n *next, a *mls.AuthenticatedContent, applied *epoch.Applied, list []*epoch.Proposal, path *mls.UpdatePath, provisional *mls.GroupContext) error {
	private, signer, err := g.ownUpdate(list)
	if err != nil {
		return err
	}
	commitSecret := g.suite.ZeroSecret()
	if path != nil {
		encoded, err := mls.Marshal(provisional)
		if err != nil {
			return err
		}
		private, commitSecret, err = private.OpenPath(applied.Edit, applied.Committer, path, encoded)
		if err != nil {
			return fmt.Errorf("path secret: %w", err)
		}
	} else if private, err = private.Prune(applied.Edit); err != nil {
		return err
	}
	init := g.now.secrets.Init
	if applied.External {
		externalPriv, _, err := g.suite.ExternalKeyPair(g.now.secrets)
		if err != nil {
			return err
		}
		initSecret, err := g.suite.ExternalInitFrom(externalPriv, applied.ExternalInit)
		if err != nil {
			return fmt.Errorf("external init: %w", err)
		}
		init = mls.InitSecret{Bytes: initSecret}
	}
	psks, err := g.psks(applied.PSKs, nil)
	if err != nil {
		return err
	}
	ctx, err := applied.Confirmed(provisional, a)
	if err != nil {
		return err
	}
	secrets, err := schedule(g.suite, init, commitSecret, psks, ctx)
	if err != nil {
		return err
	}
	secrets.consume()
	if err := g.suite.VerifyConfirmationTag(secrets.EpochSecrets, ctx.ConfirmedTranscriptHash, a.ConfirmationTag); err != nil {
		return err
	}
	return n.complete(g, applied, ctx, slices.Clone(a.ConfirmationTag), private, signer, secrets.EpochSecrets)
}

// ownUpdate returns the keys with which this client processes a commit: new
// ones if it commits an Update of the client's.
func (g *Group) ownUpdate(list []*epoch.Proposal) (*tree.Private, *mls.SignatureKey, error) {
	own := g.now.private.Leaf()
	for _, p := range list {
		if p.Type != mls.ProposalTypeUpdate || p.Sender.Leaf != own {
			continue
		}
		u, ok := g.queue.update(p.Ref)
		if !ok {
			return nil, nil, fmt.Errorf("%w: Update of this client's leaf", ErrUnknownProposal)
		}
		return g.now.private.Rekey(u.key), u.signer, nil
	}
	return g.now.private, g.now.signer, nil
}
