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

// databaseShards carries out those of the database commands that concern the shards
// of one role, which a file lists.
func databaseShards(command string, args []string, stdout, stderr io.Writer) error {
	f := newFlags("database "+command, stderr)
	role := f.String("role", "", "`role` whose database it is: ds, qs, issuer")
	file := f.String("shards", "", "`file` that lists the shards")
	remove := new(bool)
	if command == "split" {
		remove = f.Bool("remove", false, "remove the rows that are another shard's, after the split")
	}
	if err := f.Read(args, 0); err != nil {
		return err
	}
	schemas := server.Schemas(server.Role(*role))
	if schemas == nil || *file == "" {
		return errors.New("role and shards must be given")
	}
	s, err := postgres.ReadSharding(*file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case command == "router":
		script, err := postgres.RouterScript(ctx, s, schemas...)
		if err == nil {
			_, err = io.WriteString(stdout, script)
		}
		return err
	case *remove:
		return postgres.RemoveOthers(ctx, s, func(r postgres.Removed) {
			fmt.Fprintf(stdout, "shard %d, %s: %d rows removed\n", r.Shard, r.Table, r.Rows)
		}, schemas...)
	case command == "split":
		err = postgres.Split(ctx, s, schemas...)
	default:
		err = postgres.MigrateShards(ctx, s, schemas...)
	}
	if err == nil {
		_, err = fmt.Fprintf(stdout, "%d shards are ready; make the router anew: pseudods database router\n", len(s.Shards))
	}
	return err
}
