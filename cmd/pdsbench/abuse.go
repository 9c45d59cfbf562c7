package main

import (
	"fmt"
	"io"
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
	m := newMeasurement("abuse", stderr, "scenarios", scenarios, "shorter attacks by fewer accounts, some minutes",
		"for the clients' files; default: /dev/shm, or that for temporary files", "determines all figures but processor time")
	defence := m.String("defence", "", "`defences` to play them under, with commas; default: "+strings.Join(defences, ","))
	if err := m.parse(args); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	cells, err := abuse.Run(ctx, abuse.Options{Only: list(*m.only), Defences: list(*defence), Quick: *m.quick, Seed: *m.seed, Dir: *m.dir,
		Progress: func(c abuse.Cell) { fmt.Fprintln(stderr, c.String()) }})
	if err != nil {
		return err
	}
	provenance := m.provenance()
	var results []abused
	for _, c := range cells {
		for _, f := range c.Figures() {
			results = append(results, abused{f, provenance})
		}
	}
	return m.write(results)
}
