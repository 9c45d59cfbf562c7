package client

import (
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ErrNoEvidence: no message is kept that the member has sent, or none by which it
// could be reported.
var ErrNoEvidence = errors.New("client: nothing to report of this member")

// ErrNote: a note is too long, or not UTF-8.
var ErrNote = errors.New("client: note is too long or no text")

// Evidence is a message that can be reported.
type Evidence struct {
	// Member is who sent it, as it was then; it may have left.
	Member Member
	// Sequence is that of the message's [Event], Day when the service took it, in
	// days since the Unix epoch.
	Sequence uint64
	Day      uint64
	Text     []byte
}

// Evidence returns the messages that the client can report, the oldest first: the
// last ones that others have sent, see [Config.Evidence].
func (g *Group) Evidence() []Evidence {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	var out []Evidence
	for i := range g.evidence.messages {
		m := &g.evidence.messages[i]
		if s := g.evidence.sender(m.client); s != nil {
			out = append(out, Evidence{s.member, m.sequence, m.Frank.Day, m.text()})
		}
	}
	return out
}

// Report says what to report.
type Report struct {
	// User is the accused's pseudonym, [Member.User].
	User string
	// Messages are the [Event.Sequence] of what to show. Nil for the Last ones that
	// are kept, and all of them if that is 0.
	Messages []uint64
	Last     int
	Reason   wire.AbuseReason
	// Note is text for those who decide, of at most [wire.MaxReportNote] octets.
	Note string
}

// Report tells the group's service what a member has sent, and who that is, for
// somebody there to decide about. The service learns of nobody else who is behind a
// pseudonym, keeps not who reported, and tells neither the accused nor the group.
// Messages that were sent by several clients of the user make a report each. Each
// costs a token; one that was made before, by whomever, is answered like a new one.
// It returns how many messages were shown.
//
// It fails with [ErrNoEvidence], [ErrNote], and with [wire.CodeInvalidReport] if the service
// does not take the messages, such as for their age.
func (g *Group) Report(ctx context.Context, o Report) (shown int, err error) {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return 0, err
	}
	if len(o.Note) > wire.MaxReportNote || !utf8.ValidString(o.Note) {
		return 0, ErrNote
	}
	reports := g.reports(&o)
	if len(reports) == 0 {
		return 0, ErrNoEvidence
	}
	for _, r := range reports {
		if err := g.file(ctx, r); err != nil {
			return shown, err
		}
		shown += len(r.Messages)
	}
	return shown, nil
}

// reports makes one for each client of the accused.
func (g *Group) reports(o *Report) []*wire.AbuseReport {
	var out []*wire.AbuseReport
	left := o.Last
	for i := range slices.Backward(g.evidence.messages) {
		m := &g.evidence.messages[i]
		s := g.evidence.sender(m.client)
		if s == nil || string(s.credential.User[:]) != o.User || o.Messages != nil && !slices.Contains(o.Messages, m.sequence) {
			continue
		}
		key, ok := s.linkKey, s.linkKey.Len() > 0
		if !ok {
			key, ok = g.linkKey(m.client)
		}
		if !ok {
			continue
		}
		if o.Messages == nil && o.Last > 0 {
			if left == 0 {
				break
			}
			left--
		}
		out = g.show(out, o, s, key, m)
	}
	for _, r := range out {
		slices.Reverse(r.Messages)
	}
	return out
}

// show adds a message to the report of its sender.
func (g *Group) show(to []*wire.AbuseReport, o *Report, by *suspect, key identity.LinkKey, m *shown) []*wire.AbuseReport {
	at := slices.IndexFunc(to, func(r *wire.AbuseReport) bool { return r.Credential.Client == m.client })
	if at < 0 {
		at = len(to)
		to = append(to, &wire.AbuseReport{Group: g.id, Credential: by.credential, SignatureKey: by.signatureKey, LinkKey: key.Bytes,
			Reason: o.Reason, Note: []byte(o.Note)})
	}
	if len(to[at].Messages) < wire.MaxReported {
		to[at].Messages = append(to[at].Messages, m.FrankedMessage)
	}
	return to
}

// file hands a report in.
func (g *Group) file(ctx context.Context, r *wire.AbuseReport) error {
	for range maxCommits {
		key, err := g.stateKey()
		if err != nil {
			return err
		}
		leaf, err := g.mls.OwnLeaf()
		if err != nil {
			return err
		}
		err = g.c.account.Call(ctx, &account.Call{Domain: g.domain, Operation: wire.OpReportAbuse, Body: r, GroupStateKey: key,
			Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, Sign: g.sign, Answer: new(wire.Empty)})
		if !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
			return err
		}
		// A removal that the client has not read yet has changed the group's keys.
		if err := g.overtaken(ctx, err); err != nil {
			return err
		}
	}
	return ErrBusy
}
