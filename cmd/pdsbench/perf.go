package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"

	"github.com/pseudods/pseudods/bench"
)

// perf measures, prints a line for each result as it comes to stderr, and writes
// the file of results.
func perf(args []string, _, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("perf", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "`scenarios` to run, with commas; default: "+bench.Names())
	quick := f.Bool("quick", false, "fewer sizes, less than 90 seconds")
	file := f.String("json", "", "`file` for the results, a list of objects")
	dir := f.String("dir", "", "`directory` for the stores, on the disk that is meant; default: for temporary files")
	store := f.String("store", "badger", "`engine` to measure: badger, postgres")
	database := f.String("postgres", "", "connection `string` of a database that is for this alone, as its owner")
	seed := f.Uint64("seed", 1, "determines what is random, keys aside")
	profile := f.String("cpuprofile", "", "`file` for a processor profile")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return err
	case err != nil || f.NArg() > 0 || *store != "badger" && *store != "postgres" || (*store == "postgres") != (*database != ""):
		return errUsage
	}
	command := "pdsbench perf " + strings.Join(args, " ")
	if *database != "" {
		command = strings.ReplaceAll(command, *database, "...") // it may hold a password
	}
	o := bench.Options{Postgres: *database, Quick: *quick, Dir: *dir, Seed: *seed, Command: command, Progress: stderr}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, err := bench.Run(ctx, o)
	if err != nil || *file == "" {
		return err
	}
	out, err := os.Create(*file)
	if err != nil {
		return err
	}
	if err := bench.WriteJSON(out, results); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return out.Close()
}
