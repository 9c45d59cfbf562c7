// Command ppissuer is a Privacy Pass issuer (RFC 9576 to 9578) with attesters,
// and the tools to run one. See docs/operations.md.
package main

import (
	"io"
	"os"

	"github.com/pseudods/pseudods/internal/command"
)

var commands = []command.Command{
	{Name: "serve", Summary: "run the issuer", Run: serve},
	{Name: "keys", Summary: "list, rotate, or see the calendar of its keys", Run: keys},
	{Name: "invite", Summary: "make invite codes", Run: invite},
	{Name: "account", Summary: "make an account key", Run: account},
	{Name: "reduce", Summary: "cut the allowance of an account", Run: reduce},
	{Name: "check", Summary: "examine the directory of any issuer", Run: check},
	{Name: "get", Summary: "get tokens from an issuer", Run: get},
	{Name: "verify", Summary: "verify tokens with the issuer's keys", Run: verifyTokens},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	return command.Run("ppissuer", commands, args, stdout, stderr)
}
