package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pseudods/pseudods/internal/balance"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestDatabasesSharded runs the scripts that need several PostgreSQL servers: ROUTER
// for routers, ONE and TWO for shards, which are directories of sockets, with the
// programs of PostgreSQL in the path.
func TestDatabasesSharded(t *testing.T) {
	bin := pgtest.Bin(t)
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/shards",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			clusters := map[string]*pgtest.Cluster{"ROUTER": pgtest.Shared(t), "ONE": pgtest.Start(t), "TWO": pgtest.Start(t)}
			for name, c := range clusters {
				e.Setenv(name, c.Dir())
			}
			e.Values[copies{}] = func(ts *testscript.TestScript, of, to string) {
				clusters[to] = clusters[of].Standby(t, to)
				ts.Setenv(to, clusters[to].Dir())
			}
			e.Values[replays{}] = func(of string) (all bool, err error) {
				err = clusters[of].Query("postgres", "select count(*) = 1 and bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication", &all)
				return all, err
			}
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			at := map[string]string{}
			for _, name := range []string{"front", "a", "b", "issuer"} {
				p, err := port()
				if err != nil {
					return err
				}
				at[name] = fmt.Sprintf("127.0.0.1:%d", p)
				e.Setenv("AT_"+name, at[name])
			}
			e.Setenv("FRONT", "http://"+at["front"])
			stop, err := balance.Listen(at["front"], at["a"], at["b"])
			if err == nil {
				e.Defer(func() { stop() })
			}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "end": end, "fill": fill, "basebackup": basebackup, "replayed": replayed},
	})
}

type copies struct{}

type replays struct{}

// fill file...: puts the script's variables where the files name them.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

// basebackup of to: makes a server that streams from another, by pg_basebackup -R.
func basebackup(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(copies{}).(func(*testscript.TestScript, string, string))(ts, args[0], args[1])
}

// replayed server...: waits until the standby of each has everything.
func replayed(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		until(ts, "for the standby of "+name, func() bool {
			all, err := ts.Value(replays{}).(func(string) (bool, error))(name)
			ts.Check(err)
			time.Sleep(10 * time.Millisecond)
			return all
		})
	}
}
