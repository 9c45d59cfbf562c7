package postgres

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/storage/move"
)

//go:embed moves
var moveFiles embed.FS

// MoveSchema is what [OpenMove] needs in the database. Open looks into it.
var MoveSchema = Schema{Name: "move", Migrations: moveFiles, Routing: Routing{
	Functions: map[string]Route{"in_move": OnAll("select bool_or(r) from ROWS r")},
	Tables:    map[string]Placement{"store": {Copied: true}, "state": {Copied: true}},
}}

var (
	// ErrMoving: stores are being moved into the database, and no server may use it
	// until that has ended.
	ErrMoving = errors.New("postgres: a move into the database has not ended")
	// ErrUsed: stores cannot be moved into a database that has been used.
	ErrUsed = errors.New("postgres: the database is not empty")
	// ErrRestart: a restart of a move into shards was cut short, and must be repeated.
	ErrRestart = errors.New("postgres: the move was to begin anew on each shard, and has not on all")
	// ErrInUse: somebody else is connected to the database: a server, or who moves
	// stores into it.
	ErrInUse = errors.New("postgres: somebody else is connected to the database")
)

func has(schemas []Schema, s Schema) bool {
	return slices.ContainsFunc(schemas, func(o Schema) bool { return o.Name == s.Name })
}

// checkMove refuses a database into which something is being moved.
func (db *DB) checkMove(ctx context.Context, schemas []Schema) error {
	if !has(schemas, MoveSchema) {
		return nil
	}
	var moving bool
	err := db.Read(ctx, "select move.in_move()", nil, One(&moving))
	if err == nil && moving {
		err = ErrMoving
	}
	return err
}

// Witness is the fence of a store that was moved: with it the process that had the
// store goes on here, and finds when this database, or the store, is put back.
type Witness struct {
	ID     [16]byte
	Number uint64
}

// Move is a move of stores into an empty database, or into the shards of one. Their
// owner carries it out, on one connection to each; while it lasts no server opens the
// database, and after it was cut short neither, until it has ended.
//
// A chunk is a transaction in each shard, which has as well how far that shard is. Cut
// short, one can be ahead of others: the copy goes on where the last one is, and each
// leaves out what it has.
type Move struct {
	targets []*target
	tables  []Table
	spread  *spread // of rows over shards; nil for one database
}

var _ move.Target = (*Move)(nil)

// OpenMove begins a move into the database, or goes on with it. The database must
// have the schemas, [MoveSchema] among them, and nothing in them: else it fails with
// [ErrVersion], [ErrUsed] or [ErrInUse]; and with [ErrConfig] if it is one shard of
// several.
func OpenMove(ctx context.Context, cfg Config, tables []Table, schemas ...Schema) (*Move, error) {
	m := &Move{tables: tables}
	return m.begin(ctx, func() error {
		t, err := connectTarget(ctx, cfg, 0, tables, schemas)
		if err != nil {
			return err
		}
		m.targets = append(m.targets, t)
		p, err := t.place(ctx)
		if err == nil && p != nil && p.count > 1 {
			err = fmt.Errorf("%w: the database is one of %d shards", ErrConfig, p.count)
		}
		return err
	})
}

// OpenShardedMove is as [OpenMove] for the shards that [MigrateShards] set up, all of
// them. Each row goes to its key's shard, and what every shard has, to all. It fails
// with [ErrConfig] if the list is not that of the shards, and with [ErrRoute] if a table
// says of no row where it lies.
func OpenShardedMove(ctx context.Context, s Sharding, tables []Table, schemas ...Schema) (*Move, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	spread, err := newSpread(len(s.Shards), tables, schemas)
	if err != nil {
		return nil, err
	}
	m := &Move{tables: tables, spread: spread}
	return m.begin(ctx, func() error {
		var whole []byte
		for n := range s.Shards {
			t, err := connectTarget(ctx, s.shard(n), n, tables, schemas)
			if err != nil {
				return fmt.Errorf("shard %d: %w", n, err)
			}
			m.targets = append(m.targets, t)
			p, err := t.place(ctx)
			if err == nil && p == nil {
				err = fmt.Errorf("%w: nobody told shard %d which one it is", ErrConfig, n)
			}
			if err != nil {
				return err
			}
			if n == 0 {
				whole = p.whole
			}
			if err := p.check(place{whole, n, len(s.Shards)}); err != nil {
				return err
			}
		}
		return m.spread.look(ctx, m.targets)
	})
}

// begin marks each database before it looks whether a server is connected: one that
// comes later sees the mark.
func (m *Move) begin(ctx context.Context, connect func() error) (_ *Move, err error) {
	var marked []*target
	defer func() {
		if err == nil {
			return
		}
		for _, t := range marked {
			err = errors.Join(err, t.unmark(context.WithoutCancel(ctx)))
		}
		err = errors.Join(err, m.Close())
	}()
	if err := connect(); err != nil {
		return nil, err
	}
	for _, t := range m.targets {
		if !t.begun {
			if err := t.empty(ctx); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range m.targets {
		if t.begun {
			continue
		}
		if err := t.mark(ctx); err != nil {
			return nil, err
		}
		marked = append(marked, t)
	}
	if m.Ended() {
		return m, nil
	}
	for _, t := range m.targets {
		if err := alone(ctx, t.conn, "move"); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Close ends the connections, and not the move.
func (m *Move) Close() (err error) {
	for _, t := range m.targets {
		err = errors.Join(err, t.close())
	}
	return err
}

// Ended reports whether the move has ended, by an earlier [Move.End].
func (m *Move) Ended() bool {
	return !slices.ContainsFunc(m.targets, func(t *target) bool { return !t.ended })
}

// failed makes an error of this package of a server's. Owners see no more of it than
// a server does: rows are users' values.
func failed(err error) error {
	if err == nil || errors.Is(err, ErrUsed) || errors.Is(err, ErrInUse) || errors.Is(err, ErrVersion) {
		return err
	}
	return describe(judge(err, false).kind, err)
}

// all calls f for each database at once.
func (m *Move) all(f func(t *target) error) error {
	if len(m.targets) == 1 {
		return f(m.targets[0])
	}
	errs := make([]error, len(m.targets))
	var calls sync.WaitGroup
	for i, t := range m.targets {
		calls.Go(func() {
			if err := f(t); err != nil {
				errs[i] = fmt.Errorf("shard %d: %w", t.number, err)
			}
		})
	}
	calls.Wait()
	return errors.Join(errs...)
}

// Restart empties the tables of a move that has not ended, to begin it anew. Cut short
// on shards it is to be repeated: see [ErrRestart].
func (m *Move) Restart(ctx context.Context) error {
	if slices.ContainsFunc(m.targets, func(t *target) bool { return t.ended }) {
		return ErrUsed
	}
	if m.spread != nil {
		m.spread.forget()
	}
	return m.all(func(t *target) error { return t.restart(ctx) })
}

// State implements [move.Target]: of shards it is that of the one that is behind. It
// fails with [ErrRestart] and [move.ErrState].
func (m *Move) State(ctx context.Context, store string) ([]byte, error) {
	var least []byte
	var at *move.State
	missing, loaded := false, false
	for _, t := range m.targets {
		b, err := t.state(ctx, store)
		if err != nil {
			return nil, err
		}
		if b == nil {
			missing = true
			continue
		}
		state, err := move.ParseState(b)
		if err != nil {
			return nil, err
		}
		t.loaded[store] = state.Records
		loaded = loaded || state.Records > 0
		if at != nil && !bytes.Equal(at.Source, state.Source) {
			return nil, ErrRestart
		}
		if at == nil || state.Records < at.Records || state.Records == at.Records && !state.Done {
			least, at = b, state
		}
	}
	switch {
	case missing && loaded:
		return nil, ErrRestart
	case missing:
		return nil, nil // or the first state did not get to all
	}
	return least, nil
}

// Load implements [move.Target]. What an error leaves is found by State.
func (m *Move) Load(ctx context.Context, store string, state []byte, rows []move.Row) error {
	s, err := move.ParseState(state)
	if err != nil {
		return err
	}
	parts := make([][]move.Row, len(m.targets))
	for i := range rows {
		r := &rows[i]
		table := find(m.tables, r.Table)
		if table == nil {
			return fmt.Errorf("%w: no table %s", ErrRefused, r.Table)
		}
		if m.spread == nil {
			continue
		}
		n, err := m.spread.place(table, r.Values)
		if err != nil {
			return err
		}
		for shard := range parts {
			if n == everywhere || n == shard {
				parts[shard] = append(parts[shard], *r)
			}
		}
	}
	if m.spread == nil {
		parts[0] = rows
	}
	return m.all(func(t *target) error { return t.load(ctx, store, state, s.Records, parts[t.number]) })
}

// Digest implements [move.Target]. Of shards it is that of their rows together, each in
// the shard in which servers look for it, and of rows that all have, that of one.
func (m *Move) Digest(ctx context.Context, name string) (sum move.Digest, err error) {
	table := find(m.tables, name)
	if table == nil {
		return sum, fmt.Errorf("%w: no table %s", ErrRefused, name)
	}
	each := make([]move.Digest, len(m.targets))
	err = m.all(func(t *target) error {
		return t.each(ctx, table, func(values []any) error {
			if m.spread != nil {
				n, err := m.spread.place(table, values)
				if err != nil {
					return err
				}
				if n != everywhere && n != t.number {
					return fmt.Errorf("%w: %s has rows of another shard", move.ErrDiffers, name)
				}
			}
			return each[t.number].Add(values)
		})
	})
	if err != nil {
		return sum, err
	}
	for n, d := range each {
		switch {
		case n == 0 || m.spread.everywhere(table) && d == sum:
			sum = d
		case m.spread.everywhere(table):
			return sum, fmt.Errorf("%w: %s is not the same on all shards", move.ErrDiffers, name)
		default:
			sum.Join(d)
		}
	}
	return sum, nil
}

// End gives the database to servers. If it has [FenceSchema], the fences of what
// was moved are witnesses of it from now on, on every shard, and restores is how often
// it counts as replaced by an older copy. It is to be repeated if it was cut short.
func (m *Move) End(ctx context.Context, restores uint32, witnesses ...Witness) error {
	return m.all(func(t *target) error {
		switch {
		case t.ended:
			return nil
		case t.number > 0: // what the shards count is added up
			return t.end(ctx, 0, witnesses)
		}
		return t.end(ctx, restores, witnesses)
	})
}
