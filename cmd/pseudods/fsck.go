package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/postgres"
)

// fsck checks every record of all stores that can be checked without the keys of
// groups and queues. No server may be using them, unless they are in a database. It
// fails if it finds anything.
func fsck(args []string, stdout, stderr io.Writer) error {
	f := newFlags("fsck", stderr).withConfig()
	role := f.String("role", "", "check the PostgreSQL database of a `role` instead: ds, qs, issuer, moderation")
	owner := f.String("as", "", "connection string of its owner, or `file` with it")
	shards := f.String("shards", "", "`file` that lists the shards of it, instead of as")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	if *role != "" || *owner != "" || *shards != "" {
		return fsckDatabase(server.Role(*role), postgres.Settings{URL: *owner}, *shards, stdout, stderr)
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	stores, err := c.Stores()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROLE\tSTORE\tRECORDS\tKIND\tOCTETS\tLEFT OVER")
	found, there := uint64(0), false
	var failures error
	for _, s := range stores {
		summary, err := s.Inspect(ctx, func(b badger.Finding) { report(stderr, &s, b) })
		if errors.Is(err, server.ErrNoStore) {
			fmt.Fprintf(table, "%s\t%s\t-\tnot there\t-\t-\n", s.Role, s.Name)
			continue
		}
		there = true
		if err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		found += summary.Findings
		for _, t := range summary.Tallies {
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%d\n", s.Role, s.Name, t.Records, t.Kind, t.Octets, t.Leftover)
		}
	}
	if err := table.Flush(); err != nil || failures != nil {
		return errors.Join(failures, err)
	}
	if err := elsewhere(c, stdout, "checked"); err != nil {
		return err
	}
	if !there && len(stores) > 0 {
		return errors.New("there are no stores")
	}
	return sayFound(stdout, found)
}

func sayFound(w io.Writer, found uint64) error {
	if found > 0 {
		return fmt.Errorf("%d findings", found)
	}
	_, err := fmt.Fprintln(w, "no findings")
	return err
}

// fsckDatabase checks a role's database, or all its shards, as its owner, while servers
// use it.
func fsckDatabase(role server.Role, owner postgres.Settings, shards string, stdout, stderr io.Writer) error {
	if server.Schemas(role) == nil || owner.Used() == (shards != "") {
		return errors.New("role and as, or role and shards, must be given")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	say := func(where string, p postgres.Finding) {
		fmt.Fprintf(stderr, "%s: %s, %d of them: %s\n", where, p.Kind, p.Count, p.Problem)
	}
	var summary postgres.Summary
	var err error
	if shards == "" {
		summary, err = server.InspectDatabase(ctx, role, owner, func(p postgres.Finding) { say(string(role), p) })
	} else {
		var s postgres.Sharding
		if s, err = postgres.ReadSharding(shards); err == nil {
			summary, err = server.InspectShards(ctx, role, s, func(n int, p postgres.Finding) { say(fmt.Sprintf("%s shard %d", role, n), p) })
		}
	}
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROLE\tRECORDS\tKIND\tOCTETS")
	for _, t := range summary.Tallies {
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\n", role, t.Records, t.Kind, t.Octets)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return sayFound(stdout, summary.Findings)
}

func report(w io.Writer, s *server.Store, b badger.Finding) {
	where := ""
	if b.Ordinal > 0 {
		where = fmt.Sprintf(" number %d", b.Ordinal)
	} else if b.Count > 1 {
		where = fmt.Sprintf(", %d of them", b.Count)
	}
	fmt.Fprintf(w, "%s %s: %s%s: %s\n", s.Role, s.Name, b.Kind, where, b.Problem)
}
