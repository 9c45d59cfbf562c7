package main

import (
	"context"
	"fmt"
)

// contactsWork lists contacts.
type contactsWork struct{ plain }

func (w *contactsWork) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *contactsWork) do(ctx context.Context, s *session) error {
	s.current(ctx)
	contacts, err := s.Account().Contacts()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range contacts {
		row := []string{named(c.Name), contactNames[c.State], c.Fingerprint()}
		if len(c.Greeting) > 0 {
			row = append(row, shown(string(c.Greeting)))
		}
		rows = append(rows, row)
	}
	return table(s.out, rows)
}

// acceptWork accepts an offer.
type acceptWork struct {
	plain
	Name string
}

func (w *acceptWork) take(args []string, _ terminal) error { return oneName(&w.Name, args) }

func (w *acceptWork) do(ctx context.Context, s *session) error {
	s.current(ctx)
	c, err := s.Account().Contact(w.Name)
	if err != nil {
		return err
	}
	if err := s.later(s.Account().Accept(ctx, w.Name)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s is a contact now, fingerprint %s\n", named(w.Name), c.Fingerprint())
	return err
}

// blockWork ends or refuses a contact.
type blockWork struct {
	plain
	Name string
}

func (w *blockWork) take(args []string, _ terminal) error { return oneName(&w.Name, args) }

func (w *blockWork) do(ctx context.Context, s *session) error {
	s.current(ctx)
	return s.later(s.Account().Block(ctx, w.Name))
}

func oneName(name *string, args []string) error {
	if err := exactly(1, args); err != nil {
		return err
	}
	*name = args[0]
	return nil
}
