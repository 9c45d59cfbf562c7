package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"

	"github.com/pseudods/pseudods/internal/command"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/postgres"
)

// database prints how an administrator makes a role's PostgreSQL database, and as
// its owner makes or migrates the tables and lets the server's login call their
// functions.
func database(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "script" {
		f := newFlags("database script", stderr)
		name := f.String("name", "pseudods", "`name` of the database")
		owner := f.String("owner", "pseudods_owner", "`login` that owns it")
		login := f.String("login", "pseudods", "`login` of the server")
		if err := f.Read(args[1:], 0); err != nil {
			return err
		}
		script, err := postgres.Script(*name, *owner, *login)
		if err == nil {
			_, err = io.WriteString(stdout, script)
		}
		return err
	}
	if len(args) > 0 && args[0] == "check" {
		return databaseCheck(args[1:], stdout, stderr)
	}
	if len(args) > 0 && (args[0] == "shards" || args[0] == "router" || args[0] == "split") {
		return databaseShards(args[0], args[1:], stdout, stderr)
	}
	if len(args) == 0 || args[0] != "migrate" {
		fmt.Fprintln(stderr, "usage: pseudods database script|migrate|shards|router|split|check [flags]")
		return command.ErrUsage
	}
	f := newFlags("database migrate", stderr)
	role := f.String("role", "", "`role` whose database it is: ds, qs, issuer, moderation")
	owner := f.String("as", "", "connection string of the owner, or `file` with it")
	login := f.String("login", "", "`login` of the server, to which the functions are granted")
	if err := f.Read(args[1:], 0); err != nil {
		return err
	}
	schemas := server.Schemas(server.Role(*role))
	if schemas == nil || *owner == "" || *login == "" {
		return errors.New("role, as and login must be given")
	}
	settings := postgres.Settings{URL: *owner}
	cfg, err := settings.Config()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := postgres.Migrate(ctx, cfg, schemas...); err != nil {
		return err
	}
	if err := postgres.Grant(ctx, cfg, *login, schemas...); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "the database is ready")
	return err
}

// databaseCheck says of each database of a configuration whether the server could
// start with it.
func databaseCheck(args []string, stdout, stderr io.Writer) error {
	f := newFlags("database check", stderr).withConfig()
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	all, err := c.Databases()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("no role has a database")
	}
	var failures error
	for _, role := range slices.Sorted(maps.Keys(all)) {
		if err := server.CheckDatabase(role, all[role]); err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", role, err))
			continue
		}
		fmt.Fprintf(stdout, "%s: the database is there, of this version, and keeps what it acknowledges\n", role)
	}
	return failures
}

// elsewhere tells which roles' stores a command does not concern, since they are in
// databases.
func elsewhere(c server.Config, w io.Writer, does string) error {
	all, err := c.Databases()
	for _, role := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(w, "%s: in PostgreSQL, not %s here: see docs/operations.md\n", role, does)
	}
	return err
}
