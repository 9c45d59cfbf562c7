package publicgroup

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// submitted is a GroupInfo as it came: in full, in short, or not at all.
type submitted struct {
	full    *mls.GroupInfo
	partial *mls.PartialGroupInfo
}

// openGroupInfo reads a commit's GroupInfo, if it has one.
func (g *Group) openGroupInfo(b *Bundle) (submitted, error) {
	if len(b.GroupInfo) == 0 && len(b.PartialGroupInfo) == 0 && !g.cfg.GroupInfoOptional {
		return submitted{}, ErrGroupInfoMissing
	}
	return parseGroupInfo(b.GroupInfo, b.PartialGroupInfo)
}

func parseGroupInfo(full, partial []byte) (submitted, error) {
	var s submitted
	if len(full) > 0 && len(partial) > 0 {
		return s, ErrGroupInfoTwice
	}
	if len(full) > 0 {
		m, err := decode(full, mls.WireFormatGroupInfo)
		if err != nil {
			return s, fmt.Errorf("%w: %w", ErrGroupInfo, err)
		}
		s.full = m.GroupInfo
	}
	if len(partial) > 0 {
		s.partial = new(mls.PartialGroupInfo)
		if err := mls.Unmarshal(partial, s.partial); err != nil {
			return s, fmt.Errorf("%w: %w", ErrGroupInfo, err)
		}
	}
	return s, nil
}

// infoCheck is what a GroupInfo is measured against.
type infoCheck struct {
	cfg       *Config
	suite     *mls.Suite
	context   *mls.GroupContext
	tag       []byte
	signer    mls.LeafIndex
	signerKey []byte
	treeWas   bool // the GroupInfo before had a ratchet_tree
	export    func() (mls.RatchetTree, error)
}

// checkCommitInfo verifies the GroupInfo that came with a commit. h is the new
// epoch's header.
func (g *Group) checkCommitInfo(in submitted, h *Header, effects *epoch.Applied) (*Info, error) {
	if in.full == nil && in.partial == nil {
		return nil, nil
	}
	leaf, err := effects.Edit.Leaf(effects.Committer)
	if err != nil {
		return nil, err
	}
	c := &infoCheck{
		cfg: &g.cfg, suite: g.suite, context: &h.Context, tag: h.ConfirmationTag,
		signer: effects.Committer, signerKey: leaf.SignatureKey,
		treeWas: g.header.Info != nil && g.header.Info.TreeAt > 0, export: effects.Edit.Export,
	}
	return c.check(in)
}

// check verifies a GroupInfo and returns what is to be kept of it. The cheap
// checks come first; the signature covers everything and comes last.
func (c *infoCheck) check(in submitted) (*Info, error) {
	info, err := c.take(in)
	if err != nil {
		return nil, err
	}
	if err := c.checkExtensions(info.Extensions); err != nil {
		return nil, err
	}
	if info.TreeAt > 0 && !c.cfg.InlineTree {
		return nil, fmt.Errorf("%w: not allowed", ErrInlineTree)
	}
	full, err := c.rebuild(info)
	if err != nil {
		return nil, err
	}
	if info.TreeAt > 0 && in.full != nil {
		ours, _ := full.Extensions.Find(mls.ExtensionTypeRatchetTree)
		theirs, _ := in.full.Extensions.Find(mls.ExtensionTypeRatchetTree)
		if !bytes.Equal(ours, theirs) {
			return nil, fmt.Errorf("%w: not the tree of this epoch", ErrInlineTree)
		}
	}
	if full.VerifySignature(c.suite, c.signerKey) != nil {
		return nil, ErrGroupInfoSignature
	}
	return info, detach(info)
}

// take separates what is new in a GroupInfo from what the group's state tells,
// which must agree.
func (c *infoCheck) take(in submitted) (*Info, error) {
	if in.partial != nil {
		return c.takePartial(in.partial)
	}
	full := in.full
	theirs, err := mls.Marshal(&full.GroupContext)
	if err != nil {
		return nil, err
	}
	ours, err := mls.Marshal(c.context)
	if err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(theirs, ours):
		return nil, ErrGroupInfoContext
	case !bytes.Equal(full.ConfirmationTag, c.tag):
		return nil, ErrGroupInfoTag
	case full.Signer != c.signer:
		return nil, ErrGroupInfoSigner
	}
	if err := full.Extensions.CheckUnique(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGroupInfoExtension, err)
	}
	return &Info{Signer: c.signer, Extensions: full.Extensions.Without(mls.ExtensionTypeRatchetTree),
		TreeAt: treeAt(full.Extensions), Signature: full.Signature}, nil
}

func (c *infoCheck) takePartial(p *mls.PartialGroupInfo) (*Info, error) {
	info := &Info{Signer: c.signer, Extensions: p.Extensions, Signature: p.Signature}
	was := p.RatchetTree == mls.RatchetTreePresent || p.RatchetTree == mls.RatchetTreeRemoved
	if was != c.treeWas {
		return nil, ErrTreePresence
	}
	if p.RatchetTree == mls.RatchetTreePresent || p.RatchetTree == mls.RatchetTreeAdded {
		info.TreeAt = uint32(len(p.Extensions)) + 1
	}
	return info, nil
}

func treeAt(es mls.Extensions) uint32 {
	return uint32(slices.IndexFunc(es, func(e mls.Extension) bool { return e.Type == mls.ExtensionTypeRatchetTree }) + 1)
}

// checkExtensions verifies that each type stands once and belongs in a
// GroupInfo (RFC 9420, Section 17.3), and that external_pub is there if external
// joins are allowed, and well-formed (Section 12.4.3.2).
func (c *infoCheck) checkExtensions(es mls.Extensions) error {
	if err := es.CheckUnique(); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupInfoExtension, err)
	}
	if err := c.cfg.checkExtensions(es); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupInfoExtension, err)
	}
	for _, e := range es {
		switch e.Type {
		case mls.ExtensionTypeApplicationID, mls.ExtensionTypeRequiredCapabilities, mls.ExtensionTypeExternalSenders, mls.ExtensionTypeLastResort:
			return fmt.Errorf("%w: type %v does not belong in a GroupInfo", ErrGroupInfoExtension, e.Type)
		}
	}
	var pub mls.ExternalPub
	ok, err := es.Decode(mls.ExtensionTypeExternalPub, &pub)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrExternalPub, err)
	case ok && c.suite.CheckHPKEPublicKey(pub.Key) != nil:
		return fmt.Errorf("%w: %w", ErrExternalPub, mls.ErrPublicKey)
	case !ok && c.cfg.ExternalJoins:
		return fmt.Errorf("%w: missing", ErrExternalPub)
	}
	return nil
}

// rebuild puts the GroupInfo together from the group's own state.
func (c *infoCheck) rebuild(info *Info) (*mls.GroupInfo, error) {
	full := &mls.GroupInfo{GroupContext: *c.context, Extensions: info.Extensions, ConfirmationTag: c.tag,
		Signer: info.Signer, Signature: info.Signature}
	if info.TreeAt == 0 {
		return full, nil
	}
	nodes, err := c.export()
	if err != nil {
		return nil, err
	}
	data, err := mls.Marshal(&nodes)
	if err != nil {
		return nil, err
	}
	full.Extensions = slices.Insert(slices.Clone(info.Extensions), int(info.TreeAt)-1,
		mls.Extension{Type: mls.ExtensionTypeRatchetTree, Data: data})
	return full, nil
}

// GroupInfo returns the signed GroupInfo of the current epoch. If its signer put
// the tree into it, this exports the tree. It fails with [ErrNoGroupInfo].
func (g *Group) GroupInfo() (*mls.GroupInfo, error) {
	h := g.header
	if h.Info == nil {
		return nil, ErrNoGroupInfo
	}
	c := &infoCheck{context: &h.Context, tag: h.ConfirmationTag, export: g.Export}
	return c.rebuild(h.Info)
}

// StageGroupInfo replaces the current epoch's GroupInfo by one that a member
// signed: the way to mend an external_pub with which nobody can join. Exactly
// one of full, an MLSMessage, and partial is given; a partial one says in
// RatchetTree how it compares with the one it replaces. signer is the member's
// leaf. Errors wrap [ErrTooLarge] or [ErrGroupInfo].
func (g *Group) StageGroupInfo(signer mls.LeafIndex, full, partial []byte) (*Changes, error) {
	if len(full)+len(partial) > g.cfg.MaxMessage {
		return nil, ErrTooLarge
	}
	in, err := parseGroupInfo(full, partial)
	if err != nil {
		return nil, err
	}
	if in.full == nil && in.partial == nil {
		return nil, ErrGroupInfoMissing
	}
	s, err := g.state()
	if err != nil {
		return nil, err
	}
	leaf, err := s.Leaf(signer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGroupInfoSigner, err)
	}
	h := g.header.next()
	c := &infoCheck{cfg: &g.cfg, suite: g.suite, context: &h.Context, tag: h.ConfirmationTag, signer: signer,
		signerKey: leaf.SignatureKey, treeWas: h.Info != nil && h.Info.TreeAt > 0, export: g.Export}
	if h.Info, err = c.check(in); err != nil {
		return nil, err
	}
	return g.changes(h), nil
}
