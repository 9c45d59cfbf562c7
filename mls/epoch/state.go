package epoch

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// State is the public state of one epoch of a group. It is immutable: the next
// epoch is another State.
type State struct {
	Suite   *mls.Suite
	Tree    *tree.Tree
	Context mls.GroupContext
	// InterimTranscriptHash goes into the confirmed hash of the next commit.
	InterimTranscriptHash []byte

	encoded []byte
}

// NewState puts an epoch together. The parts must belong together; the tree's
// hash is compared with the GroupContext's. It fails with [mls.ErrEncode], or
// with [ErrCommit] if the hashes differ.
func NewState(t *tree.Tree, ctx mls.GroupContext, interim []byte) (*State, error) {
	s, err := ctx.CipherSuite.Suite()
	if err != nil {
		return nil, err
	}
	encoded, err := mls.Marshal(&ctx)
	if err != nil {
		return nil, err
	}
	hash, err := t.Hash()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(hash, ctx.TreeHash) {
		return nil, fmt.Errorf("%w: tree hash differs from the GroupContext's", ErrCommit)
	}
	return &State{Suite: s, Tree: t, Context: ctx, InterimTranscriptHash: interim, encoded: encoded}, nil
}

// EncodedContext returns the encoding of the GroupContext, which signatures and
// secrets cover. The caller must not modify it.
func (s *State) EncodedContext() []byte { return s.encoded }

// Leaf returns a member's leaf, or [ErrUnknownSender] if nobody is there.
func (s *State) Leaf(l mls.LeafIndex) (*mls.LeafNode, error) {
	leaf, err := s.Tree.Leaf(l)
	if errors.Is(err, tree.ErrNoMember) {
		return nil, fmt.Errorf("%w: leaf %d", ErrUnknownSender, l)
	}
	return leaf, err
}

// ExternalSenders returns the group's external_senders, none if the extension
// is absent. It fails with [mls.ErrExtension].
func (s *State) ExternalSenders() (mls.ExternalSenders, error) {
	var e mls.ExternalSenders
	_, err := s.Context.Extensions.Decode(mls.ExtensionTypeExternalSenders, &e)
	return e, err
}

// SenderKey returns the key under which a's signature must verify (RFC 9420,
// Section 6.1): that of the member's leaf, of the external sender, of the
// KeyPackage a newcomer proposes, or of the leaf an external committer brings.
func (s *State) SenderKey(a *mls.AuthenticatedContent) ([]byte, error) {
	c := &a.Content
	switch c.Sender.Type {
	case mls.SenderTypeMember:
		leaf, err := s.Leaf(c.Sender.Leaf)
		if err != nil {
			return nil, err
		}
		return leaf.SignatureKey, nil
	case mls.SenderTypeExternal:
		senders, err := s.ExternalSenders()
		if err != nil {
			return nil, err
		}
		if int64(c.Sender.Index) >= int64(len(senders)) {
			return nil, fmt.Errorf("%w: external sender %d", ErrUnknownSender, c.Sender.Index)
		}
		return senders[c.Sender.Index].SignatureKey, nil
	case mls.SenderTypeNewMemberProposal:
		return c.Proposal.Add.LeafNode.SignatureKey, nil
	default:
		if c.Commit.Path == nil {
			return nil, fmt.Errorf("external commit: %w", ErrPathRequired)
		}
		return c.Commit.Path.LeafNode.SignatureKey, nil
	}
}

// CheckFraming checks what a message's framing shows without a signature: group,
// epoch, who may send what, and the size of a commit's confirmation tag. It
// reads no leaf. Errors wrap [ErrWrongGroup], [ErrWrongEpoch], [mls.ErrSender]
// or [ErrTag].
func (s *State) CheckFraming(a *mls.AuthenticatedContent) error {
	c := &a.Content
	if !bytes.Equal(c.GroupID, s.Context.GroupID) {
		return ErrWrongGroup
	}
	if c.Epoch != s.Context.Epoch {
		return &WrongEpochError{Current: s.Context.Epoch}
	}
	if err := a.CheckSender(); err != nil {
		return err
	}
	if c.ContentType == mls.ContentTypeCommit && len(a.ConfirmationTag) != s.Suite.HashSize() {
		return fmt.Errorf("%w: confirmation tag", ErrTag)
	}
	return nil
}

// VerifyContent checks a message of this epoch as far as its framing goes: what
// [State.CheckFraming] checks, then the signature. Errors wrap those of
// CheckFraming, [ErrUnknownSender], [ErrPathRequired] or [mls.ErrSignature].
func (s *State) VerifyContent(a *mls.AuthenticatedContent) error {
	if err := s.CheckFraming(a); err != nil {
		return err
	}
	key, err := s.SenderKey(a)
	if err != nil {
		return err
	}
	return a.VerifySignature(s.Suite, key, s.encoded)
}
