package group

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Create makes a group of one member at epoch 0 (RFC 9420, Section 11).
// groupID must be unique among the groups of everybody concerned: HashSize
// random octets, or what the delivery service gives out. Errors wrap
// [mls.ErrLeafNode], [epoch.ErrProposal] or [epoch.ErrCommit] if the client's
// leaf or the extensions are not valid.
func Create(cfg Config, c *Client, groupID []byte, extensions mls.Extensions) (*Group, error) {
	cfg = cfg.withDefaults()
	s, err := c.Suite.Suite()
	if err != nil {
		return nil, err
	}
	leaf := c.leaf()
	leafKey, public, err := s.GenerateKeyPair(cfg.Rand)
	if err != nil {
		return nil, err
	}
	leaf.EncryptionKey = public
	if err := leaf.Sign(c.Signer, nil, 0); err != nil {
		return nil, err
	}
	if err := leaf.Check(s, mls.LeafNodeSourceKeyPackage); err != nil {
		return nil, err
	}
	if err := epoch.CheckGroupExtensions(s, extensions); err != nil {
		return nil, err
	}
	if err := cfg.validateSenders(extensions); err != nil {
		return nil, err
	}

	g := &Group{cfg: cfg, suite: s, store: tree.NewMemory()}
	e := tree.Empty(s, g.store, 0).Edit()
	if _, err := e.AddLeaf(&leaf); err != nil {
		return nil, err
	}
	if err := epoch.CheckSupport(e.Census(), extensions); err != nil {
		return nil, err
	}
	changes, err := e.Changes()
	if err != nil {
		return nil, err
	}
	epochSecret, err := s.RandomSecret(cfg.Rand)
	if err != nil {
		return nil, err
	}
	secrets := s.NewGroupSecrets(epochSecret)
	epochSecret.Wipe()
	ctx := mls.GroupContext{
		Version: mls.MLS10, CipherSuite: c.Suite, GroupID: groupID, TreeHash: changes.Header.Hash,
		ConfirmedTranscriptHash: []byte{}, Extensions: extensions,
	}
	tag := s.ConfirmationTag(secrets, ctx.ConfirmedTranscriptHash)
	state, err := epoch.NewState(tree.New(s, g.store, changes.Version, changes.Header), ctx,
		s.InterimTranscriptHash(ctx.ConfirmedTranscriptHash, tag))
	if err != nil {
		return nil, err
	}
	if err := g.store.Apply(changes); err != nil {
		return nil, err
	}
	g.now = newCurrent(state, tag, tree.NewPrivate(0, leafKey), c.Signer, secrets, cfg.Window)
	return g, nil
}
