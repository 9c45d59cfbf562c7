package publicgroup

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// decode reads one MLSMessage of the given wire format.
func decode(data []byte, want mls.WireFormat) (*mls.Message, error) {
	m := new(mls.Message)
	if err := mls.Unmarshal(data, m); err != nil {
		return nil, err
	}
	if m.WireFormat != want {
		return nil, fmt.Errorf("%w: %d where %d belongs", ErrWireFormat, m.WireFormat, want)
	}
	return m, nil
}

// openHandshake reads a handshake and checks what costs nothing: size, wire
// format, kind of content, group, epoch, who may send what, and the sizes of
// tags. It returns the message and the state that it is to be judged by.
func (g *Group) openHandshake(data []byte, want mls.ContentType) (*mls.AuthenticatedContent, *epoch.State, error) {
	if len(data) > g.cfg.MaxMessage {
		return nil, nil, ErrTooLarge
	}
	m, err := decode(data, mls.WireFormatPublicMessage)
	if err != nil {
		return nil, nil, err
	}
	a := m.PublicMessage.Authenticated()
	if a.Content.ContentType == mls.ContentTypeApplication {
		return nil, nil, fmt.Errorf("%w: application data in the clear", mls.ErrSender)
	}
	if a.Content.ContentType != want {
		return nil, nil, fmt.Errorf("%w: %d where %d belongs", ErrContentType, a.Content.ContentType, want)
	}
	s, err := g.state()
	if err != nil {
		return nil, nil, err
	}
	if err := s.CheckFraming(a); err != nil {
		return nil, nil, err
	}
	if g.header.ReInit != nil {
		return nil, nil, ErrClosed
	}
	// Whether the tag is right, only members can tell.
	if a.Content.Sender.Type == mls.SenderTypeMember && len(m.PublicMessage.MembershipTag) != g.suite.HashSize() {
		return nil, nil, fmt.Errorf("%w: membership tag", epoch.ErrTag)
	}
	return a, s, nil
}

// CheckPrivate checks what a server can see of an application message: its
// size, form, group and epoch, which may be up to [Config.PastEpochs] back. It
// reads no record. Errors wrap [ErrTooLarge], [mls.ErrMalformed], [ErrWireFormat]
// (which handshakes in a PrivateMessage are too), [epoch.ErrWrongGroup],
// [epoch.ErrWrongEpoch] or [ErrClosed].
func (g *Group) CheckPrivate(data []byte) (*mls.PrivateMessage, error) {
	if len(data) > g.cfg.MaxMessage {
		return nil, ErrTooLarge
	}
	m, err := decode(data, mls.WireFormatPrivateMessage)
	if err != nil {
		return nil, err
	}
	p := m.PrivateMessage
	now := g.Epoch()
	switch {
	case p.ContentType != mls.ContentTypeApplication:
		return nil, fmt.Errorf("%w: handshake in a PrivateMessage", ErrWireFormat)
	case !bytes.Equal(p.GroupID, g.header.Context.GroupID):
		return nil, epoch.ErrWrongGroup
	case p.Epoch > now || now-p.Epoch > uint64(g.cfg.PastEpochs):
		return nil, &epoch.WrongEpochError{Current: now}
	case p.Epoch == now && g.header.ReInit != nil:
		// RFC 9420, Section 12.4.2: after the commit of a ReInit members do not
		// use the group to send.
		return nil, ErrClosed
	}
	return p, nil
}
