package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// command is one thing that the program does.
type command struct {
	name, args, summary string
	place               place
	// verbatim is the number of arguments after which nothing is a flag any more;
	// 0 for none.
	verbatim int
	work     func() work
}

// place says where a command is carried out.
type place uint8

const (
	// shared: by the process that has the state, which is this one unless another
	// listens.
	shared place = iota
	// owning: here, with the state to itself.
	owning
	// outside: here, without opening the state.
	outside
)

// work is a command with its arguments. It is encoded as JSON if another process
// carries it out.
type work interface {
	// flags adds the command's own.
	flags(*flag.FlagSet)
	// take takes the arguments, and what the command reads of its input. A
	// [usageError] says what is wrong with them.
	take(args []string, t terminal) error
	do(context.Context, *session) error
}

var commands = []command{
	{"init", "NAME -server URL", "become a user of a server, or link another device of yours", outside, 0, func() work { return new(initWork) }},
	{"card", "", "print your contact card, for others to connect to you", shared, 0, func() work { return new(cardWork) }},
	{"connect", "CARD", "ask the owner of a card for contact", shared, 0, func() work { return new(connectWork) }},
	{"trust", "CARD", "take a new card of somebody you know, once you have compared fingerprints", shared, 0, func() work { return new(trustWork) }},
	{"contacts", "", "list contacts, with their fingerprints", shared, 0, func() work { return new(contactsWork) }},
	{"accept", "NAME", "accept somebody who asked for contact", shared, 0, func() work { return new(acceptWork) }},
	{"block", "NAME", "end a contact, or refuse one", shared, 0, func() work { return new(blockWork) }},
	{"group create", "NAME", "make a group", shared, 0, func() work { return new(groupCreate) }},
	{"group list", "", "list groups", shared, 0, func() work { return new(groupList) }},
	{"group invite", "GROUP CONTACT...", "add contacts to a group", shared, 0, func() work { return new(groupInvite) }},
	{"group remove", "GROUP MEMBER", "remove a member", shared, 0, func() work { return new(groupRemove) }},
	{"group ban", "GROUP MEMBER", "remove a member for good", shared, 0, func() work { return &groupRemove{Ban: true} }},
	{"group members", "GROUP", "list members, and the group's safety code", shared, 0, func() work { return new(groupMembers) }},
	{"group policy", "GROUP", "show what the members agreed on, or change it", shared, 0, func() work { return new(groupPolicy) }},
	{"group rename", "GROUP NAME", "give a group another name of your own", shared, 0, func() work { return new(groupRename) }},
	{"group rejoin", "GROUP", "come back into a group that you cannot follow", shared, 0, func() work { return new(groupRejoin) }},
	{"group leave", "GROUP", "leave a group", shared, 0, func() work { return &groupEnd{How: "leave"} }},
	{"group delete", "GROUP", "delete a group that you are the last member of", shared, 0, func() work { return &groupEnd{How: "delete"} }},
	{"group block", "GROUP", "take nothing more from a group, without telling it", shared, 0, func() work { return &groupEnd{How: "block"} }},
	{"group forget", "GROUP", "delete what you have of a group that you have left", shared, 0, func() work { return &groupEnd{How: "forget"} }},
	{"group devices", "GROUP", "ask your other devices into a group that they are not in", shared, 0, func() work { return new(groupDevices) }},
	{"device link", "", "print a code that makes another device of yours", shared, 0, func() work { return new(deviceLink) }},
	{"device list", "", "list your other devices", shared, 0, func() work { return new(deviceList) }},
	{"device remove", "DEVICE", "remove a device of yours from all groups", shared, 0, func() work { return new(deviceRemove) }},
	{"send", "GROUP [TEXT...]", "send a text, or what stands on standard input", shared, 1, func() work { return new(sendWork) }},
	{"listen", "", "show what arrives", owning, 0, func() work { return new(listenWork) }},
	{"chat", "GROUP", "listen, and send each line of standard input", owning, 0, func() work { return new(chatWork) }},
	{"report", "GROUP MEMBER", "report what a member has sent to who decides at the server", shared, 0, func() work { return new(reportWork) }},
	{"tokens", "", "list the tokens that you hold, or choose how to get more", shared, 0, func() work { return new(tokensWork) }},
	{"maintain", "", "do what is due now and then: tokens, keys, addresses", shared, 0, func() work { return new(maintainWork) }},
	{"status", "", "say how things stand", shared, 0, func() work { return new(statusWork) }},
}

// usageError says what is wrong with a command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// find returns the command that args begin with, and the arguments after it.
func find(args []string) (*command, []string) {
	for i := range commands {
		words := strings.Fields(commands[i].name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == commands[i].name {
			return &commands[i], args[len(words):]
		}
	}
	return nil, nil
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: pseudo [-state DIR] [-passphrase-file FILE] command [flags] [arguments]")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-31s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
}

// parseArgs reads flags and arguments in any order. What follows "--" are
// arguments, and so is what follows the first so many of them, if verbatim is
// not 0.
func parseArgs(f *flag.FlagSet, args []string, verbatim int) ([]string, error) {
	var out []string
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, &usageError{}
		}
		rest := f.Args()
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(out, rest...), nil
		}
		if len(rest) == 0 {
			return out, nil
		}
		out, args = append(out, rest[0]), rest[1:]
		if len(out) == verbatim {
			if len(args) > 0 && args[0] == "--" {
				args = args[1:]
			}
			return append(out, args...), nil
		}
	}
}

// plain is work without flags.
type plain struct{}

func (plain) flags(*flag.FlagSet) {}

// exactly checks the number of arguments.
func exactly(n int, args []string) error {
	if len(args) != n {
		return usagef("takes %d arguments, not %d", n, len(args))
	}
	return nil
}
