package moderation

import (
	"encoding/base64"
	"encoding/hex"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Shown is a case as people and operators' systems get to see it, in JSON.
type Shown struct {
	Case string `json:"case"`
	// Day is when the report was taken, as YYYY-MM-DD.
	Day   string `json:"day,omitempty"`
	State string `json:"state"`
	// Report is null for a case that is decided, and where nobody has the key.
	Report *ShownReport `json:"report,omitempty"`
}

// ShownReport is what a report says.
type ShownReport struct {
	Accused ShownAccused `json:"accused"`
	// Group is the group's identifier, in hexadecimal digits.
	Group string `json:"group"`
	// Reason and Note are the reporter's words.
	Reason   uint8          `json:"reason"`
	Note     string         `json:"note"`
	Messages []ShownMessage `json:"messages"`
}

// ShownAccused is who is accused: its real identity, and its pseudonyms in the
// group.
type ShownAccused struct {
	Domain string `json:"domain"`
	// Name is the content of a basic credential, if it is text. Credential is the
	// whole in the encoding of RFC 9420, in base64.
	Name       string `json:"name,omitempty"`
	Credential string `json:"credential"`
	// Key is the Ed25519 key, in base64url.
	Key string `json:"key"`
	// User and Client are pseudonyms, in hexadecimal digits.
	User   string `json:"user"`
	Client string `json:"client"`
}

// ShownMessage is a message that the accused has sent. Text is its content if that is
// text, or the text in it if it is of a client of this repository; otherwise Content
// is, in base64.
type ShownMessage struct {
	Day     string `json:"day"`
	Text    string `json:"text,omitempty"`
	Content []byte `json:"content,omitempty"`
}

// Show returns a case as it is shown, with what is in it if it was opened.
func Show(id CaseID, c *Case, outcome Outcome, o *Opened) *Shown {
	s := &Shown{Case: id.String(), State: outcome.String()}
	if c != nil {
		s.Day, s.State = day(uint64(c.Day)), Open.String()
	}
	if o == nil {
		return s
	}
	credential, _ := mls.Marshal(&o.Credential) // it was decoded before
	s.Report = &ShownReport{
		Accused: ShownAccused{Domain: o.Domain, Credential: base64.StdEncoding.EncodeToString(credential), Key: base64.URLEncoding.EncodeToString(o.Key),
			User: hex.EncodeToString(o.User[:]), Client: hex.EncodeToString(o.Client[:])},
		Group: hex.EncodeToString(o.Group[:]), Reason: o.Reason, Note: string(o.Note), Messages: []ShownMessage{},
	}
	if o.Credential.Type == mls.CredentialTypeBasic && isText(o.Credential.Identity) {
		s.Report.Accused.Name = string(o.Credential.Identity)
	}
	for _, m := range o.Messages {
		s.Report.Messages = append(s.Report.Messages, showMessage(&m))
	}
	return s
}

func showMessage(m *ds.ReportedMessage) ShownMessage {
	if text, ok := wire.MemberText(m.Content); ok && isText(text) {
		return ShownMessage{Day: day(m.Day), Text: string(text)}
	}
	if isText(m.Content) {
		return ShownMessage{Day: day(m.Day), Text: string(m.Content)}
	}
	return ShownMessage{Day: day(m.Day), Content: m.Content}
}

// lastDay is 31 December 9999.
const lastDay = 2932896

func day(n uint64) string {
	return time.Unix(int64(min(n, lastDay))*24*60*60, 0).UTC().Format(time.DateOnly)
}

// isText reports whether b can be shown as it is.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}
