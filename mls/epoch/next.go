package epoch

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// MergePath checks the public side of a commit's UpdatePath and sets its keys
// in the tree (RFC 9420, Section 12.4.2): the committer's new leaf, the number
// of nodes and of ciphertexts for each, that keys are fresh, and the chain of
// parent hashes. Errors wrap [ErrReplaced], [ErrPathSecret], [mls.ErrLeafNode],
// [mls.ErrPublicKey], [mls.ErrSignature] or the path errors of package tree.
func (a *Applied) MergePath(p *mls.UpdatePath) error {
	leaf := &p.LeafNode
	if err := leaf.Check(a.base.Suite, mls.LeafNodeSourceCommit); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if !a.External {
		old, err := a.base.Leaf(a.Committer)
		if err != nil {
			return err
		}
		if !a.rules.successor(old, leaf) {
			return ErrReplaced
		}
	}
	if err := leaf.VerifySignature(a.base.Suite, a.base.Context.GroupID, a.Committer); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if err := checkPathSecrets(a.base.Suite, p); err != nil {
		return err
	}
	if err := a.Edit.MergePath(a.Committer, p); err != nil {
		return err
	}
	a.hasPath = true
	return nil
}

// checkPathSecrets checks what everybody can see of the encrypted path secrets:
// each is HashSize octets under HPKE (RFC 9420, Section 7.6). What does not fit
// could be opened by nobody.
func checkPathSecrets(s *mls.Suite, p *mls.UpdatePath) error {
	const tagSize = 16 // of every AEAD
	for i := range p.Nodes {
		for _, c := range p.Nodes[i].EncryptedPathSecret {
			if s.CheckKEMOutput(c.KEMOutput) != nil || len(c.Ciphertext) != s.HashSize()+tagSize {
				return fmt.Errorf("%w: node %d", ErrPathSecret, i)
			}
		}
	}
	return nil
}

// SetPath notes that the committer itself has set a path in Edit.
func (a *Applied) SetPath() { a.hasPath = true }

// Context closes the changes of the tree and returns the provisional
// GroupContext of the new epoch, under which path secrets are encrypted (RFC
// 9420, Section 12.4.1): epoch, tree hash and extensions are the new ones, the
// transcript hash is still that of the epoch before. It checks what holds of the
// new epoch as a whole: a path if one is required, keys used once, extensions,
// proposals and credentials supported by every member. Errors wrap [ErrCommit].
func (a *Applied) Context() (*mls.GroupContext, error) {
	if !a.hasPath && (a.PathRequired || a.External) {
		return nil, ErrPathRequired
	}
	if err := a.Edit.CheckKeys(); err != nil {
		if errors.Is(err, tree.ErrDuplicateKey) {
			return nil, fmt.Errorf("%w: %w", ErrDuplicate, err)
		}
		return nil, err
	}
	if err := CheckSupport(a.Edit.Census(), a.Extensions); err != nil {
		return nil, err
	}
	hash, err := a.Edit.Hash()
	if err != nil {
		return nil, err
	}
	ctx := a.base.Context
	ctx.Epoch++
	ctx.TreeHash = hash
	ctx.Extensions = a.Extensions
	return &ctx, nil
}

// CheckSupport checks that every member counted in c supports the extensions of
// a GroupContext, what its required_capabilities ask, and every credential type
// in use (RFC 9420, Sections 7.3, 11.1 and 13.3). It reads no leaf. Errors wrap
// [ErrUnsupportedExtension], [ErrRequiredProposal], [ErrUnsupportedCredential]
// or [mls.ErrExtension].
func CheckSupport(c *tree.Census, es mls.Extensions) error {
	required, err := requiredCapabilities(es)
	if err != nil {
		return err
	}
	extensions := required.Extensions
	for _, e := range es {
		extensions = append(extensions, e.Type)
	}
	for _, t := range extensions {
		if !c.SupportsExtension(t) {
			return fmt.Errorf("%w: %v", ErrUnsupportedExtension, t)
		}
	}
	for _, t := range required.Proposals {
		if !c.SupportsProposal(t) {
			return fmt.Errorf("%w: %v", ErrRequiredProposal, t)
		}
	}
	for _, t := range append(required.Credentials, c.CredentialsInUse()...) {
		if !c.SupportsCredential(t) {
			return fmt.Errorf("%w: 0x%04x", ErrUnsupportedCredential, uint16(t))
		}
	}
	return nil
}

// Confirmed hashes the signed commit into the transcript and returns the
// GroupContext of the new epoch. provisional comes from [Applied.Context].
func (a *Applied) Confirmed(provisional *mls.GroupContext, commit *mls.AuthenticatedContent) (*mls.GroupContext, error) {
	confirmed, err := a.base.Suite.ConfirmedTranscriptHash(a.base.InterimTranscriptHash, commit)
	if err != nil {
		return nil, err
	}
	ctx := *provisional
	ctx.ConfirmedTranscriptHash = confirmed
	return &ctx, nil
}

// Transition is the way from one epoch to the next: what to write to the store
// of tree nodes, and what is then true. Nothing is written yet.
type Transition struct {
	Changes               *tree.Changes
	Context               mls.GroupContext
	InterimTranscriptHash []byte

	suite *mls.Suite
}

// Next completes the transition once the confirmation tag is known. ctx comes
// from [Applied.Confirmed].
func (a *Applied) Next(ctx *mls.GroupContext, confirmationTag []byte) (*Transition, error) {
	changes, err := a.Edit.Changes()
	if err != nil {
		return nil, err
	}
	return &Transition{
		Changes: changes, Context: *ctx, suite: a.base.Suite,
		InterimTranscriptHash: a.base.Suite.InterimTranscriptHash(ctx.ConfirmedTranscriptHash, confirmationTag),
	}, nil
}

// State returns the new epoch over a store to which Changes were applied.
func (t *Transition) State(store tree.Store) (*State, error) {
	return NewState(tree.New(t.suite, store, t.Changes.Version, t.Changes.Header), t.Context, t.InterimTranscriptHash)
}
