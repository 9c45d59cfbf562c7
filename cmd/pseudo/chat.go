package main

import (
	"bufio"
	"context"
	"errors"
	"strings"
)

// chatWork listens and sends each line of standard input to one group.
type chatWork struct {
	plain
	group string
}

func (w *chatWork) take(args []string, _ terminal) error {
	if err := exactly(1, args); err != nil {
		return err
	}
	w.group = args[0]
	return nil
}

// do ends with the input. A line that the server did not take yet is sent by the
// next command; see [client.Group.Send].
func (w *chatWork) do(ctx context.Context, s *session) error {
	if _, err := s.Group(w.group); err != nil {
		return err
	}
	c, err := s.serve(ctx)
	if err != nil {
		return err
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	heard := make(chan error, 1)
	go func() { heard <- s.listen(listening, false) }()
	lines := make(chan string)
	read := make(chan error, 1)
	go func() {
		in := bufio.NewScanner(s.in)
		in.Buffer(nil, maxText)
		for in.Scan() {
			select {
			case lines <- in.Text():
			case <-listening.Done():
				return
			}
		}
		read <- in.Err()
	}()
	for {
		select {
		case text := <-lines:
			if strings.TrimSpace(text) == "" {
				continue
			}
			g, err := s.Group(w.group) // which may be another one after an absence
			if err == nil {
				err = sendText(ctx, s, g, []byte(text))
			}
			if err != nil {
				text, _ := explain(err)
				s.notes.say("%s", text)
			}
		case err = <-read:
			stop()
			return errors.Join(err, <-heard, s.sync(ctx, 0, false), c.close())
		case err = <-heard: // interrupted, or it cannot go on
			return errors.Join(err, c.close())
		}
	}
}
