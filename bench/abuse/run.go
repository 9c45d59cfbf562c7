package abuse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"time"
)

// Options of a [Run].
type Options struct {
	// Only names scenarios, and Defences defences. None means all.
	Only, Defences []string
	// Quick plays shorter windows with fewer accounts.
	Quick bool
	Seed  uint64
	// Dir is where clients keep their files, whose writing is not measured. Empty
	// means a file system in memory if there is one at /dev/shm, else the directory
	// for temporary files.
	Dir string
	// Progress gets each cell as it comes. Nil for none.
	Progress func(Cell)
}

// Cell is what one scenario came to under one defence.
type Cell struct {
	Scenario *Scenario
	Defence  string
	Budget   Budget
	Hours    float64 // of attack
	// Sweep is what of the budget differs from the scenario's, by its name in results;
	// empty for a cell of the matrix.
	Sweep string
	// Idle is the tally without the attack.
	Attack, Idle Tally
	// Tokens that the attacker spent, octets that it sent, and the work of its proofs.
	Tokens, Octets int
	Work           time.Duration
	// Served are the octets that the services received from the attacker and sent to
	// it.
	Served int
	// Links are pairs of an identifier of a client and a group, queue or pool that the
	// services have seen side by side, as the defence demands the identifier. Kept are
	// the identifiers in the defence's state at the end.
	Links, Kept int
	// Client and Server are processor time, measured: of the attacker's side, and of
	// the services for the attacker's requests.
	Client, Server time.Duration
}

// memory is where Linux has a file system in memory.
const memory = "/dev/shm"

// Control is the name of the defence of control runs.
const Control = "control"

// Run plays scenarios under defences.
func Run(ctx context.Context, o Options) ([]Cell, error) {
	for _, name := range o.Only {
		if !slices.ContainsFunc(Scenarios, func(s Scenario) bool { return s.Name == name }) {
			return nil, fmt.Errorf("abuse: no scenario %q", name)
		}
	}
	for _, name := range o.Defences {
		if !slices.ContainsFunc(Defences, func(k Kind) bool { return k.Name == name }) {
			return nil, fmt.Errorf("abuse: no defence %q", name)
		}
	}
	if info, err := os.Stat(memory); o.Dir == "" && err == nil && info.IsDir() {
		o.Dir = memory
	}
	var out []Cell
	for i := range Scenarios {
		s := &Scenarios[i]
		if len(o.Only) > 0 && !slices.Contains(o.Only, s.Name) {
			continue
		}
		for j := range Defences {
			k := &Defences[j]
			if len(o.Defences) > 0 && !slices.Contains(o.Defences, k.Name) {
				continue
			}
			for _, control := range []bool{true, false} {
				if control && (s.Control == "" || k.Name != cmp.Or(s.ControlUnder, Defences[0].Name)) {
					continue
				}
				if err := o.add(ctx, &out, s, k, o.budget(s), "", control); err != nil {
					return out, err
				}
			}
			if !s.Sweep {
				continue
			}
			for _, v := range o.sweeps(k.Name) {
				if err := o.add(ctx, &out, s, k, v.budget, v.of, false); err != nil {
					return out, err
				}
			}
		}
	}
	return out, nil
}

// add plays a scenario and adds its cell.
func (o *Options) add(ctx context.Context, out *[]Cell, s *Scenario, k *Kind, b Budget, sweep string, control bool) error {
	c, err := o.play(ctx, s, k, b, control)
	if err != nil {
		return fmt.Errorf("abuse: %s under %s: %w", s.Name, k.Name, err)
	}
	c.Sweep = sweep
	*out = append(*out, *c)
	if o.Progress != nil {
		o.Progress(*c)
	}
	return nil
}

// budget is what the attacker has in a cell of the matrix.
func (o *Options) budget(s *Scenario) Budget {
	b := DefaultBudget
	if o.Quick {
		b.Accounts, b.Cores = max(1, s.Accounts), 4*max(1, s.Accounts)
	}
	return b
}

// variant is a budget that differs from the default in one respect.
type variant struct {
	of     string
	budget Budget
}

// sweeps are the budgets by which the sensitivity to the attacker's means is
// measured: addresses where they are limited, accounts where these are.
func (o *Options) sweeps(defence string) (out []variant) {
	addresses, accounts := []int{1, 10, 100}, []int{1, 4, 16}
	if o.Quick {
		addresses, accounts = addresses[:2], accounts[:2]
	}
	switch defence {
	case "address":
		for _, n := range addresses {
			b := DefaultBudget
			b.Addresses = n
			out = append(out, variant{"addresses", b})
		}
	case "identity", "default":
		for _, n := range accounts {
			b := DefaultBudget
			b.Accounts = n
			out = append(out, variant{"accounts", b})
		}
	}
	return out
}

// play plays a scenario with and without the attack.
func (o *Options) play(ctx context.Context, s *Scenario, k *Kind, b Budget, control bool) (*Cell, error) {
	c := &Cell{Scenario: s, Defence: k.Name}
	if control {
		c.Defence = Control
	}
	h := fnv.New64a()
	h.Write([]byte(s.Name))
	for _, attacking := range []bool{false, true} {
		w, err := newWorld(ctx, o.Dir, k, o.Seed^h.Sum64())
		if err != nil {
			return nil, err
		}
		w.Attacking, w.Control, w.Sessions, w.Window = attacking, control, s.sessions(o.Quick), s.window(o.Quick)
		w.Hours = (time.Duration(w.Sessions) * w.Window).Hours()
		w.Budget = b
		if err := errors.Join(w.play(s), w.close()); err != nil {
			return nil, err
		}
		if !attacking {
			c.Idle = w.tally
			continue
		}
		spent := &w.spent[Attacker]
		c.Attack, c.Budget, c.Hours = w.tally, w.Budget, w.Hours
		c.Tokens, c.Octets, c.Work = spent.tokens, spent.octets, spent.work
		c.Served, c.Client, c.Server = spent.octets+spent.received, spent.client, spent.server
		c.Links, c.Kept = len(w.links), w.defence.Kept()
	}
	return c, nil
}

// play plays a scenario. What processes return because time is up is no error.
func (w *World) play(s *Scenario) error {
	if err := s.Play(w.ctx, w); err != nil && !errors.Is(err, errOver) {
		return err
	}
	return nil
}
