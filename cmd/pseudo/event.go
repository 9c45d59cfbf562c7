package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// eventNames are those of kinds of events for programs.
var eventNames = map[client.EventKind]string{
	client.EventMessage: "message", client.EventJoined: "joined", client.EventAdded: "added", client.EventRemoved: "removed",
	client.EventLeft: "left", client.EventPolicy: "policy", client.EventLost: "lost", client.EventRejoined: "rejoined",
	client.EventClosed: "closed", client.EventOffer: "offer", client.EventContact: "contact", client.EventRefused: "refused",
	client.EventDevice: "device", client.EventDeviceRemoved: "device-removed",
	client.EventDropped: "dropped",
}

// line tells people of an event.
func (s *session) line(e *client.Event) string {
	switch name := named(e.Member.Name); e.Kind {
	case client.EventOffer:
		text := fmt.Sprintf("* %s asks for contact; `pseudo accept %s` or `pseudo block %s`", name, name, name)
		if c, err := s.Account().Contact(e.Member.Name); err == nil {
			text += "\n    fingerprint " + c.Fingerprint()
		}
		if len(e.Text) > 0 {
			text += "\n    " + shown(string(e.Text))
		}
		return text
	case client.EventContact:
		return fmt.Sprintf("* %s is a contact now", name)
	case client.EventDevice:
		return fmt.Sprintf("* your device %s is linked; if that was not you, `pseudo device remove %[1]s`", named(string(e.Text)))
	case client.EventDeviceRemoved:
		return fmt.Sprintf("* your device %s was removed", named(string(e.Text)))
	case client.EventRefused:
		if e.Group == (wire.GroupID{}) {
			return "* something was not taken: " + explainText(string(e.Text))
		}
	}
	group, member := named(s.groupNamed(e.Group)), who(&e.Member)
	if e.Kind == client.EventMessage {
		return fmt.Sprintf("[%s] %s: %s", group, member, shown(string(e.Text)))
	}
	if s.hasOther(e) {
		member = "a device of " + member
	}
	return fmt.Sprintf("[%s] * %s", group, noticeOf(e, member))
}

// hasOther reports whether somebody came or went with one device of several.
func (s *session) hasOther(e *client.Event) bool {
	if e.Kind != client.EventAdded && e.Kind != client.EventRemoved {
		return false
	}
	for _, g := range s.Groups() {
		if g.ID() != e.Group {
			continue
		}
		members, err := g.Members()
		return err == nil && slices.ContainsFunc(members, func(m client.Member) bool { return m.User == e.Member.User && m.Client != e.Member.Client })
	}
	return false
}

// noticeOf is what an event in a group says.
func noticeOf(e *client.Event, member string) string {
	switch e.Kind {
	case client.EventJoined:
		if e.Member.Own {
			return "you are back"
		}
		if e.Member.OwnUser {
			return "another device of yours has added this one"
		}
		return member + " has added you"
	case client.EventAdded:
		return member + " is here now"
	case client.EventRemoved:
		return member + " is not here any more"
	case client.EventLeft:
		return "you are not in this group any more"
	case client.EventPolicy:
		return member + " has changed the policy"
	case client.EventRejoined:
		return member + " has come back"
	case client.EventClosed:
		return "this group was closed in favour of another one"
	case client.EventLost:
		if len(e.Text) > 0 {
			return "you cannot follow this group any more; `pseudo group rejoin` brings you back, without what you missed"
		}
		return "messages are missing"
	case client.EventDropped:
		return member + " sent something that could not be reported; it is not shown"
	case client.EventRefused:
		return "an invitation was not taken: " + explainText(string(e.Text))
	}
	return "something happened that this program does not know"
}

// jsonEvent is an event for programs.
type jsonEvent struct {
	Event    string      `json:"event"`
	Group    string      `json:"group,omitempty"`    // the user's name for it
	GroupID  string      `json:"group_id,omitempty"` // hexadecimal
	Sequence uint64      `json:"sequence,omitempty"`
	Member   *jsonMember `json:"member,omitempty"`
	Text     string      `json:"text,omitempty"`
	Octets   []byte      `json:"octets,omitempty"` // base64: what is not UTF-8
}

// jsonMember is a member for programs.
type jsonMember struct {
	Name        string `json:"name,omitempty"`
	Verified    bool   `json:"verified"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Client      string `json:"client,omitempty"` // pseudonyms, hexadecimal
	User        string `json:"user,omitempty"`
	Provider    string `json:"provider,omitempty"`
	Own         bool   `json:"own,omitempty"`
	OwnUser     bool   `json:"own_user,omitempty"` // this user, perhaps at another device
}

// memberJSON returns nil for an event without a member.
func memberJSON(m *client.Member) *jsonMember {
	if m.Client == "" && m.Name == "" {
		return nil
	}
	out := &jsonMember{Name: m.Name, Verified: m.Verified, Client: hex.EncodeToString([]byte(m.Client)),
		User: hex.EncodeToString([]byte(m.User)), Provider: m.Provider, Own: m.Own, OwnUser: m.OwnUser}
	if len(m.Key) > 0 {
		out.Fingerprint = fingerprint(m.Key)
	}
	return out
}

// print tells of events, by lines or as JSON.
func (s *session) print(events []client.Event, asJSON bool) error {
	for i := range events {
		e := &events[i]
		if err := s.nameGroup(e); err != nil {
			return err
		}
		if !asJSON {
			if _, err := fmt.Fprintln(s.out, s.line(e)); err != nil {
				return err
			}
			continue
		}
		j := jsonEvent{Event: eventNames[e.Kind], Sequence: e.Sequence, Member: memberJSON(&e.Member)}
		if e.Group != (wire.GroupID{}) {
			j.Group, j.GroupID = s.groupNamed(e.Group), hex.EncodeToString(e.Group[:])
		}
		if utf8.Valid(e.Text) {
			j.Text = string(e.Text)
		} else {
			j.Octets = e.Text
		}
		if err := json.NewEncoder(s.out).Encode(j); err != nil {
			return err
		}
	}
	return nil
}

// nameGroup names a group that somebody has added this user to after who did,
// until the user finds a better name.
func (s *session) nameGroup(e *client.Event) error {
	if e.Kind != client.EventJoined {
		return nil
	}
	for _, g := range s.Groups() {
		if g.ID() != e.Group || g.Label() != "" {
			continue
		}
		by := e.Member.String()
		for n := 1; ; n++ {
			label := by
			if n > 1 {
				label = fmt.Sprintf("%s-%d", by, n)
			}
			if _, err := s.Group(label); err != nil {
				return g.SetLabel(label)
			}
		}
	}
	return nil
}
