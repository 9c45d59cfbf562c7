// Command pseudods is a delivery service for MLS groups that never learns who its
// users are: delivery service, queue service and issuer, together or apart. See
// docs/operations.md.
package main

import (
	"io"
	"os"

	"github.com/pseudods/pseudods/internal/command"
)

var commands = []command.Command{
	{Name: "demo", Summary: "play a story with real services and people", Run: playDemo},
	{Name: "serve", Summary: "run the service", Run: serve},
	{Name: "keys", Summary: "make, list or rotate keys", Run: keys},
	{Name: "invite", Summary: "make invite codes", Run: invite},
	{Name: "reports", Summary: "list, show, uphold or dismiss reports of abuse", Run: reports},
	{Name: "database", Summary: "make or migrate a database on PostgreSQL", Run: database},
	{Name: "migrate", Summary: "move the stores into databases on PostgreSQL", Run: migrate},
	{Name: "fsck", Summary: "check the stores", Run: fsck},
	{Name: "upgrade", Summary: "bring the stores to this program's version", Run: upgrade},
	{Name: "rekey", Summary: "give encrypted stores another key", Run: rekey},
	{Name: "backup", Summary: "back up the stores", Run: takeBackups},
	{Name: "restore", Summary: "put the stores back", Run: restore},
	{Name: "version", Summary: "say which version this is", Run: version},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	return command.Run("pseudods", commands, args, stdout, stderr)
}
