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

// take takes the text of a card, the name of a file that holds it, or - for
// standard input.
func (w *connectWork) take(args []string, t terminal) error {
	if err := exactly(1, args); err != nil {
		return err
	}
	w.Card = args[0]
	in := t.in
	if w.Card != "-" {
		f, err := os.Open(w.Card)
		if err != nil {
			return nil // it is the text itself
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCard))
	w.Card = strings.TrimSpace(string(b))
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
	if err := s.Account().Connect(ctx, card, []byte(w.Greeting)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "asked %s for contact, fingerprint %s\n", named(name), fingerprint(key))
	return err
}
