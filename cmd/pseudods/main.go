// Command pseudods is a delivery service for MLS groups that never learns who its
// users are: delivery service, queue service and issuer, together or apart. See
// docs/operations.md.
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
	{"demo", "play a story with real services and people", playDemo},
	{"serve", "run the service", serve},
	{"keys", "make, list or rotate keys", keys},
	{"invite", "make invite codes", invite},
	{"reports", "list, show, uphold or dismiss reports of abuse", reports},
	{"database", "make or migrate a database on PostgreSQL", database},
	{"migrate", "move the stores into databases on PostgreSQL", migrate},
	{"fsck", "check the stores", fsck},
	{"upgrade", "bring the stores to this program's version", upgrade},
	{"rekey", "give encrypted stores another key", rekey},
	{"backup", "back up the stores", takeBackups},
	{"restore", "put the stores back", restore},
	{"version", "say which version this is", version},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	i := slices.IndexFunc(commands, func(c command) bool { return len(args) > 0 && c.name == args[0] })
	if i < 0 {
		fmt.Fprintln(stderr, "usage: pseudods command [flags]")
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
		fmt.Fprintln(stderr, "pseudods:", err)
		return 1
	}
}
