package client_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// reports returns how many reports the provider counted of a kind.
func (w *world) reports(event string) string {
	w.Helper()
	return cmp.Or(w.metric(`pseudods_reports_total{event="`+event+`"}`), "0")
}

func (p *person) evidence(g *client.Group) (texts []string, sequences []uint64) {
	for _, e := range p.in(g).Evidence() {
		texts, sequences = append(texts, e.Member.String()+": "+string(e.Text)), append(sequences, e.Sequence)
	}
	return texts, sequences
}

// TestReportAMember: what a member said can be reported after a restart of the
// reporter and after the member has left, once, and the member hears nothing.
func TestReportAMember(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice, bob, carol := all[0], all[1], all[2]
	for _, text := range []string{"buy", "buy now", "last chance"} {
		bob.says(g, text)
	}
	alice.says(g, "stop it")
	for _, p := range all {
		p.sync()
	}
	texts, _ := bob.evidence(g)
	equal(t, "what bob could report", texts, "alice: stop it")
	user := carol.in(g).Evidence()[0].Member.User
	alice.ok(alice.in(g).Remove(t.Context(), "bob"))
	carol.restart()
	texts, _ = carol.evidence(g)
	equal(t, "what carol can report", texts, "bob: buy", "bob: buy now", "bob: last chance", "alice: stop it")

	n, err := carol.in(g).Report(t.Context(), client.Report{User: user, Last: 2, Reason: wire.ReasonSpam, Note: "again and again"})
	if err != nil || n != 2 || w.reports("taken") != "1" {
		t.Fatalf("%d messages, %v, %s reports", n, err, w.reports("taken"))
	}
	_, sequences := alice.evidence(g)
	n, err = alice.in(g).Report(t.Context(), client.Report{User: user, Messages: sequences[1:3], Reason: wire.ReasonOther})
	if err != nil || n != 2 || w.reports("taken") != "1" || w.reports("repeated") != "1" {
		t.Fatalf("the same again: %d messages, %v, %s reports", n, err, w.reports("taken"))
	}
	for what, r := range map[string]client.Report{
		"a stranger": {User: "nobody"}, "no messages": {User: user, Messages: []uint64{}},
	} {
		if _, err := carol.in(g).Report(t.Context(), r); !errors.Is(err, client.ErrNoEvidence) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := carol.in(g).Report(t.Context(), client.Report{User: user, Note: strings.Repeat("x", 2000)}); !errors.Is(err, client.ErrNote) {
		t.Errorf("a long note: %v", err)
	}
	heard := len(bob.heard)
	bob.sync()
	for _, e := range bob.heard[heard:] {
		if e.Kind != client.EventLeft {
			t.Errorf("bob hears of %v", e)
		}
	}
	if _, err := bob.in(g).Report(t.Context(), client.Report{User: user}); !errors.Is(err, client.ErrNotMember) {
		t.Errorf("who is no member reports: %v", err)
	}
	if texts, _ := bob.evidence(g); len(texts) != 0 {
		t.Errorf("who is no member keeps %q", texts)
	}
}

// TestReportsOfNobody: where nobody decides about reports the client says so.
func TestReportsOfNobody(t *testing.T) {
	w := newWorld(t)
	w.cfg.Moderation.Off = true
	w.stop()
	w.start()
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	bob.says(g, "buy")
	alice.sync()
	e := alice.in(g).Evidence()
	if len(e) != 1 {
		t.Fatalf("%d messages", len(e))
	}
	if _, err := alice.in(g).Report(t.Context(), client.Report{User: e[0].Member.User}); !errors.Is(err, &wire.Error{Code: wire.CodeUnsupported}) {
		t.Error(err)
	}
}
