package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// run carries out a command line and returns the exit status.
func run(ctx context.Context, args []string, t terminal) int {
	var where location
	global := flag.NewFlagSet("pseudo", flag.ContinueOnError)
	global.SetOutput(t.err)
	global.Usage = func() { usage(t.err) }
	where.flags(global)
	if err := global.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitDone
	} else if err != nil {
		return exitUsage
	}
	if global.Arg(0) == "help" {
		usage(t.out)
		return exitDone
	}
	c, rest := find(global.Args())
	if c == nil {
		usage(t.err)
		return exitUsage
	}
	w := c.work()
	f := flag.NewFlagSet("pseudo "+c.name, flag.ContinueOnError)
	f.SetOutput(t.err)
	f.Usage = func() {
		fmt.Fprintf(t.err, "usage: pseudo %s [flags] %s\n", c.name, c.args)
		f.PrintDefaults()
	}
	where.flags(f)
	w.flags(f)
	rest, err := parseArgs(f, rest, c.verbatim)
	if err == nil {
		err = w.take(rest, t)
	}
	if err == nil {
		err = c.run(ctx, &where, w, t)
	}
	return report(c, err, t.err, f.Usage)
}

// run opens the state, or finds who has it, and does the work.
func (c *command) run(ctx context.Context, where *location, w work, t terminal) error {
	s := &session{command: c.name, location: where, terminal: t, notes: notesTo(t.err)}
	ctx = withNotes(ctx, s.notes)
	if c.place == outside {
		return w.do(ctx, s)
	}
	if err := s.open(ctx, func(other *listener) error {
		if c.place == owning {
			return other.refusal()
		}
		return other.forward(ctx, c, w, t)
	}); err != nil || s.Client == nil {
		return err
	}
	return errors.Join(w.do(ctx, s), s.close())
}

// report says what came of a command and returns the exit status.
func report(c *command, err error, to io.Writer, usage func()) int {
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &wrong):
		if wrong.text != "" {
			fmt.Fprintf(to, "pseudo %s: %s\n", c.name, wrong.text)
			usage()
		}
		return exitUsage
	}
	text, code := explain(err)
	fmt.Fprintf(to, "pseudo: %s\n", text)
	return code
}

// location says where the state is.
type location struct{ dir, passphraseFile string }

func (l *location) flags(f *flag.FlagSet) {
	if l.dir == "" {
		l.dir = os.Getenv("PSEUDO_STATE")
	}
	if home, err := os.UserHomeDir(); l.dir == "" && err == nil {
		l.dir = filepath.Join(home, ".pseudo")
	}
	f.StringVar(&l.dir, "state", l.dir, "`directory` of your state")
	f.StringVar(&l.passphraseFile, "passphrase-file", l.passphraseFile, "`file` with the passphrase, for a state that has one")
}

func (l *location) path(name string) string { return filepath.Join(l.dir, name) }
