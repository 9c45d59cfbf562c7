package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	shared "github.com/pseudods/pseudods/storage/postgres/groups"
)

// What a delivery service's directories hold, beside what a redeemer has there.
const (
	groupsDir = "groups"
	nodeFile  = "node.secret" // ds.Config.Key
)

// delivery is the delivery service of a server with its stores.
type delivery struct {
	service    *ds.Service
	dispatcher *ds.Dispatcher
	store      ds.Store
	backend
	redeemer *redeemer
	keys     []*mls.SignatureKey // newest first
	log      *slog.Logger
}

// openPlace makes the directories of a role.
func openPlace(p *Place, private *Private) (dir, keys, fences daemon.Dir, err error) {
	if dir, err = daemon.OpenDir(p.Dir); err == nil {
		if keys, err = daemon.OpenDir(private.Keys); err == nil {
			fences, err = daemon.OpenDir(private.Fences)
		}
	}
	return dir, keys, fences, err
}

// openDelivery opens the delivery service. to gets the keys by which deliveries
// are signed. reports may be nil.
func openDelivery(c *Config, hc *http.Client, log *slog.Logger, m *metrics, reports ds.Reports, to func([]*mls.SignatureKey) ds.Deliverer) (d *delivery, err error) {
	d = &delivery{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("ds: %w", err), d.close())
		}
	}()
	dir, secrets, fences, err := openPlace(&c.DS.Place, &c.DS.Private)
	if err != nil {
		return d, err
	}
	node, err := secrets.Secret(nodeFile)
	if err != nil {
		return d, err
	}
	if d.keys, err = signers(secrets); err != nil {
		return d, err
	}
	restored, err := d.openStore(c, dir)
	if err != nil {
		return d, err
	}
	if d.redeemer, err = c.openRedeemer(DS, &d.backend, &c.DS.Private, dir, secrets, fences, hc, log); err != nil {
		return d, err
	}
	restored = max(restored, uint16(d.redeemer.restores))
	profiles, err := c.DS.profiles()
	if err != nil {
		return d, err
	}
	desk := ds.NewDesk(d.redeemer.till, d.redeemer.ledger)
	desk.SetLook(d.redeemer.look)
	d.redeemer.use = desk.SetTill
	d.service, err = ds.New(ds.Config{
		Domain: c.Domain, Store: d.store, Key: node, Payments: desk, Restored: restored, Signers: d.keys, Reports: reports, MaxRequest: int(c.DS.maxRequest()),
		Profiles: profiles, Retain: c.DS.Retain, IdleDays: c.DS.IdleDays, ReportDays: c.DS.ReportDays,
		MaxMembers: c.DS.MaxMembers, MaxMessage: c.DS.MaxMessage, PerGroup: c.DS.PerGroup.limit(), PerLeaf: c.DS.PerLeaf.limit(),
		Wake: func(refs []ds.Ref) { d.dispatcher.Wake(refs) },
	})
	if err != nil {
		return d, err
	}
	d.dispatcher = ds.NewDispatcher(d.service, to(d.keys), ds.DispatcherConfig{Workers: c.DS.Workers, Report: m.outcomes})
	return d, nil
}

// openStore opens the groups where the role's stores are, and says how often an
// embedded one was restored from an older copy.
func (d *delivery) openStore(c *Config, dir daemon.Dir) (restored uint16, err error) {
	if c.DS.Database.Used() {
		if d.database, err = openDatabase(DS, &c.DS.Database); err == nil {
			d.store = shared.New(d.database)
		}
		return 0, err
	}
	storageKey, err := readStorageKey(c.StorageKey)
	if err != nil {
		return 0, err
	}
	d.embedded, err = badger.Open(badger.Config{Dir: dir.Path(groupsDir), Format: groups.Format, Key: storageKey, Fence: c.DS.fence(groupsDir),
		OnRollback: groups.OnRollback, MinFree: c.MinFree})
	if err != nil {
		return 0, err
	}
	store := groups.New(d.embedded)
	d.store = store
	return store.Restored(), nil
}

func (r Rate) limit() ds.Limit { return ds.Limit{Every: time.Duration(r.Every), Burst: r.Burst} }

// run dispatches messages until ctx is done.
func (d *delivery) run(ctx context.Context) error {
	err := d.dispatcher.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("ds: dispatcher: %w", err)
}

// flush waits until no message is on its way, or ctx is done.
func (d *delivery) flush(ctx context.Context) {
	for range ticks(ctx, 10*time.Millisecond) {
		if waiting, err := d.store.Waiting(ctx, ds.Ref{}, 1); err != nil || len(waiting) == 0 {
			return
		}
	}
}

func (d *delivery) ready() error {
	return errors.Join(d.backend.ready("groups"), d.redeemer.ready())
}

// health says what keeps a store from taking writes.
func health(name string, s badger.Stats) error {
	switch {
	case s.Failed:
		return fmt.Errorf("%s: %w", name, badger.ErrFailed)
	case s.WritesOff:
		return fmt.Errorf("%s: %w", name, badger.ErrNoSpace)
	}
	return nil
}

func (d *delivery) close() (err error) {
	if d.redeemer != nil {
		err = d.redeemer.ledger.Close()
	}
	return errors.Join(err, d.backend.close())
}

// published returns the public keys for the provider document.
func published(keys []*mls.SignatureKey) (out [][]byte) {
	for _, k := range keys {
		out = append(out, k.Public())
	}
	return out
}
