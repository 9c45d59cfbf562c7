package publicgroup

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Register is [Import] for a group that its creator has just made: epoch 0, one
// member. Its cost does not depend on anything. Beyond the errors of Import it
// returns [ErrNotNew].
func Register(cfg Config, groupInfo []byte, nodes mls.RatchetTree) (*Changes, error) {
	c, err := Import(cfg, groupInfo, nodes)
	if err != nil {
		return nil, err
	}
	if h := c.Header; h.Context.Epoch != 0 || h.Tree.Size != 1 {
		return nil, ErrNotNew
	}
	return c, nil
}

// Import takes over a group in any epoch from its GroupInfo, an MLSMessage, and
// its tree, which may also be in the GroupInfo's ratchet_tree extension. It
// checks all that a member who joins could check without secrets (RFC 9420,
// Section 12.4.3.1), which takes a signature verification per member, and
// returns what fills an empty store, of which nodes become a part. That the
// GroupInfo is of the latest epoch, nobody can tell from it.
//
// Errors wrap [ErrConfig], [ErrTooLarge], [ErrGroupInfo], [mls.ErrUnsupportedSuite],
// [mls.ErrMalformed], [epoch.ErrProposal] and [epoch.ErrCommit] for the
// GroupContext's extensions and the members' support for them, [ErrLeafRefused],
// [ErrTooManyMembers], or are those of [tree.Import].
func Import(cfg Config, groupInfo []byte, nodes mls.RatchetTree) (*Changes, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(groupInfo) > cfg.MaxMessage {
		return nil, ErrTooLarge
	}
	in, err := parseGroupInfo(bytes.Clone(groupInfo), nil)
	if err != nil {
		return nil, err
	}
	if in.full == nil {
		return nil, ErrGroupInfoMissing
	}
	gi := in.full
	suite, err := checkNewContext(gi)
	if err != nil {
		return nil, err
	}
	if err := cfg.checkExtensions(gi.GroupContext.Extensions); err != nil {
		return nil, err
	}
	if nodes, err = chooseTree(gi, nodes); err != nil {
		return nil, err
	}
	t, err := importTree(&cfg, suite, &gi.GroupContext, nodes)
	if err != nil {
		return nil, err
	}
	if int64(gi.Signer) >= int64(len(nodes)+1)/2 || nodes[gi.Signer.Node()].Leaf == nil {
		return nil, fmt.Errorf("%w: nobody at leaf %d", ErrGroupInfoSigner, gi.Signer)
	}
	check := &infoCheck{cfg: &cfg, suite: suite, context: &gi.GroupContext, tag: gi.ConfirmationTag, signer: gi.Signer,
		signerKey: nodes[gi.Signer.Node()].Leaf.SignatureKey, export: func() (mls.RatchetTree, error) { return nodes, nil }}
	info, err := check.check(in)
	if err != nil {
		return nil, err
	}
	h := &Header{
		Revision: 1, Context: gi.GroupContext, ConfirmationTag: gi.ConfirmationTag, Tree: t.Header, Info: info,
		InterimTranscriptHash: suite.InterimTranscriptHash(gi.GroupContext.ConfirmedTranscriptHash, gi.ConfirmationTag),
	}
	return &Changes{Header: h, Tree: t, Release: t.Version}, nil
}

// checkNewContext checks a GroupContext by itself.
func checkNewContext(gi *mls.GroupInfo) (*mls.Suite, error) {
	ctx := &gi.GroupContext
	if ctx.Version != mls.MLS10 {
		return nil, fmt.Errorf("%w: protocol version %d", ErrGroupInfo, ctx.Version)
	}
	s, err := ctx.CipherSuite.Suite()
	if err != nil {
		return nil, err
	}
	// Epoch 0 follows no commit (RFC 9420, Section 8.2).
	want := s.HashSize()
	if ctx.Epoch == 0 {
		want = 0
	}
	if len(ctx.ConfirmedTranscriptHash) != want {
		return nil, ErrTranscript
	}
	if len(gi.ConfirmationTag) != s.HashSize() {
		return nil, fmt.Errorf("%w: of a wrong size", ErrGroupInfoTag)
	}
	return s, epoch.CheckGroupExtensions(s, ctx.Extensions)
}

// chooseTree returns the tree that came beside or inside the GroupInfo. If it
// came twice, the check of the inline one compares them.
func chooseTree(gi *mls.GroupInfo, nodes mls.RatchetTree) (mls.RatchetTree, error) {
	if len(nodes) > 0 {
		return nodes, nil
	}
	var inline mls.RatchetTree
	ok, err := gi.Extensions.Decode(mls.ExtensionTypeRatchetTree, &inline)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInlineTree, err)
	}
	if !ok {
		return nil, ErrNoTree
	}
	return inline, nil
}

// importTree verifies the tree and what the GroupContext asks of its members.
func importTree(cfg *Config, s *mls.Suite, ctx *mls.GroupContext, nodes mls.RatchetTree) (*tree.Changes, error) {
	members := 0
	for i := range nodes {
		if nodes[i].Leaf == nil {
			continue
		}
		if members++; int64(members) > int64(cfg.MaxMembers) {
			return nil, ErrTooManyMembers
		}
		if err := cfg.checkLeaf(nil, nodes[i].Leaf); err != nil {
			return nil, err
		}
	}
	t, err := tree.Import(tree.ImportConfig{Suite: s, GroupID: ctx.GroupID, Version: tree.Version(ctx.Epoch)}, nodes)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(t.Header.Hash, ctx.TreeHash) {
		return nil, ErrTreeHash
	}
	return t, epoch.CheckSupport(&t.Header.Census, ctx.Extensions)
}

// Create writes what [Register] or [Import] returned into an empty store and
// opens the group. It fails with [ErrStale] if the store holds one, or if c is of
// another origin.
func Create(store Store, cfg Config, c *Changes) (*Group, error) {
	if c.Base != 0 {
		return nil, ErrStale
	}
	if err := store.Apply(c); err != nil {
		return nil, err
	}
	return Open(store, cfg)
}
