// Command ppissuer is a Privacy Pass issuer (RFC 9576 to 9578) with attesters,
// and the tools to run one. See docs/operations.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

// command is a subcommand: its arguments without the name, and where to write.
type command struct {
	name, summary string
	run           func(args []string, stdout, stderr io.Writer) error
}

var commands = []command{
	{"serve", "run the issuer", serve},
	{"keys", "list, rotate, or see the calendar of its keys", keys},
	{"invite", "make invite codes", invite},
	{"account", "make an account key", account},
	{"reduce", "cut the allowance of an account", reduce},
	{"check", "examine the directory of any issuer", check},
	{"get", "get tokens from an issuer", get},
	{"verify", "verify tokens with the issuer's keys", verifyTokens},
}

// errUsage: the command line is wrong and the flag package has said so.
var errUsage = errors.New("usage")

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	i := -1
	if len(args) > 0 {
		i = slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	}
	if i < 0 {
		fmt.Fprintln(stderr, "usage: ppissuer command [flags]")
		for _, c := range commands {
			fmt.Fprintf(stderr, "  %-8s %s\n", c.name, c.summary)
		}
		return 2
	}
	switch err := commands[i].run(args[1:], stdout, stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintln(stderr, "ppissuer:", err)
		return 1
	}
}
