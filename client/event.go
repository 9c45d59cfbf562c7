package client

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// EventKind says what an [Event] is about.
type EventKind uint8

const (
	// EventMessage: a member sent Text.
	EventMessage EventKind = 1
	// EventJoined: this client was added to the group, by Member.
	EventJoined EventKind = 2
	// EventAdded: Member is now in the group.
	EventAdded EventKind = 3
	// EventRemoved: Member is no longer in the group.
	EventRemoved EventKind = 4
	// EventLeft: this client is no longer in the group.
	EventLeft EventKind = 5
	// EventPolicy: the group's policy has changed.
	EventPolicy EventKind = 6
	// EventLost: messages of the group are missing. If Text is not empty the
	// client cannot follow the group any more, and has to rejoin.
	EventLost EventKind = 7
	// EventRejoined: Member came back by an external commit.
	EventRejoined EventKind = 8
	// EventClosed: the group was closed in favour of another one.
	EventClosed EventKind = 9
	// EventOffer: Member, by its name alone, asks for contact, and says Text.
	EventOffer EventKind = 10
	// EventContact: Member, by its name alone, is a contact now.
	EventContact EventKind = 11
	// EventRefused: a Welcome, or a question for contact, was not taken. Text is that
	// of the error. Group is zero for the latter.
	EventRefused EventKind = 12

	// EventDevice: another client of the user was linked, which Text names.
	EventDevice EventKind = 13
	// EventDeviceRemoved: another client of the user was removed, which Text names.
	EventDeviceRemoved EventKind = 14

	// EventDropped: Member sent a message that could not be reported, as its tag or
	// the service's frank does not verify. It is not shown.
	EventDropped EventKind = 15

	lastEvent = EventDropped
)

// Event tells the application what happened.
type Event struct {
	Kind EventKind
	// Group is zero for what concerns no group.
	Group wire.GroupID
	// Sequence is the place of the message in its group from which the event
	// follows.
	Sequence uint64
	Member   Member
	Text     []byte
}

// MarshalTLS encodes e.
func (e *Event) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(e.Kind))
	w.Raw(e.Group[:])
	w.Uint64(e.Sequence)
	e.Member.MarshalTLS(w)
	w.Opaque(e.Text)
}

// UnmarshalTLS decodes e.
func (e *Event) UnmarshalTLS(r *tlscodec.Reader) {
	*e = Event{Kind: EventKind(r.Uint8())}
	copy(e.Group[:], r.Fixed(len(e.Group)))
	e.Sequence = r.Uint64()
	e.Member.UnmarshalTLS(r)
	e.Text = r.Opaque()
	if r.Err() == nil && (e.Kind == 0 || e.Kind > lastEvent) {
		r.Fail(tlscodec.ErrValue)
	}
}
