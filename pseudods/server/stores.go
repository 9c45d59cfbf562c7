package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/badger/reports"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
	databaseallowances "github.com/pseudods/pseudods/storage/postgres/allowances"
	databasegroups "github.com/pseudods/pseudods/storage/postgres/groups"
	databaseledger "github.com/pseudods/pseudods/storage/postgres/ledger"
	databasequeues "github.com/pseudods/pseudods/storage/postgres/queues"
	databasereports "github.com/pseudods/pseudods/storage/postgres/reports"
)

// Store is one of the databases of a server.
type Store struct {
	Role   Role
	Name   string
	Dir    string
	Fence  string
	Format badger.Format
	// Key is a file, see Config.StorageKey.
	Key string
	// Check is the driver's: it goes over the store and needs no key.
	Check func(context.Context, *badger.DB, func(badger.Finding)) (badger.Summary, error)

	// Upgrades are the steps from older versions of the format.
	Upgrades badger.Upgrades

	// rollback closes what an older copy cannot judge, export is for a migration, and
	// tables are what that fills: see Config.Migrate.
	rollback func(*badger.Tx, []byte) error
	export   func(db *badger.DB, restored uint32) (move.Source, error)
	tables   []postgres.Table
}

// Stores lists the stores of the configured roles, without those in databases,
// which have tools of their own.
func (c Config) Stores() ([]Store, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	var out []Store
	databases := c.databases()
	for _, role := range c.Roles {
		if !databases[role].Used() {
			out = append(out, c.embedded(role)...)
		}
		if role == DS && c.moderates() && !databases[Moderation].Used() {
			out = append(out, c.embedded(Moderation)...)
		}
	}
	return out, nil
}

// readStorageKey reads the key of embedded stores; the zero secret, if no file is
// named, stands for stores in clear.
func readStorageKey(file string) (secret.Bytes, error) {
	if file == "" {
		return secret.Bytes{}, nil
	}
	key, err := daemon.Dir(filepath.Dir(file)).ReadSecret(filepath.Base(file))
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("storage_key: %w", err)
	}
	return key, nil
}

// embedded lists the stores that a role has, or would have, in the embedded
// engine. The one by which its database is known is the last.
func (c *Config) embedded(role Role) (out []Store) {
	switch role {
	case DS:
		s := c.DS.store(DS, c.DS.Dir, groupsDir)
		s.Format, s.Check, s.rollback, s.tables = groups.Format, groups.Check, groups.OnRollback, databasegroups.Tables
		s.export = func(db *badger.DB, _ uint32) (move.Source, error) { return groups.Export(db), nil }
		out = append(out, s, c.DS.spent(DS, c.DS.Dir))
	case Moderation:
		s := c.Moderation.store(Moderation, c.Moderation.Dir, reportsDir)
		s.Format, s.Check, s.rollback, s.tables = reports.Format, reports.Check, reports.OnRollback, databasereports.Tables
		s.export = func(db *badger.DB, _ uint32) (move.Source, error) { return reports.Export(db), nil }
		out = append(out, s)
	case QS:
		s := c.QS.store(QS, c.QS.Dir, queuesDir)
		s.Format, s.Check, s.rollback, s.tables = queues.Format, queues.Check, queues.OnRollback, databasequeues.Tables
		s.export, s.Upgrades = queues.Export, queues.Upgrades
		out = append(out, s, c.QS.spent(QS, c.QS.Dir))
	case Issuer:
		s := Store{Role: Issuer, Name: host.AllowancesDir, Dir: filepath.Join(c.Issuer.Dir, host.AllowancesDir), Fence: c.Issuer.Fence}
		if s.Fence == "" {
			s.Fence = filepath.Join(c.Issuer.Dir, host.FenceFile)
		}
		s.Format, s.Check, s.tables = allowances.Format, allowances.Check, databaseallowances.Tables
		s.export = func(db *badger.DB, _ uint32) (move.Source, error) { return allowances.Export(db), nil }
		if c.AcceptRestored {
			s.rollback = func(*badger.Tx, []byte) error { return nil }
		}
		out = append(out, s)
	}
	for i := range out {
		out[i].Key = c.StorageKey
	}
	return out
}

func (p *Private) store(r Role, dir, name string) Store {
	return Store{Role: r, Name: name, Dir: filepath.Join(dir, name), Fence: p.fence(name)}
}

// spent is a role's ledger.
func (p *Private) spent(r Role, dir string) Store {
	s := p.store(r, dir, spentDir)
	s.Format, s.Check, s.rollback, s.tables = ledger.Format, ledger.Check, ledger.OnRollback, databaseledger.Tables
	s.export = func(db *badger.DB, _ uint32) (move.Source, error) { return ledger.Export(db), nil }
	return s
}

// fence is where the fence of a store is.
func (p *Private) fence(store string) string { return filepath.Join(p.Fences, store+".fence") }

// NeedsFence reports whether the store is of no use without its fence: a ledger
// must know whether it is an old one.
func (s *Store) NeedsFence() bool { return s.Name == spentDir }

// DataDir returns the data directory, which it makes if it is absent.
func (c Config) DataDir() (daemon.Dir, error) {
	if err := c.complete(); err != nil {
		return "", err
	}
	return daemon.OpenDir(c.Data)
}

// ErrNoStore: the store is not there.
var ErrNoStore = errors.New("server: no such store")

// open opens the store for reading alone. No server may be using it. It fails with
// ErrNoStore.
func (s *Store) open() (*badger.DB, error) {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoStore, s.Dir)
	}
	key, err := readStorageKey(s.Key)
	if err != nil {
		return nil, err
	}
	db, err := badger.Open(badger.Config{Dir: s.Dir, Format: s.Format, Key: key, Fence: s.Fence, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Dir, err)
	}
	return db, nil
}

// Inspect checks the store, which no server may be using. It fails with
// ErrNoStore.
func (s *Store) Inspect(ctx context.Context, report func(badger.Finding)) (badger.Summary, error) {
	db, err := s.open()
	if err != nil {
		return badger.Summary{}, err
	}
	summary, err := s.Check(ctx, db, report)
	return summary, errors.Join(err, db.Close())
}

// config is what a tool opens the store with that writes to it.
func (s *Store) config(minFree uint64) (badger.Config, error) {
	key, err := readStorageKey(s.Key)
	return badger.Config{Dir: s.Dir, Format: s.Format, Key: key, Fence: s.Fence, OnRollback: s.rollback,
		NeedsFence: s.NeedsFence(), MinFree: minFree}, err
}

// Upgrade brings the store, which no server may be using, to this program's version
// of its format, and returns which one it had. Writes are off below so many octets of
// free space, where 0 stands for the default. After an error it is to be repeated. It
// fails with ErrNoStore.
func (s *Store) Upgrade(ctx context.Context, minFree uint64) (from uint32, err error) {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %s", ErrNoStore, s.Dir)
	}
	cfg, err := s.config(minFree)
	if err == nil {
		from, err = badger.Upgrade(ctx, cfg, s.Upgrades)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Dir, err)
	}
	return from, err
}
