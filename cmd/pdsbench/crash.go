package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/pseudods/pseudods/bench/crash"
	"github.com/pseudods/pseudods/internal/command"
)

// crashes kills servers and clients and audits what clients were told.
func crashes(args []string, stdout, stderr io.Writer) error {
	f := command.NewFlags("crash", stderr)
	kills := f.Int("kills", 30, "how `often` to kill a server or a client")
	members := f.Int("members", 3, "`how many` clients talk")
	groups := f.Int("groups", 2, "in `how many` groups")
	split := f.Bool("split", false, "run the queue service in a process of its own")
	control := f.Bool("control", false, "lose what was said in the end; the audit must see it")
	store := f.String("store", "", "`where` the stores are: postgres is a server that is started for it, patroni three with a leader, sharded two behind a router, routed-patroni three as the shard of one; default: each server has its own")
	settings := f.String("settings", "", "JSON `file` with more of the servers' configuration, such as the store")
	server := f.String("server", "", "the program pseudods; default: it is built")
	dir := f.String("dir", "", "empty `directory` for everything, which stays; default: a temporary one")
	client := f.String("member", "", "be the client that a `file` tells")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *client != "" {
		return crash.Member(*client, os.Stdin)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cfg := crash.Config{Dir: *dir, Server: *server, Self: []string{self, "crash", "-member"}, Kills: *kills, Members: *members, Groups: *groups,
		Split: *split, Store: crash.Store(*store), Control: *control, Progress: stderr}
	if *settings != "" {
		b, err := os.ReadFile(*settings)
		if err == nil {
			err = json.Unmarshal(b, &cfg.Settings)
		}
		if err != nil {
			return err
		}
	}
	if cfg.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "pdsbench-crash-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				os.RemoveAll(cfg.Dir)
			}
		}()
	}
	if cfg.Server == "" {
		cfg.Server = filepath.Join(cfg.Dir, "pseudods")
		build := exec.CommandContext(ctx, "go", "build", "-o", cfg.Server, "github.com/pseudods/pseudods/cmd/pseudods")
		build.Stderr = stderr
		if err = build.Run(); err != nil {
			return fmt.Errorf("building pseudods: %w", err)
		}
	}
	err = runCrash(ctx, cfg, stdout)
	return err
}

var errFound = errors.New("the audit found something")

func runCrash(ctx context.Context, cfg crash.Config, stdout io.Writer) error {
	o, err := crash.Run(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d kills of servers and %d of clients", o.ServerKills, o.ClientKills)
	for _, what := range slices.Sorted(maps.Keys(o.Database)) {
		fmt.Fprintf(stdout, ", %d of a %s", o.Database[what], what)
	}
	fmt.Fprintf(stdout, " in %.0f s\n", o.Took.Seconds())
	fmt.Fprintf(stdout, "%d texts said, %d arrivals, %d told again after a kill\n", o.Said, o.Heard, o.Repeated)
	fmt.Fprintf(stdout, "%d epochs, %d KeyPackages, %d tokens spent, %d refused as spent\n", o.Epochs, o.Packages, o.Tokens, o.Doubles)
	fmt.Fprintf(stdout, "%d requests failed, of %d actions clients were not told the outcome; longest time without an answer: %.1f s\n", o.Failures, o.Unsure, o.Away.Seconds())
	if !cfg.Control {
		fmt.Fprintf(stdout, "%d texts reported, %d reports decided, %d upheld, %d verdicts in effect; %d reports lost\n", o.Reports, o.Cases, o.Upheld, o.Verdicts, o.LostReports)
	}
	lost := ""
	if cfg.Control {
		lost = ", which the control had the service lose"
	}
	fmt.Fprintf(stdout, "%d texts lost%s\n", o.Lost, lost)
	const shown = 20
	for _, p := range o.Problems[:min(shown, len(o.Problems))] {
		fmt.Fprintln(stdout, "problem:", p)
	}
	fmt.Fprintf(stdout, "%d problems\n", len(o.Problems))
	switch {
	case cfg.Control && o.Lost == 0:
		return errors.New("the audit did not see what was lost")
	case !cfg.Control && len(o.Problems) > 0:
		return errFound
	case o.Said == 0 || o.Heard == 0 || o.Epochs == 0 || o.Packages == 0 || o.Tokens == 0:
		return errors.New("too little happened to say anything")
	}
	return nil
}
