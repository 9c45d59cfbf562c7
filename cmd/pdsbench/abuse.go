package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/pseudods/pseudods/bench"
	"github.com/pseudods/pseudods/bench/abuse"
)

// abused is a figure with where it comes from.
type abused struct {
	abuse.Figure
	bench.Provenance
}

// abuses plays scenarios of abuse under a matrix of defences, prints a line for each
// cell as it comes to stderr, and writes the file of results.
func abuses(args []string, _, stderr io.Writer) error {
	var scenarios, defences []string
	for _, s := range abuse.Scenarios {
		scenarios = append(scenarios, s.Name)
	}
	for _, k := range abuse.Defences {
		defences = append(defences, k.Name)
	}
	f := flag.NewFlagSet("abuse", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "`scenarios` to play, with commas; default: "+strings.Join(scenarios, ","))
	defence := f.String("defence", "", "`defences` to play them under, with commas; default: "+strings.Join(defences, ","))
	quick := f.Bool("quick", false, "shorter attacks by fewer accounts, some minutes")
	file := f.String("json", "", "`file` for the results, a list of objects")
	dir := f.String("dir", "", "`directory` for the clients' files; default: /dev/shm, or that for temporary files")
	seed := f.Uint64("seed", 1, "determines all figures but processor time")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return err
	case err != nil || f.NArg() > 0:
		return errUsage
	}
	o := abuse.Options{Quick: *quick, Seed: *seed, Dir: *dir, Progress: func(c abuse.Cell) { fmt.Fprintln(stderr, c.String()) }}
	for _, list := range []struct {
		from string
		to   *[]string
	}{{*only, &o.Only}, {*defence, &o.Defences}} {
		if list.from != "" {
			*list.to = strings.Split(list.from, ",")
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cells, err := abuse.Run(ctx, o)
	if err != nil || *file == "" {
		return err
	}
	provenance := bench.NewProvenance(*seed, "pdsbench abuse "+strings.Join(args, " "))
	var results []abused
	for _, c := range cells {
		for _, f := range c.Figures() {
			results = append(results, abused{f, provenance})
		}
	}
	out, err := os.Create(*file)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	if err := e.Encode(results); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return out.Close()
}
