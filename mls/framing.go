package mls

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Sender says who sent a message (RFC 9420, Section 6).
type Sender struct {
	Type SenderType
	// Leaf is the sender's leaf, for SenderTypeMember.
	Leaf LeafIndex
	// Index is the place in external_senders, for SenderTypeExternal.
	Index uint32
}

// MarshalTLS encodes s.
func (s *Sender) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(s.Type))
	switch s.Type {
	case SenderTypeMember:
		w.Uint32(uint32(s.Leaf))
	case SenderTypeExternal:
		w.Uint32(s.Index)
	case SenderTypeNewMemberProposal, SenderTypeNewMemberCommit:
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes s.
func (s *Sender) UnmarshalTLS(r *tlscodec.Reader) {
	*s = Sender{Type: SenderType(r.Uint8())}
	switch s.Type {
	case SenderTypeMember:
		s.Leaf = LeafIndex(r.Uint32())
	case SenderTypeExternal:
		s.Index = r.Uint32()
	case SenderTypeNewMemberProposal, SenderTypeNewMemberCommit:
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

// FramedContent is the content of a message with its context (RFC 9420,
// Section 6). Exactly the field of its ContentType is set.
type FramedContent struct {
	GroupID           []byte
	Epoch             uint64
	Sender            Sender
	AuthenticatedData []byte
	ContentType       ContentType
	ApplicationData   []byte
	Proposal          *Proposal
	Commit            *Commit
}

func (c *FramedContent) marshalContent(w *tlscodec.Writer) {
	switch {
	case c.ContentType == ContentTypeApplication:
		w.Opaque(c.ApplicationData)
	case c.ContentType == ContentTypeProposal && c.Proposal != nil:
		c.Proposal.MarshalTLS(w)
	case c.ContentType == ContentTypeCommit && c.Commit != nil:
		c.Commit.MarshalTLS(w)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

func (c *FramedContent) unmarshalContent(r *tlscodec.Reader) {
	c.ApplicationData, c.Proposal, c.Commit = nil, nil, nil
	switch c.ContentType {
	case ContentTypeApplication:
		c.ApplicationData = r.Opaque()
	case ContentTypeProposal:
		c.Proposal = new(Proposal)
		c.Proposal.UnmarshalTLS(r)
	case ContentTypeCommit:
		c.Commit = new(Commit)
		c.Commit.UnmarshalTLS(r)
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

// MarshalTLS encodes c.
func (c *FramedContent) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(c.GroupID)
	w.Uint64(c.Epoch)
	c.Sender.MarshalTLS(w)
	w.Opaque(c.AuthenticatedData)
	w.Uint8(uint8(c.ContentType))
	c.marshalContent(w)
}

// UnmarshalTLS decodes c.
func (c *FramedContent) UnmarshalTLS(r *tlscodec.Reader) {
	c.GroupID = r.Opaque()
	c.Epoch = r.Uint64()
	c.Sender.UnmarshalTLS(r)
	c.AuthenticatedData = r.Opaque()
	c.ContentType = ContentType(r.Uint8())
	c.unmarshalContent(r)
}

// AuthenticatedContent is a message with its signature, independent of whether
// it is sent in the clear or encrypted (RFC 9420, Section 6.1).
type AuthenticatedContent struct {
	WireFormat      WireFormat
	Content         FramedContent
	Signature       []byte
	ConfirmationTag []byte // of a commit
}

func (a *AuthenticatedContent) marshalAuth(w *tlscodec.Writer) {
	w.Opaque(a.Signature)
	if a.Content.ContentType == ContentTypeCommit {
		w.Opaque(a.ConfirmationTag)
	}
}

func (a *AuthenticatedContent) unmarshalAuth(r *tlscodec.Reader) {
	a.Signature = r.Opaque()
	a.ConfirmationTag = nil
	if a.Content.ContentType == ContentTypeCommit {
		a.ConfirmationTag = r.Opaque()
	}
}

// MarshalTLS encodes a.
func (a *AuthenticatedContent) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(a.WireFormat))
	a.Content.MarshalTLS(w)
	a.marshalAuth(w)
}

// UnmarshalTLS decodes a.
func (a *AuthenticatedContent) UnmarshalTLS(r *tlscodec.Reader) {
	a.WireFormat = WireFormat(r.Uint16())
	a.Content.UnmarshalTLS(r)
	a.unmarshalAuth(r)
}

// ErrSender: a sender type may not send this content (RFC 9420, Section 6.1).
var ErrSender = errors.New("mls: sender type may not send this content")

// CheckSender enforces which sender may send what: members anything, external
// senders and newcomers proposals of the types RFC 9420, Section 12.1.8, and
// the type's own definition allow, external committers a commit. Application
// data goes by PrivateMessage alone (Section 6). It fails with [ErrSender].
func (a *AuthenticatedContent) CheckSender() error {
	c := &a.Content
	ok := false
	switch c.Sender.Type {
	case SenderTypeMember:
		ok = c.ContentType != ContentTypeApplication || a.WireFormat == WireFormatPrivateMessage
	case SenderTypeExternal:
		ok = c.ContentType == ContentTypeProposal && a.WireFormat == WireFormatPublicMessage
		if ok {
			switch c.Proposal.Type {
			case ProposalTypeUpdate, ProposalTypeExternalInit, ProposalTypeSelfRemove:
				ok = false
			}
		}
	case SenderTypeNewMemberProposal:
		ok = c.ContentType == ContentTypeProposal && c.Proposal.Type == ProposalTypeAdd && a.WireFormat == WireFormatPublicMessage
	case SenderTypeNewMemberCommit:
		ok = c.ContentType == ContentTypeCommit && a.WireFormat == WireFormatPublicMessage
	}
	if !ok {
		return fmt.Errorf("%w: sender type %d, content type %d", ErrSender, c.Sender.Type, c.ContentType)
	}
	return nil
}

// tbs encodes FramedContentTBS (RFC 9420, Section 6.1). groupContext is the
// encoding of the GroupContext; it is signed over by members and external
// committers alone.
func (a *AuthenticatedContent) tbs(groupContext []byte) ([]byte, error) {
	w := tlscodec.NewWriter(make([]byte, 0, 256+len(groupContext)))
	w.Uint16(uint16(MLS10))
	w.Uint16(uint16(a.WireFormat))
	a.Content.MarshalTLS(w)
	switch a.Content.Sender.Type {
	case SenderTypeMember, SenderTypeNewMemberCommit:
		w.Raw(groupContext)
	}
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: FramedContent: %w", ErrEncode, err)
	}
	return b, nil
}

// Sign sets the signature. groupContext is the encoding of the GroupContext of
// the epoch in which the message is sent.
func (a *AuthenticatedContent) Sign(key *SignatureKey, groupContext []byte) error {
	tbs, err := a.tbs(groupContext)
	if err != nil {
		return err
	}
	a.Signature, err = key.SignWithLabel("FramedContentTBS", tbs)
	return err
}

// VerifySignature checks the signature under the sender's public key. It fails
// with [ErrSignature].
func (a *AuthenticatedContent) VerifySignature(s *Suite, public, groupContext []byte) error {
	tbs, err := a.tbs(groupContext)
	if err != nil {
		return err
	}
	if err := s.VerifyWithLabel(public, "FramedContentTBS", tbs, a.Signature); err != nil {
		return fmt.Errorf("message: %w", err)
	}
	return nil
}

// ProposalRef names the proposal in a (RFC 9420, Section 5.2).
func (a *AuthenticatedContent) ProposalRef(s *Suite) (ProposalRef, error) {
	b, err := Marshal(a)
	if err != nil {
		return nil, err
	}
	return s.RefHash("MLS 1.0 Proposal Reference", b), nil
}

// PublicMessage is a signed message in the clear (RFC 9420, Section 6.2).
type PublicMessage struct {
	Content         FramedContent
	Signature       []byte
	ConfirmationTag []byte // of a commit
	MembershipTag   []byte // of a member
}

// MarshalTLS encodes m.
func (m *PublicMessage) MarshalTLS(w *tlscodec.Writer) {
	m.Content.MarshalTLS(w)
	m.Authenticated().marshalAuth(w)
	if m.Content.Sender.Type == SenderTypeMember {
		w.Opaque(m.MembershipTag)
	}
}

// UnmarshalTLS decodes m.
func (m *PublicMessage) UnmarshalTLS(r *tlscodec.Reader) {
	var a AuthenticatedContent
	a.Content.UnmarshalTLS(r)
	a.unmarshalAuth(r)
	*m = PublicMessage{Content: a.Content, Signature: a.Signature, ConfirmationTag: a.ConfirmationTag}
	if m.Content.Sender.Type == SenderTypeMember {
		m.MembershipTag = r.Opaque()
	}
}

// Authenticated returns the signed content of m, which shares memory with m.
func (m *PublicMessage) Authenticated() *AuthenticatedContent {
	return &AuthenticatedContent{WireFormat: WireFormatPublicMessage, Content: m.Content,
		Signature: m.Signature, ConfirmationTag: m.ConfirmationTag}
}

// ErrMembershipTag: a PublicMessage from a member has a wrong membership tag.
var ErrMembershipTag = errors.New("mls: membership tag does not verify")

// NewPublicMessage frames signed content for sending in the clear. A member's
// message gets its tag from the epoch's membership key; for other senders the
// key is not used (RFC 9420, Section 6.2).
func NewPublicMessage(s *Suite, a *AuthenticatedContent, membershipKey secret.Bytes, groupContext []byte) (*PublicMessage, error) {
	m := &PublicMessage{Content: a.Content, Signature: a.Signature, ConfirmationTag: a.ConfirmationTag}
	if a.Content.Sender.Type == SenderTypeMember {
		tbm, err := m.tbm(groupContext)
		if err != nil {
			return nil, err
		}
		m.MembershipTag = s.MAC(membershipKey.Reveal(), tbm)
	}
	return m, nil
}

// VerifyMembershipTag checks that a member's message came from somebody who
// knows the epoch's secrets. It fails with [ErrMembershipTag].
func (m *PublicMessage) VerifyMembershipTag(s *Suite, membershipKey secret.Bytes, groupContext []byte) error {
	tbm, err := m.tbm(groupContext)
	if err != nil {
		return err
	}
	if !s.VerifyMAC(membershipKey.Reveal(), tbm, m.MembershipTag) {
		return ErrMembershipTag
	}
	return nil
}

func (m *PublicMessage) tbm(groupContext []byte) ([]byte, error) {
	a := m.Authenticated()
	tbs, err := a.tbs(groupContext)
	if err != nil {
		return nil, err
	}
	w := tlscodec.NewWriter(tbs)
	a.marshalAuth(w)
	return w.Bytes()
}

// Message is what goes over the wire (RFC 9420, Section 6: MLSMessage). Exactly
// the field of its WireFormat is set.
type Message struct {
	WireFormat     WireFormat
	PublicMessage  *PublicMessage
	PrivateMessage *PrivateMessage
	Welcome        *Welcome
	GroupInfo      *GroupInfo
	KeyPackage     *KeyPackage
}

// MarshalTLS encodes m.
func (m *Message) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(MLS10))
	w.Uint16(uint16(m.WireFormat))
	switch {
	case m.WireFormat == WireFormatPublicMessage && m.PublicMessage != nil:
		m.PublicMessage.MarshalTLS(w)
	case m.WireFormat == WireFormatPrivateMessage && m.PrivateMessage != nil:
		m.PrivateMessage.MarshalTLS(w)
	case m.WireFormat == WireFormatWelcome && m.Welcome != nil:
		m.Welcome.MarshalTLS(w)
	case m.WireFormat == WireFormatGroupInfo && m.GroupInfo != nil:
		m.GroupInfo.MarshalTLS(w)
	case m.WireFormat == WireFormatKeyPackage && m.KeyPackage != nil:
		m.KeyPackage.MarshalTLS(w)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes m. Versions other than MLS 1.0 and wire formats that are
// not of RFC 9420 are refused.
func (m *Message) UnmarshalTLS(r *tlscodec.Reader) {
	if ProtocolVersion(r.Uint16()) != MLS10 {
		r.Fail(fmt.Errorf("%w: protocol version", tlscodec.ErrValue))
	}
	*m = Message{WireFormat: WireFormat(r.Uint16())}
	switch m.WireFormat {
	case WireFormatPublicMessage:
		m.PublicMessage = new(PublicMessage)
		m.PublicMessage.UnmarshalTLS(r)
	case WireFormatPrivateMessage:
		m.PrivateMessage = new(PrivateMessage)
		m.PrivateMessage.UnmarshalTLS(r)
	case WireFormatWelcome:
		m.Welcome = new(Welcome)
		m.Welcome.UnmarshalTLS(r)
	case WireFormatGroupInfo:
		m.GroupInfo = new(GroupInfo)
		m.GroupInfo.UnmarshalTLS(r)
	case WireFormatKeyPackage:
		m.KeyPackage = new(KeyPackage)
		m.KeyPackage.UnmarshalTLS(r)
	default:
		r.Fail(fmt.Errorf("%w: wire format", tlscodec.ErrValue))
	}
}
