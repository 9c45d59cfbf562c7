package main

import (
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/pseudods/pseudods/bench"
	"github.com/pseudods/pseudods/internal/command"
)

// perf measures, prints a line for each result as it comes to stderr, and writes
// the file of results.
func perf(args []string, _, stderr io.Writer) (err error) {
	m := newMeasurement("perf", stderr, "scenarios", strings.Split(bench.Names(), ","), "fewer sizes, some minutes",
		"for the stores, on the disk that is meant; default: for temporary files", "determines what is random, keys aside")
	store := m.String("store", "", "`engines` to measure side by side, with commas: "+strings.Join(bench.Stores, ",")+"; default: those that can run here")
	database := m.String("postgres", "", "connection `string` of a database that is for this alone, as its owner, to measure as postgres; default: a server is started")
	profile := m.String("cpuprofile", "", "`file` for a processor profile")
	if err := m.parse(args); err != nil {
		return err
	}
	o := bench.Options{Only: list(*m.only), Stores: list(*store), Postgres: *database, Quick: *m.quick, Dir: *m.dir, Seed: *m.seed, Command: m.command(), Progress: stderr}
	if *database != "" {
		if *store != "postgres" {
			return command.ErrUsage
		}
		o.Command = strings.ReplaceAll(o.Command, *database, "...") // it may hold a password
	}
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := interruptible()
	defer stop()
	results, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	return m.write(results)
}
