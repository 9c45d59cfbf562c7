package snapshot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
)

// Config says how large worlds are, and how many.
type Config struct {
	Seed uint64
	// Worlds are played one after the other, and their answers taken together.
	Worlds        int
	Users, Groups int
	// Before and Last are how many messages are sent before the last part of a run, and
	// in it.
	Before, Last int
	// Encrypted stores are looked into with their key: what the auditor gets who took the
	// key with the disks.
	Encrypted bool
}

// Set says which stores the auditor has.
type Set string

// The sets.
const (
	DSAlone Set = "ds"
	QSAlone Set = "qs"
	Both    Set = "ds and qs"
	All     Set = "all"
)

// question is what is scored.
type question struct {
	Target  Target
	Feature Feature
	Stores  Set
	State   string
	Planted bool
}

// Result is how well the auditor did.
type Result struct {
	Target, State string
	Feature       Feature
	Stores        Set
	// Planted marks a control.
	Planted bool
	// Things is how many the auditor answered for.
	Things int
	// Advantage and First are the two scores, see the package comment.
	Advantage, First Score
}

// Run plays worlds in directories below dir and returns the auditor's results.
func Run(ctx context.Context, dir string, c Config) ([]Result, error) {
	var order []question
	answers := map[question][]answer{}
	for n := range c.Worlds {
		world := c
		world.Seed = c.Seed + uint64(n)*1_000_003
		things, copies, err := playIn(ctx, dir, world)
		if err != nil {
			return nil, err
		}
		for q, got := range audit(things, copies) {
			if answers[q] == nil {
				order = append(order, q)
			}
			for _, a := range got {
				a.cluster += n * 1_000_000
				answers[q] = append(answers[q], a)
			}
		}
	}
	var out []Result
	for _, q := range order {
		h := fnv.New64a()
		fmt.Fprint(h, q)
		r := func() *rand.Rand { return rand.New(rand.NewPCG(c.Seed, h.Sum64())) }
		all := answers[q]
		out = append(out, Result{q.Target.Name, q.State, q.Feature, q.Stores, q.Planted, len(all),
			score(all, func(a answer) float64 { return a.rank }, r()), score(all, func(a answer) float64 { return a.first }, r())})
	}
	return out, nil
}

// playIn plays a world in a directory that is removed afterwards.
func playIn(ctx context.Context, dir string, c Config) (things []*thing, copies []*Copy, err error) {
	dir, err = os.MkdirTemp(dir, "snapshot-*")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return play(ctx, dir, c)
}

// play runs a provider in an empty directory and returns what is true of it, and
// copies of its stores while it ran and after it was stopped.
func play(ctx context.Context, dir string, c Config) (things []*thing, copies []*Copy, err error) {
	w := newWorld(ctx, dir, c)
	if err := w.open(); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.grow(w.plan()); err != nil {
		return nil, nil, fmt.Errorf("snapshot: while the provider grows: %w", err)
	}
	for range 2 {
		if err := w.talk(c.Before / 2); err != nil {
			return nil, nil, fmt.Errorf("snapshot: before the last part: %w", err)
		}
		if err := w.pass(); err != nil {
			return nil, nil, err
		}
	}
	if err := w.talk(c.Last); err != nil {
		return nil, nil, fmt.Errorf("snapshot: in the last part: %w", err)
	}
	running, err := w.take("running")
	if err != nil {
		return nil, nil, err
	}
	if things, err = w.truth(); err != nil {
		return nil, nil, err
	}
	if err := w.stop(); err != nil {
		return nil, nil, err
	}
	clear(w.journals)
	stopped, err := w.take("stopped")
	return things, []*Copy{running, stopped}, err
}
