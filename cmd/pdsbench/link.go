package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/bench"
	"github.com/pseudods/pseudods/bench/link"
)

// linked is a figure with where it comes from.
type linked struct {
	link.Figure
	bench.Provenance
}

// links measures linkability, prints a line for each figure as it comes to
// stderr, and writes the file of results.
func links(args []string, _, stderr io.Writer) error {
	var names []string
	for _, x := range link.Experiments {
		names = append(names, x.Name)
	}
	f := flag.NewFlagSet("link", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "`experiments` to run, with commas; default: "+strings.Join(names, ","))
	quick := f.Bool("quick", false, "fewer trials and users, about a minute")
	file := f.String("json", "", "`file` for the results, a list of objects")
	dir := f.String("dir", "", "`directory` for stores that are filled and looked at; default: for temporary files")
	seed := f.Uint64("seed", 1, "determines all simulated figures, and what people do where services run")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return err
	case err != nil || f.NArg() > 0:
		return errUsage
	}
	o := link.Options{Quick: *quick, Seed: *seed, Dir: *dir, Progress: func(f link.Figure) { fmt.Fprintln(stderr, line(&f)) }}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	figures, err := link.Run(ctx, o)
	if err != nil || *file == "" {
		return err
	}
	provenance := bench.NewProvenance(*seed, "pdsbench link "+strings.Join(args, " "))
	results := make([]linked, len(figures))
	for i, f := range figures {
		results[i] = linked{f, provenance}
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

// line is a figure for people.
func line(f *link.Figure) string {
	var b strings.Builder
	b.WriteString(f.Name)
	keys := make([]string, 0, len(f.Parameters))
	for k := range f.Parameters {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, " %s=%v", k, f.Parameters[k])
	}
	bound := ""
	if f.AtLeast {
		bound = ">="
	}
	fmt.Fprintf(&b, "\t%s%.4g %s [%.4g, %.4g]", bound, f.Value, f.Unit, f.CILow, f.CIHigh)
	return b.String()
}
