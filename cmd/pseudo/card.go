package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pseudods/pseudods/client/account"
)

// cardWork prints the user's contact card.
type cardWork struct{ plain }

func (w *cardWork) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *cardWork) do(_ context.Context, s *session) error {
	card, err := s.Account().Card()
	if err != nil {
		return err
	}
	text, err := account.FormatCard(card)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, text)
	return err
}

// connectWork asks the owner of a card for contact.
type connectWork struct{ Card, Greeting string }

func (w *connectWork) flags(f *flag.FlagSet) {
	f.StringVar(&w.Greeting, "m", "", "a `greeting`, by which they may know you")
}

// maxCard bounds what is read of a file with a card.
const maxCard = 64 << 10

func (w *connectWork) take(args []string, t terminal) error { return takeCard(&w.Card, args, t) }

// takeCard takes the text of a card, the name of a file that holds it, or - for
// standard input.
func takeCard(card *string, args []string, t terminal) error {
	if err := oneName(card, args); err != nil {
		return err
	}
	in := t.in
	if *card != "-" {
		f, err := os.Open(*card)
		if err != nil {
			return nil // it is the text itself
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCard))
	*card = strings.TrimSpace(string(b))
	return err
}

func (w *connectWork) do(ctx context.Context, s *session) error {
	card, err := account.ParseCard(w.Card)
	if err != nil {
		return err
	}
	name, key, err := account.CardName(card)
	if err != nil {
		return err
	}
	if err := s.later(s.Account().Connect(ctx, card, []byte(w.Greeting))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "asked %s for contact, fingerprint %s\n", named(name), fingerprint(key))
	return err
}

// trustWork takes the key on a card for that of the name on it.
type trustWork struct {
	plain
	Card string
}

func (w *trustWork) take(args []string, t terminal) error { return takeCard(&w.Card, args, t) }

func (w *trustWork) do(_ context.Context, s *session) error {
	card, err := account.ParseCard(w.Card)
	if err != nil {
		return err
	}
	name, key, err := account.CardName(card)
	if err != nil {
		return err
	}
	if err := s.Account().Trust(card); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s has fingerprint %s from now on\n", named(name), fingerprint(key))
	return err
}
