package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
)

// tokensWork lists tokens, or changes what pays for them.
type tokensWork struct {
	invite string
	Invite []byte
	Work   bool
}

func (w *tokensWork) flags(f *flag.FlagSet) {
	f.StringVar(&w.invite, "invite", "", "get tokens by the invite code in a `file` from now on; - asks for it")
	f.BoolVar(&w.Work, "work", false, "get tokens by proofs of work from now on")
}

func (w *tokensWork) take(args []string, t terminal) error {
	if w.invite != "" && w.Work {
		return usagef("-invite and -work exclude each other")
	}
	if err := exactly(0, args); err != nil || w.invite == "" {
		return err
	}
	code, err := readInvite(w.invite, t)
	w.Invite = code.Reveal()
	return err
}

func (w *tokensWork) do(_ context.Context, s *session) error {
	if w.Work || len(w.Invite) > 0 {
		return useInvite(s.vault, secret.New(w.Invite))
	}
	held, err := s.Account().Tokens(s.settings.Domain)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, class := range slices.Sorted(maps.Keys(held)) {
		rows = append(rows, []string{string(class), fmt.Sprint(held[class])})
	}
	return table(s.out, rows)
}

// maintainWork does what is due.
type maintainWork struct{ plain }

func (w *maintainWork) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *maintainWork) do(ctx context.Context, s *session) error { return s.Maintain(ctx) }

// statusWork says how things stand.
type statusWork struct{ plain }

func (w *statusWork) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *statusWork) do(ctx context.Context, s *session) error {
	s.current(ctx)
	contacts, err := s.Account().Contacts()
	if err != nil {
		return err
	}
	own := s.Account().Identity()
	waiting := 0
	for _, g := range s.Groups() {
		waiting += g.Outbox()
	}
	rows := [][]string{
		{"name", named(string(own.Credential.Identity))},
		{"fingerprint", fingerprint(own.Key.Public())},
		{"server", s.settings.Server + " (" + s.settings.Domain + ")"},
		{"contacts", fmt.Sprint(len(contacts))},
		{"groups", fmt.Sprint(len(s.Groups()))},
		{"texts to send", fmt.Sprint(waiting)},
	}
	return table(s.out, rows)
}
