package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
)

// deviceLink prints a code that makes another device of the user.
type deviceLink struct{ Name string }

func (w *deviceLink) flags(f *flag.FlagSet) {
	f.StringVar(&w.Name, "name", "", "what the new device calls this one; it is called first otherwise")
}

func (w *deviceLink) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *deviceLink) do(_ context.Context, s *session) error {
	code, err := s.LinkCode(w.Name)
	if err != nil {
		return err
	}
	s.notes.say("whoever sees this code is you, for good: show it to nobody, and delete it when the other device is linked. It is good once, for a day: `pseudo init -server %s -link FILE NAME` there, then `pseudo listen` here", s.settings.Server)
	_, err = fmt.Fprintln(s.out, string(code.Reveal()))
	return err
}

// deviceList lists the user's other devices.
type deviceList struct{ plain }

func (w *deviceList) take(args []string, _ terminal) error { return exactly(0, args) }

func (w *deviceList) do(ctx context.Context, s *session) error {
	s.current(ctx)
	var rows [][]string
	for _, d := range s.Devices() {
		rows = append(rows, []string{named(d.Name), d.ID.String()})
	}
	return table(s.out, rows)
}

// deviceRemove removes a device.
type deviceRemove struct {
	plain
	Name string
}

func (w *deviceRemove) take(args []string, _ terminal) error { return oneName(&w.Name, args) }

func (w *deviceRemove) do(ctx context.Context, s *session) error {
	s.current(ctx)
	if err := s.RemoveDevice(ctx, w.Name); err != nil {
		return err
	}
	s.notes.say("%s reads no further in your groups. It still has your identity, and can ask others for contact in your name", named(w.Name))
	return nil
}

// groupDevices asks the user's other devices into a group.
type groupDevices struct {
	plain
	Group string
}

func (w *groupDevices) take(args []string, _ terminal) error { return oneName(&w.Group, args) }

func (w *groupDevices) do(ctx context.Context, s *session) error {
	g, err := s.group(ctx, w.Group)
	if err != nil {
		return err
	}
	return g.AddDevices(ctx)
}

// maxLink bounds what is read of a link code.
const maxLink = 64 << 10

// readLink reads a link code from a file, or for "-" from the input.
func readLink(name string, t terminal) (*account.Link, error) {
	var code secret.Bytes
	var err error
	if _, asks := file(t.in); name != "-" {
		code, err = secretFile(name)
	} else if asks {
		code, err = t.ask("link code: ")
	} else {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(t.in, maxLink))
		code = secret.New(bytes.TrimSpace(b))
	}
	if err != nil {
		return nil, err
	}
	if code.Len() == 0 {
		return nil, errors.New("that is no link code")
	}
	return account.ParseLink(code)
}
