package host

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
	"github.com/pseudods/pseudods/storage/postgres"
	database "github.com/pseudods/pseudods/storage/postgres/allowances"
)

// Schemas are what an issuer's database has.
var Schemas = []postgres.Schema{postgres.MoveSchema, postgres.FenceSchema, database.Schema}

// Checks are what an issuer's database cannot have unless it is damaged.
var Checks = database.Checks

// store is the open store of allowances, whatever its engine.
type store interface {
	attester.Store
	io.Closer
	// ready says what keeps the store from taking writes.
	ready() error
}

// openStore opens the store behind its fence. Unless that is accepted, a store that
// is older than the fence is refused: accounts could get again what they got since
// the copy was made.
func openStore(c *Config, o Options) (store, error) {
	fence := c.Fence
	if fence == "" {
		fence = o.Data.Path(FenceFile)
	}
	if c.Database.Used() {
		return openDatabase(&c.Database, fence, o.AcceptRestored)
	}
	config := badger.Config{Dir: o.Data.Path(AllowancesDir), Format: allowances.Format, Key: o.StorageKey, Fence: fence, MinFree: o.MinFree}
	if o.AcceptRestored {
		config.OnRollback = func(*badger.Tx, []byte) error { return nil }
	}
	db, err := badger.Open(config)
	if err != nil {
		return nil, err
	}
	return &embedded{allowances.New(db), db}, nil
}

// embedded is a store of the embedded engine.
type embedded struct {
	attester.Store
	*badger.DB
}

func (e *embedded) ready() error {
	switch stats := e.Stats(); {
	case stats.Failed:
		return badger.ErrFailed
	case stats.WritesOff:
		return badger.ErrNoSpace
	}
	return nil
}

// Backup writes a backup of the allowances: see badger.DB.Backup. Those in a
// database are backed up with its own tools: then it fails with
// errors.ErrUnsupported.
func (h *Host) Backup(ctx context.Context, w io.Writer, base *backup.Backup) (*backup.Backup, error) {
	if e, ok := h.store.(*embedded); ok {
		return e.DB.Backup(ctx, w, base)
	}
	return nil, errors.ErrUnsupported
}

// readyTimeout is how long a database may take to say that it is there.
const readyTimeout = 2 * time.Second

// shared is a store in a database.
type shared struct {
	attester.Store
	db    *postgres.DB
	fence *postgres.Fence
}

func openDatabase(s *postgres.Settings, fence string, acceptRestored bool) (*shared, error) {
	cfg, err := s.Config()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	db, err := postgres.Open(ctx, cfg, Schemas...)
	if err != nil {
		return nil, err
	}
	config := postgres.FenceConfig{Path: fence, Join: s.Join}
	if acceptRestored {
		config.OnRollback = func(context.Context, int, []byte, bool) error { return nil }
	}
	f, err := postgres.OpenFence(ctx, db, config)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &shared{database.New(db), db, f}, nil
}

func (s *shared) ready() error {
	if s.fence.Failed() {
		return postgres.ErrRolledBack
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	return s.db.Ping(ctx)
}

// Close implements [io.Closer].
func (s *shared) Close() error { return errors.Join(s.fence.Close(), s.db.Close()) }
