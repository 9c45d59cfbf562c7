package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
)

// Migration says how the stores of roles get from the embedded engine into their
// databases. Config.AcceptRestored holds for it too.
type Migration struct {
	// Owners are the logins of the databases' owners, and Shards the lists of their
	// shards for those that are sharded. The roles of both are moved.
	Owners map[Role]postgres.Settings
	Shards map[Role]postgres.Sharding
	// Restart begins anew what was begun and has not ended.
	Restart bool
	// Copy is how. Its Progress is not used.
	Copy move.Config
	// Progress is told how far a store is.
	Progress func(*Store, move.Progress)
	// Report is told what is wrong with a store, which then is not moved.
	Report func(*Store, badger.Finding)

	// madeUp are stores whose records are made up and cannot pass a check, for tests.
	madeUp []string
}

var (
	// ErrDamaged: the check of the store has findings.
	ErrDamaged = errors.New("server: the store does not pass its check")
	// ErrOtherDatabase: owner and server do not sign in at the same database.
	ErrOtherDatabase = errors.New("server: the owner's database is not the one of the configuration")
	// ErrOwners: a role has both, an owner of its database and a list of shards.
	ErrOwners = errors.New("server: a role's database is sharded or it is not")
)

// Moved is a store that is in its role's database now.
type Moved struct {
	Role  Role
	Store string
	State *move.State
}

// Migrate moves the stores of roles into the databases that the configuration
// names, or goes on with it. No server may run. Once it has returned, servers start
// with the databases, and not with the stores.
//
// A role's stores are copied and compared, one after the other; then they are marked
// as moved; then the database is given to servers. A crash leaves one of these steps
// undone, and at each moment at most one of both sides can be served from.
func (c Config) Migrate(ctx context.Context, m Migration) (all []Moved, err error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	roles := slices.Concat(slices.Collect(maps.Keys(m.Owners)), slices.Collect(maps.Keys(m.Shards)))
	for i, role := range roles {
		if slices.Contains(roles[:i], role) {
			return nil, fmt.Errorf("%s: %w", role, ErrOwners)
		}
		settings := c.databases()[role]
		if settings == nil || !c.has(role) || !settings.Used() {
			return nil, fmt.Errorf("server: role %q has no database in the configuration", role)
		}
	}
	for _, role := range append([]Role{Moderation}, Roles...) {
		if !slices.Contains(roles, role) {
			continue
		}
		moved, err := c.migrate(ctx, role, &m)
		if err != nil {
			return all, fmt.Errorf("%s: %w", role, err)
		}
		all = append(all, moved...)
	}
	return all, nil
}

// sources are the open stores of a role that is migrated.
type sources struct {
	stores    []Store
	open      []*badger.DB
	positions []badger.Position
	restores  uint32 // the most that any of them counts
}

func (s *sources) close() (err error) {
	for _, db := range s.open {
		err = errors.Join(err, db.Close())
	}
	return err
}

// moved reports whether any of them is marked as moved.
func (s *sources) moved() bool {
	for _, p := range s.positions {
		if p.Moved {
			return true
		}
	}
	return false
}

// openSources opens the stores as a server does, so that what an older copy
// cannot judge is closed before it is copied.
func (c *Config) openSources(ctx context.Context, role Role) (s *sources, err error) {
	s = new(sources)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, store := range c.embedded(role) {
		if _, err := os.Stat(store.Dir); errors.Is(err, os.ErrNotExist) {
			return s, fmt.Errorf("%w: %s", ErrNoStore, store.Dir)
		}
		db, err := store.openToMove(c.MinFree, badger.LookAtMoved)
		if err != nil {
			return s, err
		}
		s.stores, s.open = append(s.stores, store), append(s.open, db)
		p, err := db.Position(ctx)
		if err != nil {
			return s, err
		}
		s.positions, s.restores = append(s.positions, p), max(s.restores, db.Restores())
		if store.Name == queuesDir {
			own, err := queues.Restored(db)
			if err != nil {
				return s, err
			}
			s.restores = max(s.restores, own)
		}
	}
	return s, nil
}

func (s *Store) openToMove(minFree uint64, moved badger.Moved) (*badger.DB, error) {
	cfg, err := s.config(minFree)
	if err != nil {
		return nil, err
	}
	cfg.Moved = moved
	db, err := badger.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Dir, err)
	}
	return db, nil
}

// open begins the move into a role's database, or goes on with it.
func (m *Migration) open(ctx context.Context, role Role, stores []Store) (*postgres.Move, error) {
	tables := []postgres.Table{}
	for _, s := range stores {
		tables = append(tables, s.tables...)
	}
	if shards, ok := m.Shards[role]; ok {
		return postgres.OpenShardedMove(ctx, shards, tables, Schemas(role)...)
	}
	owner := m.Owners[role]
	cfg, err := owner.Config()
	if err != nil {
		return nil, err
	}
	return postgres.OpenMove(ctx, cfg, tables, Schemas(role)...)
}

func (c *Config) migrate(ctx context.Context, role Role, m *Migration) (_ []Moved, err error) {
	settings := c.databases()[role]
	if err := CheckDatabase(role, *settings); err != nil && !errors.Is(err, postgres.ErrMoving) {
		return nil, err
	}
	from, err := c.openSources(ctx, role)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	to, err := m.open(ctx, role, from.stores)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if to.Ended() {
		return from.states(ctx, to)
	}
	if err := CheckDatabase(role, *settings); !errors.Is(err, postgres.ErrMoving) {
		return nil, errors.Join(ErrOtherDatabase, err)
	}
	if m.Restart {
		if from.moved() {
			return nil, badger.ErrMoved
		}
		if err := to.Restart(ctx); err != nil {
			return nil, err
		}
	}
	var all []Moved
	for i := range from.stores {
		state, err := from.copy(ctx, i, to, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from.stores[i].Name, err)
		}
		all = append(all, Moved{role, from.stores[i].Name, state})
	}
	return all, from.hand(ctx, to)
}

// copy copies and compares one store.
func (s *sources) copy(ctx context.Context, i int, to *postgres.Move, m *Migration) (*move.State, error) {
	store, db, p := &s.stores[i], s.open[i], &s.positions[i]
	known, err := to.State(ctx, store.Name)
	if err != nil {
		return nil, err
	}
	if p.Moved {
		if state, err := move.ParseState(known); err != nil || !state.Done {
			return nil, badger.ErrMoved
		}
	}
	if known == nil && !slices.Contains(m.madeUp, store.Name) {
		summary, err := store.Check(ctx, db, func(f badger.Finding) {
			if m.Report != nil {
				m.Report(store, f)
			}
		})
		if err != nil {
			return nil, err
		}
		if summary.Findings > 0 {
			return nil, ErrDamaged
		}
	}
	source, err := store.export(db, s.restores)
	if err != nil {
		return nil, err
	}
	cfg := m.Copy
	cfg.Progress = func(p move.Progress) {
		if m.Progress != nil {
			m.Progress(store, p)
		}
	}
	names := make([]string, len(store.tables))
	for n, t := range store.tables {
		names[n] = t.Name
	}
	return move.Copy(ctx, to, &move.Store{Name: store.Name, Tables: names, Source: source, State: p.Marshal()}, cfg)
}

// hand marks the stores as moved and then gives the database to servers. The fence
// by which the database is known is the one that the embedded store had: the token
// ledger's, or the issuer's.
func (s *sources) hand(ctx context.Context, to *postgres.Move) error {
	for _, db := range s.open {
		if err := db.Move(ctx); err != nil {
			return err
		}
	}
	last := len(s.open) - 1
	p, err := s.open[last].Position(ctx)
	if err != nil {
		return err
	}
	return to.End(ctx, s.restores, postgres.Witness{ID: p.Fence, Number: p.Number})
}

// states are those of a migration that has ended before.
func (s *sources) states(ctx context.Context, to *postgres.Move) (all []Moved, err error) {
	for i, store := range s.stores {
		b, err := to.State(ctx, store.Name)
		if err != nil {
			return nil, err
		}
		state, err := move.ParseState(b)
		if err != nil || !s.positions[i].Moved || string(state.Source) != string(s.positions[i].Marshal()) {
			return nil, postgres.ErrUsed
		}
		all = append(all, Moved{store.Role, store.Name, state})
	}
	return all, nil
}

// Reopen takes stores that were moved into use again, as the older copies that
// they are: token keys that were open are closed, KeyPackages are not handed out, and
// the issuer's allowances need AcceptRestored. It is for the roles that have no
// database in the configuration, and returns the names of the stores.
func (c Config) Reopen(ctx context.Context) (names []string, err error) {
	stores, err := c.Stores()
	if err != nil {
		return nil, err
	}
	for _, s := range stores {
		if _, err := os.Stat(s.Dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		db, err := s.openToMove(c.MinFree, badger.ReopenMoved)
		if err != nil {
			return names, err
		}
		if err := db.Close(); err != nil {
			return names, err
		}
		names = append(names, fmt.Sprintf("%s %s", s.Role, s.Name))
	}
	return names, nil
}
