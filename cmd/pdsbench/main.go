// Command pdsbench measures the services of this repository and writes reports.
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
	{"perf", "measure throughput, latency and cost of the whole server path", perf},
	{"link", "measure how well times and sizes link queues", links},
	{"abuse", "play scenarios of abuse under a matrix of defences", abuses},
	{"crash", "kill servers and clients, and audit what clients were told", crashes},
	{"report", "make a page and a summary of results", writeReport},
	{"compare", "say what changed between two sets of results", compare},
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
		fmt.Fprintln(stderr, "usage: pdsbench command [flags]")
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
		fmt.Fprintln(stderr, "pdsbench:", err)
		return 1
	}
}
