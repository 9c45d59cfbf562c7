package group

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// JoinOptions holds what a Welcome may leave out.
type JoinOptions struct {
	// Tree is the ratchet tree, if the GroupInfo does not hold it.
	Tree mls.RatchetTree
	// Before is the group that the new one continues after a ReInit or branches
	// off (RFC 9420, Sections 11.2 and 11.3). It must be given for such a
	// Welcome, and only then.
	Before *Group
}

// WelcomedBy returns the member who made the Welcome that this client joined by,
// which signed its GroupInfo. It is not saved with the group.
func (g *Group) WelcomedBy() (mls.LeafIndex, bool) { return g.welcomedBy, g.welcomed }

// JoinWelcome joins a group by a Welcome that names one of the KeyPackages in
// cfg.KeyPackages (RFC 9420, Section 12.4.3.1). The KeyPackage is deleted from
// the store unless it is one of last resort. Whether the client is in a group of
// this name already is for the caller to judge, from [Group.GroupID].
//
// Errors wrap [ErrJoin], [mls.ErrDecrypt], [mls.ErrMalformed], [ErrPSK],
// [mls.ErrSignature], [mls.ErrConfirmationTag], [tree.ErrPathSecret], the errors
// of [tree.Import], [epoch.ErrProposal] and [epoch.ErrCommit] for extensions and
// capabilities that do not fit, or [ErrRefused].
func JoinWelcome(cfg Config, w *mls.Welcome, o JoinOptions) (*Group, error) {
	cfg = cfg.withDefaults()
	s, err := w.CipherSuite.Suite()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParameters, err)
	}
	own, entry, err := cfg.findKeyPackage(w)
	if err != nil {
		return nil, err
	}
	if own.Public.CipherSuite != w.CipherSuite {
		return nil, ErrParameters
	}
	gs, err := w.OpenGroupSecrets(s, own.InitKey, entry)
	if err != nil {
		return nil, err
	}
	if gs.JoinerSecret.Len() != s.HashSize() || (!gs.PathSecret.IsZero() && gs.PathSecret.Len() != s.HashSize()) {
		return nil, ErrGroupSecrets
	}
	pskSecret, err := cfg.welcomePSKs(s, gs.PSKs, o.Before)
	if err != nil {
		return nil, err
	}
	joiner := mls.JoinerSecret{Bytes: gs.JoinerSecret}
	info, err := w.OpenGroupInfo(s, s.WelcomeSecret(joiner, pskSecret))
	if err != nil {
		return nil, err
	}
	if info.GroupContext.CipherSuite != w.CipherSuite {
		return nil, ErrParameters
	}
	g, state, err := enterTree(cfg, info, o.Tree)
	if err != nil {
		return nil, err
	}
	if err := checkBefore(&cfg, o.Before, gs.PSKs, state); err != nil {
		return nil, err
	}
	private, err := ownKeys(state.Tree, own, info.Signer, gs.PathSecret)
	if err != nil {
		return nil, err
	}
	secrets := s.NewEpochSecrets(joiner, pskSecret, state.EncodedContext())
	gs.JoinerSecret.Wipe()
	gs.PathSecret.Wipe()
	pskSecret.Wipe()
	if err := s.VerifyConfirmationTag(secrets, state.Context.ConfirmedTranscriptHash, info.ConfirmationTag); err != nil {
		return nil, err
	}
	g.now = newCurrent(state, info.ConfirmationTag, private, own.Signer, secrets, cfg.Window)
	g.welcomedBy, g.welcomed = info.Signer, true
	if !own.Public.LastResort() {
		if err := cfg.KeyPackages.DeleteKeyPackage(entry.NewMember); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// findKeyPackage finds which part of a Welcome is for this client.
func (c *Config) findKeyPackage(w *mls.Welcome) (*KeyPackage, *mls.EncryptedGroupSecrets, error) {
	if c.KeyPackages == nil {
		return nil, nil, ErrNoStore
	}
	for i := range w.Secrets {
		own, err := c.KeyPackages.KeyPackage(w.Secrets[i].NewMember)
		if err != nil {
			return nil, nil, err
		}
		if own != nil {
			return own, &w.Secrets[i], nil
		}
	}
	return nil, nil, ErrNotForUs
}

// welcomePSKs finds the PSKs of a Welcome. One of the usages reinit and branch
// comes from the group before, and stands alone among its kind.
func (c *Config) welcomePSKs(s *mls.Suite, ids []mls.PreSharedKeyID, before *Group) (secret.Bytes, error) {
	var known []mls.PSK
	for i := range ids {
		if len(ids[i].Nonce) != s.HashSize() {
			return secret.Bytes{}, fmt.Errorf("%w: PSK nonce", ErrGroupSecrets)
		}
		if !links(&ids[i]) {
			continue
		}
		if len(known) > 0 {
			return secret.Bytes{}, fmt.Errorf("%w: two groups before", ErrGroupSecrets)
		}
		key, err := before.linkPSK(&ids[i])
		if err != nil {
			return secret.Bytes{}, err
		}
		known = append(known, mls.PSK{ID: ids[i], Key: key})
	}
	psks, err := c.findPSKs(ids, known, nil)
	if err != nil {
		return secret.Bytes{}, err
	}
	return s.PSKSecret(psks)
}

// enterTree verifies a GroupInfo and its tree, and returns a group whose store
// holds the tree, with the public state of its epoch.
func enterTree(cfg Config, info *mls.GroupInfo, nodes mls.RatchetTree) (*Group, *epoch.State, error) {
	if inline, err := info.Extensions.Decode(mls.ExtensionTypeRatchetTree, &nodes); err != nil {
		return nil, nil, err
	} else if !inline && nodes == nil {
		return nil, nil, ErrNoTree
	}
	var ctx mls.GroupContext
	if err := detach(&info.GroupContext, &ctx); err != nil {
		return nil, nil, err
	}
	s, err := ctx.CipherSuite.Suite()
	if err != nil || ctx.Version != mls.MLS10 {
		return nil, nil, ErrParameters
	}
	signer := nodes.At(info.Signer.Node()).Leaf
	if info.Signer >= mls.MaxLeaves || signer == nil {
		return nil, nil, ErrSigner
	}
	if err := info.VerifySignature(s, signer.SignatureKey); err != nil {
		return nil, nil, err
	}
	// The group keeps the tree, as it does the context, and the caller may reuse
	// what they were decoded from.
	if err := detach(&nodes, &nodes); err != nil {
		return nil, nil, err
	}
	changes, err := tree.Import(tree.ImportConfig{Suite: s, GroupID: ctx.GroupID, Version: tree.Version(ctx.Epoch)}, nodes)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(changes.Header.Hash, ctx.TreeHash) {
		return nil, nil, ErrTreeHash
	}
	if err := info.Extensions.CheckUnique(); err != nil {
		return nil, nil, err
	}
	if err := epoch.CheckGroupExtensions(s, ctx.Extensions); err != nil {
		return nil, nil, err
	}
	if err := epoch.CheckSupport(&changes.Header.Census, ctx.Extensions); err != nil {
		return nil, nil, err
	}
	if err := cfg.validateSenders(ctx.Extensions); err != nil {
		return nil, nil, err
	}
	g := &Group{cfg: cfg, suite: s, store: tree.NewMemory()}
	if err := g.store.Apply(changes); err != nil {
		return nil, nil, err
	}
	state, err := epoch.NewState(tree.New(s, g.store, changes.Version, changes.Header), ctx,
		s.InterimTranscriptHash(ctx.ConfirmedTranscriptHash, info.ConfirmationTag))
	if err != nil {
		return nil, nil, err
	}
	return g, state, state.Tree.EachLeaf(func(_ mls.LeafIndex, l *mls.LeafNode) error { return cfg.validateLeaf(l) })
}

// ownKeys finds the leaf of a KeyPackage in the tree and gathers the private
// keys that its owner has from the Welcome.
func ownKeys(t *tree.Tree, own *KeyPackage, signer mls.LeafIndex, pathSecret secret.Bytes) (*tree.Private, error) {
	want, err := mls.Marshal(&own.Public.LeafNode)
	if err != nil {
		return nil, err
	}
	var private *tree.Private
	err = t.EachLeaf(func(l mls.LeafIndex, leaf *mls.LeafNode) error {
		if private != nil || !bytes.Equal(leaf.EncryptionKey, own.Public.LeafNode.EncryptionKey) {
			return nil
		}
		got, err := mls.Marshal(leaf)
		if err == nil && bytes.Equal(got, want) {
			private = tree.NewPrivate(l, own.LeafKey)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case private == nil:
		return nil, ErrNotInTree
	case pathSecret.IsZero():
		return private, nil
	case private.Leaf() == signer:
		return nil, ErrSigner
	}
	return private.Join(t, signer, pathSecret)
}
