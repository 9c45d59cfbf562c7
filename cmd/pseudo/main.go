// Command pseudo is a client for people: they meet under pseudonyms, form groups
// and talk, through services that learn neither who they are nor who talks to
// whom. `pseudo help` lists what it can do.
//
// # State
//
// Everything durable is in one directory: ~/.pseudo, or what -state or
// PSEUDO_STATE names. It holds a vault of sealed files (package vault), the
// settings, and the vault's key in a file of mode 0600, unless a passphrase was
// set at init. Whoever has directory and key is the user. Do not copy it to
// another device and do not restore it from a copy.
//
// # Two terminals
//
// One process at a time has the vault. As long as `pseudo listen` or `pseudo
// chat` runs, other commands are carried out by that process: they reach it
// through a socket in the state directory, which only the user can open. Other
// commands wait a few seconds for one another.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // the next signal ends the process at once
	code := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// The exit statuses.
const (
	exitDone        = 0
	exitRefused     = 1 // it did not work; standard error says why
	exitUsage       = 2
	exitUnsupported = 3 // this server, or this client, cannot do it
)
