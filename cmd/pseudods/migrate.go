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
	"syscall"
	"time"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
)

// migrate moves the embedded stores of roles into the databases of the
// configuration, or goes on with that where it was cut short. No server may run.
// Tables and functions are there before: see the command database.
func migrate(args []string, stdout, stderr io.Writer) error {
	f := newFlags("migrate", stderr).withConfig()
	owners, lists := map[server.Role]*string{}, map[server.Role]*string{}
	for _, role := range []server.Role{server.DS, server.QS, server.Issuer, server.Moderation} {
		owners[role] = f.String(string(role), "", fmt.Sprintf("move the stores of %s; connection string of its database's owner, or `file` with it", role))
		lists[role] = f.String(string(role)+"-shards", "", fmt.Sprintf("move the stores of %s into shards; `file` that lists them", role))
	}
	restart := f.Bool("restart", false, "begin anew what was begun and has not ended")
	restored := f.Bool("accept-restored", false, "accept allowances of the issuer that were restored from an older copy")
	reopen := f.Bool("reopen", false, "take embedded stores that were moved into use again, as older copies")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	c.AcceptRestored = *restored
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := server.Migration{Owners: map[server.Role]postgres.Settings{}, Shards: map[server.Role]postgres.Sharding{}, Restart: *restart,
		Report: func(s *server.Store, b badger.Finding) { report(stderr, s, b) }}
	for role, owner := range owners {
		if *owner != "" {
			m.Owners[role] = postgres.Settings{URL: *owner}
		}
	}
	for role, file := range lists {
		if *file == "" {
			continue
		}
		if m.Shards[role], err = postgres.ReadSharding(*file); err != nil {
			return err
		}
	}
	roles := len(m.Owners) + len(m.Shards)
	switch {
	case *reopen && roles == 0:
		return reopenStores(ctx, c, stdout)
	case *reopen || roles == 0:
		return errors.New("say which roles are moved, by the owners or the shards of their databases, or reopen alone")
	}
	m.Progress = (&meter{to: stderr}).tell
	all, err := c.Migrate(ctx, m)
	for _, moved := range all {
		for _, table := range slices.Sorted(maps.Keys(moved.State.Tables)) {
			fmt.Fprintf(stdout, "%s %s: %d rows in %s\n", moved.Role, moved.Store, moved.State.Tables[table].Rows, table)
		}
		fmt.Fprintf(stdout, "%s %s: %d records moved, source and target are the same\n", moved.Role, moved.Store, moved.State.Records)
	}
	return errors.Join(err, staying(c, stdout))
}

// staying tells which stores are not moved.
func staying(c server.Config, w io.Writer) error {
	stores, err := c.Stores()
	for _, s := range stores {
		fmt.Fprintf(w, "%s %s: stays in the embedded store\n", s.Role, s.Name)
	}
	return err
}

func reopenStores(ctx context.Context, c server.Config, stdout io.Writer) error {
	names, err := c.Reopen(ctx)
	for _, name := range names {
		fmt.Fprintf(stdout, "%s: may be used again, as an older copy\n", name)
	}
	if err == nil && len(names) > 0 {
		fmt.Fprintln(stdout, "Before the next start: pseudods keys rotate -compromised issuer, since tokens may have been spent meanwhile.")
	}
	return err
}

// meter prints how far a migration is, once a second.
type meter struct {
	to    io.Writer
	store *server.Store
	began time.Time
	first uint64 // record of this process
	last  time.Time
}

func (m *meter) tell(s *server.Store, p move.Progress) {
	now := time.Now()
	if m.store != s {
		m.store, m.began, m.first, m.last = s, now, p.Records, time.Time{}
	}
	if p.Table != "" {
		fmt.Fprintf(m.to, "%s %s: comparing %s\n", s.Role, s.Name, p.Table)
		return
	}
	if now.Sub(m.last) < time.Second && p.Records < p.Total {
		return
	}
	m.last = now
	line := fmt.Sprintf("%s %s: %d of %d records", s.Role, s.Name, p.Records, p.Total)
	if elapsed := now.Sub(m.began).Seconds(); elapsed > 0 && p.Records > m.first {
		rate := float64(p.Records-m.first) / elapsed
		line += fmt.Sprintf(", %.0f records/s, %.1f MB/s", rate, float64(p.Octets)/elapsed/1e6)
		if left := p.Total - p.Records; left > 0 {
			line += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	fmt.Fprintln(m.to, line)
}
