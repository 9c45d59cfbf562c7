package mls

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// GroupContext is what all members of an epoch agree on (RFC 9420, Section
// 8.1).
type GroupContext struct {
	Version                 ProtocolVersion
	CipherSuite             CipherSuite
	GroupID                 []byte
	Epoch                   uint64
	TreeHash                []byte
	ConfirmedTranscriptHash []byte
	Extensions              Extensions
}

// MarshalTLS encodes c.
func (c *GroupContext) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(c.Version))
	w.Uint16(uint16(c.CipherSuite))
	w.Opaque(c.GroupID)
	w.Uint64(c.Epoch)
	w.Opaque(c.TreeHash)
	w.Opaque(c.ConfirmedTranscriptHash)
	c.Extensions.MarshalTLS(w)
}

// UnmarshalTLS decodes c.
func (c *GroupContext) UnmarshalTLS(r *tlscodec.Reader) {
	*c = GroupContext{
		Version: ProtocolVersion(r.Uint16()), CipherSuite: CipherSuite(r.Uint16()), GroupID: r.Opaque(),
		Epoch: r.Uint64(), TreeHash: r.Opaque(), ConfirmedTranscriptHash: r.Opaque(),
	}
	c.Extensions.UnmarshalTLS(r)
}

// GroupInfo tells a newcomer the state of a group (RFC 9420, Section 12.4.3).
type GroupInfo struct {
	GroupContext    GroupContext
	Extensions      Extensions
	ConfirmationTag []byte
	Signer          LeafIndex
	Signature       []byte
}

func (g *GroupInfo) marshalContent(w *tlscodec.Writer) {
	g.GroupContext.MarshalTLS(w)
	g.Extensions.MarshalTLS(w)
	w.Opaque(g.ConfirmationTag)
	w.Uint32(uint32(g.Signer))
}

// MarshalTLS encodes g.
func (g *GroupInfo) MarshalTLS(w *tlscodec.Writer) {
	g.marshalContent(w)
	w.Opaque(g.Signature)
}

// UnmarshalTLS decodes g.
func (g *GroupInfo) UnmarshalTLS(r *tlscodec.Reader) {
	g.GroupContext.UnmarshalTLS(r)
	g.Extensions.UnmarshalTLS(r)
	g.ConfirmationTag = r.Opaque()
	g.Signer = LeafIndex(r.Uint32())
	g.Signature = r.Opaque()
}

func (g *GroupInfo) tbs() ([]byte, error) {
	var w tlscodec.Writer
	g.marshalContent(&w)
	return w.Bytes()
}

// Sign sets the signature over everything else in g.
func (g *GroupInfo) Sign(key *SignatureKey) error {
	tbs, err := g.tbs()
	if err != nil {
		return fmt.Errorf("%w: GroupInfo: %w", ErrEncode, err)
	}
	g.Signature, err = key.SignWithLabel("GroupInfoTBS", tbs)
	return err
}

// VerifySignature checks g's signature under the signer's key, which the caller
// takes from the signer's leaf. It fails with [ErrSignature].
func (g *GroupInfo) VerifySignature(s *Suite, signer []byte) error {
	tbs, err := g.tbs()
	if err != nil {
		return fmt.Errorf("%w: GroupInfo: %w", ErrEncode, err)
	}
	if err := s.VerifyWithLabel(signer, "GroupInfoTBS", tbs, g.Signature); err != nil {
		return fmt.Errorf("GroupInfo: %w", err)
	}
	return nil
}

// RatchetTreePresence says how the ratchet_tree extension of the full
// GroupInfo compares with the epoch before
// (draft-ietf-mls-ratchet-tree-options, PartialGroupInfo).
type RatchetTreePresence uint8

const (
	RatchetTreeAbsent  RatchetTreePresence = 0 // in neither epoch
	RatchetTreePresent RatchetTreePresence = 1 // in both
	RatchetTreeRemoved RatchetTreePresence = 2 // in the earlier one alone
	RatchetTreeAdded   RatchetTreePresence = 3 // in the later one alone
)

// PartialGroupInfo is what a delivery service that follows the handshakes can
// not derive of the GroupInfo after a commit
// (draft-ietf-mls-ratchet-tree-options).
type PartialGroupInfo struct {
	RatchetTree RatchetTreePresence
	Extensions  Extensions // of the GroupInfo, without ratchet_tree
	Signature   []byte     // of the full GroupInfo, by the committer
}

// MarshalTLS encodes p.
func (p *PartialGroupInfo) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(p.RatchetTree))
	p.Extensions.MarshalTLS(w)
	w.Opaque(p.Signature)
}

// UnmarshalTLS decodes p.
func (p *PartialGroupInfo) UnmarshalTLS(r *tlscodec.Reader) {
	p.RatchetTree = RatchetTreePresence(r.Uint8())
	if p.RatchetTree > RatchetTreeAdded {
		r.Fail(tlscodec.ErrValue)
	}
	p.Extensions.UnmarshalTLS(r)
	if _, ok := p.Extensions.Find(ExtensionTypeRatchetTree); ok {
		r.Fail(fmt.Errorf("%w: ratchet_tree in a PartialGroupInfo", tlscodec.ErrValue))
	}
	p.Signature = r.Opaque()
}

// ErrPartialGroupInfo: a GroupInfo can not be shortened to a
// [PartialGroupInfo], since its ratchet_tree is not its last extension.
var ErrPartialGroupInfo = errors.New("mls: GroupInfo has no partial form")

// Partial returns the short form of g. before tells whether the GroupInfo of
// the epoch before had a ratchet_tree. The signature covers the order of the
// extensions, so ratchet_tree must stand last, where the rebuilder puts it;
// otherwise Partial fails with [ErrPartialGroupInfo].
func (g *GroupInfo) Partial(before bool) (*PartialGroupInfo, error) {
	p := &PartialGroupInfo{Extensions: g.Extensions, Signature: g.Signature}
	n := len(g.Extensions)
	_, now := g.Extensions.Find(ExtensionTypeRatchetTree)
	if now {
		if g.Extensions[n-1].Type != ExtensionTypeRatchetTree {
			return nil, ErrPartialGroupInfo
		}
		p.Extensions = g.Extensions[:n-1]
	}
	switch {
	case before && now:
		p.RatchetTree = RatchetTreePresent
	case before:
		p.RatchetTree = RatchetTreeRemoved
	case now:
		p.RatchetTree = RatchetTreeAdded
	}
	return p, nil
}
