package main

import (
	"fmt"
	"io"
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
	m := newMeasurement("link", stderr, "experiments", names, "fewer trials and users, about a minute",
		"for stores that are filled and looked at; default: for temporary files", "determines all simulated figures, and what people do where services run")
	if err := m.parse(args); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	figures, err := link.Run(ctx, link.Options{Only: list(*m.only), Quick: *m.quick, Seed: *m.seed, Dir: *m.dir,
		Progress: func(f link.Figure) { fmt.Fprintln(stderr, line(&f)) }})
	if err != nil {
		return err
	}
	provenance := m.provenance()
	results := make([]linked, len(figures))
	for i, f := range figures {
		results[i] = linked{f, provenance}
	}
	return m.write(results)
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
