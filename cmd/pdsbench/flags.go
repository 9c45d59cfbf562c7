package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/pseudods/pseudods/bench"
	"github.com/pseudods/pseudods/internal/command"
)

// measurement is what the commands have in common that measure.
type measurement struct {
	command.Flags
	only, file, dir *string
	quick           *bool
	seed            *uint64
	args            []string
}

// newMeasurement defines the flags. what are the things that can be measured, all
// their names, brief what quick means, and seeded what the seed does.
func newMeasurement(name string, stderr io.Writer, what string, all []string, brief, dir, seeded string) *measurement {
	f := command.NewFlags(name, stderr)
	return &measurement{Flags: f,
		only:  f.String("only", "", "`"+what+"` to run, with commas; default: "+strings.Join(all, ",")),
		quick: f.Bool("quick", false, brief),
		file:  f.String("json", "", "`file` for the results, a list of objects"),
		dir:   f.String("dir", "", "`directory` "+dir),
		seed:  f.Uint64("seed", 1, seeded),
	}
}

// parse fails with [command.ErrUsage] or [flag.ErrHelp].
func (m *measurement) parse(args []string) error {
	m.args = args
	return m.Read(args, 0)
}

// command is what a reader types to repeat it.
func (m *measurement) command() string {
	return "pdsbench " + m.Name() + " " + strings.Join(m.args, " ")
}

func (m *measurement) provenance() bench.Provenance {
	return bench.NewProvenance(*m.seed, m.command())
}

// list splits a flag's value at its commas.
func list(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

// interruptible returns a context that an interrupt ends.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}

// write writes the file of results, if there is to be one.
func (m *measurement) write(results any) error {
	if *m.file == "" {
		return nil
	}
	out, err := os.Create(*m.file)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	if err := e.Encode(results); err != nil {
		out.Close()
		return fmt.Errorf("writing the results: %w", err)
	}
	return out.Close()
}
