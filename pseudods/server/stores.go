package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/badger/queues"
	"github.com/pseudods/pseudods/storage/badger/reports"
)

// Store is one of the databases of a server.
type Store struct {
	Role   Role
	Name   string
	Dir    string
	Fence  string
	Format badger.Format
	// Check is the driver's: it goes over the store and needs no key.
	Check func(context.Context, *badger.DB, func(badger.Finding)) (badger.Summary, error)
}

// Stores lists the stores of the configured roles, without those in databases,
// which have tools of their own.
func (c Config) Stores() ([]Store, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	var out []Store
	for _, role := range c.Roles {
		switch role {
		case DS:
			if !c.DS.Database.Used() {
				out = append(out,
					c.DS.store(DS, c.DS.Dir, groupsDir, groups.Format, groups.Check),
					c.DS.store(DS, c.DS.Dir, spentDir, ledger.Format, ledger.Check))
			}
			if c.moderates() && !c.Moderation.Database.Used() {
				out = append(out, c.Moderation.store(Moderation, c.Moderation.Dir, reportsDir, reports.Format, reports.Check))
			}
		case QS:
			if c.QS.Database.Used() {
				continue
			}
			out = append(out,
				c.QS.store(QS, c.QS.Dir, queuesDir, queues.Format, queues.Check),
				c.QS.store(QS, c.QS.Dir, spentDir, ledger.Format, ledger.Check))
		case Issuer:
			if c.Issuer.Database.Used() {
				continue
			}
			fence := c.Issuer.Fence
			if fence == "" {
				fence = filepath.Join(c.Issuer.Dir, host.FenceFile)
			}
			out = append(out, Store{Issuer, host.AllowancesDir, filepath.Join(c.Issuer.Dir, host.AllowancesDir), fence, allowances.Format, allowances.Check})
		}
	}
	return out, nil
}

func (p *Private) store(r Role, dir, name string, f badger.Format, check func(context.Context, *badger.DB, func(badger.Finding)) (badger.Summary, error)) Store {
	return Store{r, name, filepath.Join(dir, name), p.fence(name), f, check}
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
	db, err := badger.Open(badger.Config{Dir: s.Dir, Format: s.Format, Fence: s.Fence, ReadOnly: true})
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
