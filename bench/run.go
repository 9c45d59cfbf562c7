package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Options of a [Run].
type Options struct {
	// Only names the scenarios to run; none means all.
	Only []string
	// Quick measures fewer sizes for a shorter time.
	Quick bool
	// Dir is where stores lie while they are measured: on the disk that is
	// meant. Empty means the system's directory for temporary files.
	Dir string
	// Seed determines what is random about groups and messages, keys aside.
	Seed uint64
	// Command is put into each result.
	Command string
	// Stores names the engines to measure, of [Stores]; none means all that are to
	// be had here. Scenarios that are not [Scenario.Anywhere] measure the embedded
	// one alone.
	Stores []string
	// Postgres is the connection string of a database to measure as PostgreSQL: one
	// that is for this alone, as its owner. Empty means that a server is started.
	Postgres string
	// Progress gets a line for each result as it comes. Nil for none.
	Progress io.Writer
}

// Scenario is something to measure.
type Scenario struct {
	Name, Summary string
	Anywhere      bool // it measures all engines, side by side
	run           func(context.Context, *env) error
}

// Scenarios are all there are, in the order in which they run.
var Scenarios = []Scenario{
	{"fanout", "durable deliveries per second, sender to all queues", false, fanout},
	{"send", "latency of a message to sender and to reader, and what it touches", false, send},
	{"commit", "time of a commit and what it touches", false, commits},
	{"server", "messages per second of a whole server over HTTP, and what saturates", false, server},
	{"queue", "entries read and acknowledged per second", false, queue},
	{"redeem", "tokens verified and spent per second", false, redeem},
	{"idle", "memory of queues and groups that nobody uses", false, idle},
	{"stores", "the same figures of each store, beside two other designs on PostgreSQL", true, stores},
	{"loaded", "what an entry costs in each store as it fills with queues", true, loaded},
	{"size", "octets that groups, queues, messages, KeyPackages and spent tokens take in each store", true, sizes},
}

// env is what a scenario runs in.
type env struct {
	Options
	provenance Provenance
	results    []Result
	engines    []engine
	server     *pgServer // of the engines that are PostgreSQL; nil if there are none
}

// Run measures and returns the results.
func Run(ctx context.Context, o Options) ([]Result, error) {
	for _, name := range o.Only {
		if !slices.ContainsFunc(Scenarios, func(s Scenario) bool { return s.Name == name }) {
			return nil, fmt.Errorf("bench: no scenario %q", name)
		}
	}
	e := &env{Options: o, provenance: NewProvenance(o.Seed, o.Command)}
	err := e.openEngines()
	if err == nil {
		err = e.run(ctx)
	}
	return e.results, errors.Join(err, e.closeEngines())
}

func (e *env) run(ctx context.Context) error {
	for _, s := range Scenarios {
		if len(e.Only) > 0 && !slices.Contains(e.Only, s.Name) {
			continue
		}
		if !s.Anywhere && !e.embedded() {
			if len(e.Only) > 0 {
				return fmt.Errorf("bench: scenario %q is of the embedded store alone", s.Name)
			}
			continue
		}
		if err := s.run(ctx, e); err != nil {
			return fmt.Errorf("bench: %s: %w", s.Name, err)
		}
	}
	return nil
}

// emit takes a result.
func (e *env) emit(r Result) {
	r.Provenance = e.provenance
	r.better()
	e.results = append(e.results, r)
	if e.Progress != nil {
		fmt.Fprintln(e.Progress, r.String())
	}
}

// sized returns the short list in quick runs.
func sized[T any](e *env, quick, full []T) []T {
	if e.Quick {
		return quick
	}
	return full
}

// tempDir makes a directory that the returned function removes.
func (e *env) tempDir() (string, func(), error) {
	dir, err := os.MkdirTemp(e.Dir, "pdsbench-*")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// Names lists the scenarios, for a usage text.
func Names() string {
	var names []string
	for _, s := range Scenarios {
		names = append(names, s.Name)
	}
	return strings.Join(names, ",")
}
