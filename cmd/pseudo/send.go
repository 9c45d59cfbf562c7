package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// maxText bounds what is read of a text; the server may take less.
const maxText = 1 << 20

// sendPatience is how long a person waits for the server to take a text.
const sendPatience = 15 * time.Second

// sendWork sends a text.
type sendWork struct {
	plain
	Group string
	Text  []byte
}

func (w *sendWork) take(args []string, t terminal) error {
	if len(args) == 0 {
		return usagef("which group?")
	}
	w.Group = args[0]
	if len(args) > 1 {
		w.Text = []byte(strings.Join(args[1:], " "))
	} else {
		b, err := io.ReadAll(io.LimitReader(t.in, maxText+1))
		if err != nil {
			return err
		}
		if len(b) > maxText {
			return errors.New("the text is too long")
		}
		w.Text = []byte(strings.TrimSuffix(string(b), "\n"))
	}
	if len(w.Text) == 0 {
		return errors.New("there is nothing to send")
	}
	return nil
}

func (w *sendWork) do(ctx context.Context, s *session) error {
	g, err := s.Group(w.Group)
	if err != nil {
		return err
	}
	return sendText(ctx, s, g, w.Text)
}

// sendText sends a text. That the server does not take it now, but is given it
// later, is no failure.
func sendText(ctx context.Context, s *session, g *client.Group, text []byte) error {
	trying, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	err := g.Send(trying, text)
	if !errors.Is(err, client.ErrKept) || errors.Is(err, client.ErrLost) {
		return err
	}
	why, _ := explain(err)
	s.notes.say("%s. The text is kept, and sent later", why)
	return nil
}

// later says of what the client does as soon as it can that it is kept, if the
// server does not answer now.
func (s *session) later(err error) error {
	if !passes(err) {
		return err
	}
	why, _ := explain(err)
	s.notes.say("%s. It is kept, and done later", why)
	return nil
}

// passes reports whether an error goes away once the server answers.
func passes(err error) bool {
	return errors.Is(err, account.ErrUncertain) || errors.Is(err, httpapi.ErrTransport)
}
