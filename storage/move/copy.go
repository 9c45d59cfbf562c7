package move

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
)

// Source is a store that nobody writes to.
type Source interface {
	// Each calls f with each record that follows the one that after names (nil: with
	// all), always in the same order: what names it, which is f's until it returns, and
	// the rows that it becomes, which may be none. It ends with the error of f.
	Each(ctx context.Context, after []byte, f func(record []byte, rows []Row) error) error
	// Count returns how many records Each has in all, found in another way.
	Count(ctx context.Context) (uint64, error)
}

// Target is what rows are copied into.
type Target interface {
	// State returns what was kept of a store last, or nil.
	State(ctx context.Context, store string) ([]byte, error)
	// Load adds rows and keeps a state in place of the one before: both or nothing. A
	// target of several parts may have done so in some of them after an error; its State
	// is that of the part that is behind then, and Load leaves out of each part the rows
	// of those records ([Row.Record]) that it has.
	Load(ctx context.Context, store string, state []byte, rows []Row) error
	// Digest goes over a table.
	Digest(ctx context.Context, table string) (Digest, error)
}

// Store is what is copied.
type Store struct {
	Name   string
	Tables []string // that its rows go to
	Source Source
	// State names the state of the source, for [State.Source].
	State []byte
}

// Config says how. The zero value is good.
type Config struct {
	// ChunkRows and ChunkOctets bound a chunk. Default 16,384 and 4 MiB; a record
	// is never cut.
	ChunkRows, ChunkOctets int
	// Progress is told after each chunk and each table that was compared.
	Progress func(Progress)
	// Fault, if set, is asked before each [Step]; an error is treated as the end
	// of the process at that point. It is called from two goroutines. For tests.
	Fault func(Step) error
}

// Progress is how far a store is.
type Progress struct {
	Store string
	// Records of Total were copied.
	Records, Total uint64
	// Rows and Octets were loaded since this process began with the store.
	Rows, Octets uint64
	// Table is being compared; empty while records are copied.
	Table string
}

// Step is a moment of a copy, see [Config.Fault].
type Step string

// The steps.
const (
	StepBegin   Step = "begin"   // of a store
	StepRead    Step = "read"    // of a record
	StepLoad    Step = "load"    // of a chunk
	StepLoaded  Step = "loaded"  // the chunk is in the target
	StepCompare Step = "compare" // of a table
	StepDone    Step = "done"    // before the store is noted as compared
)

func (c Config) fault(s Step) error {
	if c.Fault == nil {
		return nil
	}
	return c.Fault(s)
}

func (c Config) tell(p Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}

// chunk is some rows with the state that holds when they are loaded.
type chunk struct {
	state  State
	rows   []Row
	octets int
}

// Copy copies a store into a target and compares both, or goes on with that. It
// may be repeated when it has ended. It fails with [ErrSource], [ErrDiffers] and the
// errors of both sides.
func Copy(ctx context.Context, t Target, s *Store, cfg Config) (*State, error) {
	if cfg.ChunkRows == 0 {
		cfg.ChunkRows = 16384
	}
	if cfg.ChunkOctets == 0 {
		cfg.ChunkOctets = 4 << 20
	}
	state, err := begin(ctx, t, s, cfg)
	if err != nil || state.Done {
		return state, err
	}
	if err := load(ctx, t, s, state, cfg); err != nil {
		return nil, err
	}
	if err := compare(ctx, t, s, state, cfg); err != nil {
		return nil, err
	}
	state.Done = true
	if err := cfg.fault(StepDone); err != nil {
		return nil, err
	}
	return state, keep(ctx, t, s, state, nil)
}

func keep(ctx context.Context, t Target, s *Store, state *State, rows []Row) error {
	b, err := state.marshal()
	if err != nil {
		return err
	}
	return t.Load(ctx, s.Name, b, rows)
}

// begin returns the state from which the copy goes on.
func begin(ctx context.Context, t Target, s *Store, cfg Config) (*State, error) {
	if err := cfg.fault(StepBegin); err != nil {
		return nil, err
	}
	b, err := t.State(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	if b != nil {
		state, err := ParseState(b)
		if err == nil && !bytes.Equal(state.Source, s.State) {
			err = fmt.Errorf("%w: %s", ErrSource, s.Name)
		}
		return state, err
	}
	state := &State{Source: s.State, Tables: map[string]Digest{}}
	if state.Total, err = s.Source.Count(ctx); err != nil {
		return nil, err
	}
	return state, keep(ctx, t, s, state, nil)
}

// load copies what follows the state, reading one chunk while the one before is
// being loaded.
func load(ctx context.Context, t Target, s *Store, state *State, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan *chunk)
	read := make(chan error, 1)
	go func() {
		defer close(chunks)
		read <- s.read(ctx, *state, cfg, chunks)
	}()
	var failed error
	p := Progress{Store: s.Name, Records: state.Records, Total: state.Total}
	cfg.tell(p)
	for c := range chunks {
		if failed != nil {
			continue
		}
		failed = cfg.fault(StepLoad)
		if failed == nil {
			failed = keep(ctx, t, s, &c.state, c.rows)
		}
		if failed == nil {
			failed = cfg.fault(StepLoaded)
		}
		if failed != nil {
			cancel()
			continue
		}
		*state = c.state
		p.Records, p.Rows, p.Octets = state.Records, p.Rows+uint64(len(c.rows)), p.Octets+uint64(c.octets)
		cfg.tell(p)
	}
	cancel()
	if err := <-read; failed == nil {
		failed = err
	}
	if failed == nil && state.Records != state.Total {
		failed = fmt.Errorf("%w: %s: %d records were read of %d", ErrDiffers, s.Name, state.Records, state.Total)
	}
	return failed
}

// read makes chunks of what follows a state.
func (s *Store) read(ctx context.Context, state State, cfg Config, to chan<- *chunk) error {
	tables := maps.Clone(state.Tables)
	var rows []Row
	octets := 0
	send := func() error {
		c := &chunk{state, rows, octets}
		c.state.Tables = maps.Clone(tables)
		rows, octets = nil, 0
		select {
		case to <- c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := s.Source.Each(ctx, state.After, func(record []byte, more []Row) error {
		if err := cfg.fault(StepRead); err != nil {
			return err
		}
		for i := range more {
			r := &more[i]
			if !slices.Contains(s.Tables, r.Table) {
				return fmt.Errorf("%w: no table %s", ErrDiffers, r.Table)
			}
			d := tables[r.Table]
			if err := d.Add(r.Values); err != nil {
				return err
			}
			tables[r.Table] = d
			r.Record = state.Records + 1
			octets += r.octets()
		}
		rows = append(rows, more...)
		state.Records++
		state.After = bytes.Clone(record)
		if state.Records > state.Total {
			return fmt.Errorf("%w: %s: more records than %d", ErrDiffers, s.Name, state.Total)
		}
		if len(rows) < cfg.ChunkRows && octets < cfg.ChunkOctets {
			return nil
		}
		return send()
	})
	if err == nil && state.After != nil {
		err = send() // also without rows: the last records may have had none
	}
	return err
}

// compare reads the target's tables again.
func compare(ctx context.Context, t Target, s *Store, state *State, cfg Config) error {
	for _, table := range s.Tables {
		if err := cfg.fault(StepCompare); err != nil {
			return err
		}
		cfg.tell(Progress{Store: s.Name, Records: state.Records, Total: state.Total, Table: table})
		got, err := t.Digest(ctx, table)
		if err != nil {
			return err
		}
		if want := state.Tables[table]; got != want {
			return fmt.Errorf("%w: %s has %d rows, and %d were loaded", ErrDiffers, table, got.Rows, want.Rows)
		}
	}
	return nil
}
