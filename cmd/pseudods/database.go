package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

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
		if err := f.parse(args[1:], 0); err != nil {
			return err
		}
		script, err := postgres.Script(*name, *owner, *login)
		if err == nil {
			_, err = io.WriteString(stdout, script)
		}
		return err
	}
	if len(args) == 0 || args[0] != "migrate" {
		fmt.Fprintln(stderr, "usage: pseudods database script|migrate [flags]")
		return errUsage
	}
	f := newFlags("database migrate", stderr)
	role := f.String("role", "", "`role` whose database it is: ds, qs")
	owner := f.String("as", "", "connection string of the owner, or `file` with it")
	login := f.String("login", "", "`login` of the server, to which the functions are granted")
	if err := f.parse(args[1:], 0); err != nil {
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
