package group

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// ExternalOptions says how a client joins by external commit.
type ExternalOptions struct {
	// Tree is the ratchet tree, if the GroupInfo does not hold it.
	Tree mls.RatchetTree
	// Remove is the client's own old leaf in the group, which the commit
	// removes.
	Remove *mls.LeafIndex
	// SelfRemoves are proposals of this epoch to leave, as the delivery service
	// handed them out. Their signatures are verified, their membership tags can
	// not be.
	SelfRemoves []*mls.PublicMessage
	// PSKs are external or resumption PSKs to bring in; nonces are added.
	PSKs []mls.PreSharedKeyID
	// Proposals are others that an external commit may have: AppDataUpdate and
	// AppEphemeral.
	Proposals []*mls.Proposal

	AuthenticatedData []byte
	GroupInfo         GroupInfoOptions // of the new epoch
}

// JoinExternal joins a group by a commit of the client's own (RFC 9420, Section
// 12.4.3.2). The group it returns is in the epoch that the commit starts: it
// must be dropped if the delivery service refuses the commit.
//
// The client can not know whether the GroupInfo is the newest one, nor whether
// its confirmation tag is right. Errors are those of [JoinWelcome] as far as
// they concern the GroupInfo and the tree, [ErrNoExternalPub],
// [mls.ErrPublicKey], [ErrPSK], and those of package epoch for the commit.
func JoinExternal(cfg Config, c *Client, info *mls.GroupInfo, o ExternalOptions) (*Group, *Commit, error) {
	cfg = cfg.withDefaults()
	g, base, err := enterTree(cfg, info, o.Tree)
	if err != nil {
		return nil, nil, err
	}
	if c.Suite != base.Context.CipherSuite {
		return nil, nil, ErrParameters
	}
	if len(info.ConfirmationTag) != g.suite.HashSize() {
		return nil, nil, fmt.Errorf("%w: %w", ErrJoin, epoch.ErrTag)
	}
	var pub mls.ExternalPub
	if ok, err := info.Extensions.Decode(mls.ExtensionTypeExternalPub, &pub); err != nil {
		return nil, nil, err
	} else if !ok {
		return nil, nil, ErrNoExternalPub
	}
	kemOutput, init, err := g.suite.ExternalInit(pub.Key)
	if err != nil {
		return nil, nil, err
	}
	sender := mls.Sender{Type: mls.SenderTypeNewMemberCommit}
	list, ids, err := o.list(&cfg, base, sender, kemOutput)
	if err != nil {
		return nil, nil, err
	}
	leaf := c.leaf()
	applied, err := base.Apply(sender, &leaf, list, cfg.Rules)
	if err != nil {
		return nil, nil, err
	}
	psks, err := cfg.findPSKs(ids, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, Content: mls.FramedContent{
		GroupID: base.Context.GroupID, Epoch: base.Context.Epoch, Sender: sender,
		AuthenticatedData: o.AuthenticatedData, ContentType: mls.ContentTypeCommit,
	}}
	d := &draft{cfg: &cfg, base: base, applied: applied, list: list, psks: psks, content: a,
		signer: c.Signer, newSigner: c.Signer, init: mls.InitSecret{Bytes: init}, leaf: &leaf}
	n := new(next)
	made, err := d.finish(g, n, &CommitOptions{GroupInfo: o.GroupInfo})
	if err != nil {
		return nil, nil, err
	}
	init.Wipe()
	m, err := mls.NewPublicMessage(g.suite, a, init, base.EncodedContext())
	if err != nil {
		return nil, nil, err
	}
	made.Message = &mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}
	n.what.Own, made.What = true, n.what
	if err := g.store.Apply(n.changes); err != nil {
		return nil, nil, err
	}
	g.store.Release(n.changes.Version)
	g.now = n.current
	return g, made, nil
}

// list puts the proposals of an external commit together, and returns its PSKs
// as they stand in it.
func (o *ExternalOptions) list(cfg *Config, base *epoch.State, sender mls.Sender, kemOutput []byte) ([]*epoch.Proposal, []mls.PreSharedKeyID, error) {
	values := []*mls.Proposal{{Type: mls.ProposalTypeExternalInit, ExternalInit: kemOutput}}
	if o.Remove != nil {
		values = append(values, Remove(*o.Remove))
	}
	var ids []mls.PreSharedKeyID
	for _, id := range o.PSKs {
		p, err := pskProposal(cfg.Rand, base.Suite, id)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, *p.PSK)
		values = append(values, p)
	}
	var list []*epoch.Proposal
	for _, p := range append(values, o.Proposals...) {
		list = append(list, &epoch.Proposal{Proposal: p, Sender: sender})
	}
	for _, m := range o.SelfRemoves {
		a := m.Authenticated()
		if a.Content.ContentType != mls.ContentTypeProposal || a.Content.Proposal.Type != mls.ProposalTypeSelfRemove {
			return nil, nil, ErrProposalType
		}
		if err := base.VerifyContent(a); err != nil {
			return nil, nil, err
		}
		p, err := base.NewProposal(a)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, p)
	}
	return list, ids, nil
}

// FindOwnLeaf returns the leaf in a tree that has the given credential, for
// [ExternalOptions].Remove. It fails with [ErrNotInTree].
func FindOwnLeaf(nodes mls.RatchetTree, c *mls.Credential) (mls.LeafIndex, error) {
	for i := 0; i < len(nodes); i += 2 {
		if leaf := nodes[i].Leaf; leaf != nil && leaf.Credential.Equal(c) {
			return mls.LeafIndex(i / 2), nil
		}
	}
	return 0, ErrNotInTree
}
