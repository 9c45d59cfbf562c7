// Package command is what programs with subcommands have in common: they choose one,
// read its flags, and end with a status.
package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
)

// Command is a subcommand. Run gets the arguments that follow its name.
type Command struct {
	Name, Summary string
	Run           func(args []string, stdout, stderr io.Writer) error
}

// ErrUsage: the command line is wrong, and whoever says so has told why.
var ErrUsage = errors.New("usage")

// Run runs the command that the arguments begin with, and returns the program's exit
// status: 0, 1 after an error, or 2 if the command line is wrong.
func Run(program string, all []Command, args []string, stdout, stderr io.Writer) int {
	i := slices.IndexFunc(all, func(c Command) bool { return len(args) > 0 && c.Name == args[0] })
	if i < 0 {
		fmt.Fprintf(stderr, "usage: %s command [flags]\n", program)
		for _, c := range all {
			fmt.Fprintf(stderr, "  %-8s %s\n", c.Name, c.Summary)
		}
		return 2
	}
	switch err := all[i].Run(args[1:], stdout, stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return 1
	}
}

// Flags is a flag set that takes so many arguments after the flags.
type Flags struct{ *flag.FlagSet }

// NewFlags returns the flags of a command, without any yet.
func NewFlags(name string, stderr io.Writer) Flags {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return Flags{f}
}

// Read reads args, of which exactly n must be left after the flags, or any number if
// n is negative. It fails with [ErrUsage] or [flag.ErrHelp].
func (f Flags) Read(args []string, n int) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return ErrUsage
	}
	if n >= 0 && f.NArg() != n {
		fmt.Fprintf(f.Output(), "%s takes %d arguments after the flags, not %d\n", f.Name(), n, f.NArg())
		f.Usage()
		return ErrUsage
	}
	return nil
}
