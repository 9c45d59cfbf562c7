package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// reasons are the names of reasons for a report, by number.
var reasons = []string{
	wire.ReasonOther: "other", wire.ReasonSpam: "spam", wire.ReasonHarassment: "harassment",
	wire.ReasonImpersonation: "impersonation", wire.ReasonIllegal: "illegal",
}

// reportWork reports a member.
type reportWork struct {
	Group, Member string
	Last          int
	Reason, Note  string
}

func (w *reportWork) flags(f *flag.FlagSet) {
	f.IntVar(&w.Last, "last", 0, "show the `N` last messages that are kept, instead of all")
	f.StringVar(&w.Reason, "reason", "other", "what it is about: "+strings.Join(reasons, ", "))
	f.StringVar(&w.Note, "note", "", "say something to who decides")
}

func (w *reportWork) take(args []string, _ terminal) error {
	if err := exactly(2, args); err != nil {
		return err
	}
	w.Group, w.Member = args[0], args[1]
	switch {
	case w.Last < 0:
		return usagef("-last takes a number of messages")
	case !slices.Contains(reasons, w.Reason):
		return usagef("-reason is one of %s", strings.Join(reasons, ", "))
	}
	return nil
}

func (w *reportWork) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	var users []string // who sent something under this name
	for _, e := range g.Evidence() {
		if e.Member.String() == w.Member && !slices.Contains(users, e.Member.User) {
			users = append(users, e.Member.User)
		}
	}
	switch {
	case len(users) == 0:
		return client.ErrNoEvidence
	case len(users) > 1:
		return client.ErrNoMember
	}
	n, err := g.Report(ctx, client.Report{User: users[0], Last: w.Last, Reason: wire.AbuseReason(slices.Index(reasons, w.Reason)), Note: w.Note})
	if err != nil {
		return err
	}
	messages := "1 message"
	if n > 1 {
		messages = fmt.Sprintf("%d messages", n)
	}
	_, err = fmt.Fprintf(s.out, "reported %s for %s; who decides at the server sees these and %[1]s's name, and not that it was you\n", named(w.Member), messages)
	return err
}
