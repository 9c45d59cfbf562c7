package group

import (
	"github.com/pseudods/pseudods/mls"
)

// MessageOptions says how a proposal or application message is sent. The zero
// value is the usual one.
type MessageOptions struct {
	// AuthenticatedData is signed, and sent in the clear.
	AuthenticatedData []byte
	// WireFormat of a proposal. Default: [Config].Handshakes.
	WireFormat mls.WireFormat
}

// content starts a message of this member in the current epoch.
func (g *Group) content(ct mls.ContentType, wire mls.WireFormat, authenticatedData []byte) *mls.AuthenticatedContent {
	if wire == 0 {
		wire = g.cfg.Handshakes
	}
	return &mls.AuthenticatedContent{WireFormat: wire, Content: mls.FramedContent{
		GroupID: g.GroupID(), Epoch: g.Epoch(), ContentType: ct, AuthenticatedData: authenticatedData,
		Sender: mls.Sender{Type: mls.SenderTypeMember, Leaf: g.now.private.Leaf()},
	}}
}

// sign signs a with the key of the member's leaf in this epoch.
func (g *Group) sign(a *mls.AuthenticatedContent) error {
	return a.Sign(g.now.signer, g.now.public.EncodedContext())
}

// frame protects signed content for sending. A PrivateMessage uses up a message
// key, so whatever else can fail has to come first.
func (g *Group) frame(a *mls.AuthenticatedContent) (*mls.Message, error) {
	if a.WireFormat == mls.WireFormatPublicMessage {
		m, err := mls.NewPublicMessage(g.suite, a, g.now.secrets.Membership, g.now.public.EncodedContext())
		return &mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m}, err
	}
	if a.WireFormat != mls.WireFormatPrivateMessage {
		return nil, ErrWireFormat
	}
	m, err := mls.SealPrivateMessage(g.suite, a, g.now.messages, g.now.secrets.SenderData, g.cfg.PadTo, g.cfg.Rand)
	return &mls.Message{WireFormat: mls.WireFormatPrivateMessage, PrivateMessage: m}, err
}

// Send encrypts application data to the group (RFC 9420, Section 15). It fails
// with [ErrUncommitted] as long as proposals wait for a commit, and with
// [ErrRemoved] or [ErrReInitialised].
func (g *Group) Send(data []byte, o MessageOptions) (*mls.Message, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	if len(g.queue.order) > 0 {
		return nil, ErrUncommitted
	}
	a := g.content(mls.ContentTypeApplication, mls.WireFormatPrivateMessage, o.AuthenticatedData)
	a.Content.ApplicationData = data
	if err := g.sign(a); err != nil {
		return nil, err
	}
	return g.frame(a)
}
