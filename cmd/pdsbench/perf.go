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
	seed := f.Uint64("seed", 1, "determines what is random, keys aside")
	profile := f.String("cpuprofile", "", "`file` for a processor profile")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return err
	case err != nil || f.NArg() > 0:
		return errUsage
	}
	o := bench.Options{Quick: *quick, Dir: *dir, Seed: *seed, Command: "pdsbench perf " + strings.Join(args, " "), Progress: stderr}
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
