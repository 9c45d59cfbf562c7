package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/queues"
	shared "github.com/pseudods/pseudods/storage/postgres/queues"
)

const (
	queuesDir    = "queues"
	addressesDir = "addresses" // in the keys directory: see addresskeys
	// maintainEvery is how often what has expired is forgotten.
	maintainEvery = time.Hour
	maxAhead      = 5 * time.Minute // of a request's expiry
)

// queueing is the queue service of a server with its stores.
type queueing struct {
	service *qs.Service
	handler *queueService
	backend
	redeemer *redeemer
	push     *gateway // nil for none
	ring     *addresskeys.Ring
	// addresses is the directory of the ring.
	addresses string
	log       *slog.Logger
}

func openQueueing(c *Config, hc *http.Client, log *slog.Logger, m *metrics, peers map[string]*peer) (q *queueing, err error) {
	q = &queueing{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("qs: %w", err), q.close())
		}
	}()
	dir, secrets, fences, err := openPlace(&c.QS.Place, &c.QS.Private)
	if err != nil {
		return q, err
	}
	q.addresses = secrets.Path(addressesDir)
	if q.ring, err = addresskeys.Open(addresskeys.Config{Dir: q.addresses}, time.Now()); err != nil {
		return q, err
	}
	store, err := q.openStore(c, dir)
	if err != nil {
		return q, err
	}
	if q.redeemer, err = c.openRedeemer(QS, &q.backend, &c.QS.Private, dir, secrets, fences, hc, log); err != nil {
		return q, err
	}
	if s, ok := store.(*shared.Store); ok {
		if err := s.NoteRestores(context.Background(), q.redeemer.restores); err != nil {
			return q, err
		}
	}
	desk := qs.NewDesk(q.redeemer.till, q.redeemer.ledger)
	desk.SetLook(q.redeemer.look)
	q.redeemer.use = desk.SetTill
	var push qs.Push
	if c.Push != nil {
		if q.push, err = newGateway(c.Push, hc, m.push); err != nil {
			return q, err
		}
		push = q.push
	}
	q.service, err = qs.New(qs.Config{
		Domain: c.Domain, Store: store, Keys: q.ring, Payments: desk, Push: push,
		Mix: time.Duration(c.QS.Mix), MaxEntries: c.QS.MaxEntries, MaxBytes: c.QS.MaxBytes, MaxTTLDays: c.QS.MaxTTLDays, IdleDays: c.QS.IdleDays,
		MaxWait: time.Duration(c.QS.MaxWait), MaxReaders: c.QS.MaxReaders, MaxAhead: maxAhead,
	})
	if err != nil {
		return q, err
	}
	q.handler = &queueService{Service: q.service, domain: c.Domain, maxAhead: maxAhead,
		senders: &senders{domain: c.Domain, peers: peers, names: slices.Sorted(maps.Keys(peers))}}
	return q, nil
}

// openStore opens the queues where the role's stores are.
func (q *queueing) openStore(c *Config, dir daemon.Dir) (_ qs.Store, err error) {
	if c.QS.Database.Used() {
		if q.database, err = openDatabase(QS, &c.QS.Database); err != nil {
			return nil, err
		}
		return shared.New(q.database, wakeKey(q.ring))
	}
	storageKey, err := readStorageKey(c.StorageKey)
	if err != nil {
		return nil, err
	}
	q.embedded, err = badger.Open(badger.Config{Dir: dir.Path(queuesDir), Format: queues.Format, Key: storageKey, Fence: c.QS.fence(queuesDir),
		OnRollback: queues.OnRollback, MinFree: c.MinFree})
	if err != nil {
		return nil, err
	}
	return queues.New(context.Background(), q.embedded)
}

// tend follows the address keys as other programs change them, and forgets what
// has expired, until ctx is done.
func (q *queueing) tend(ctx context.Context) {
	var seen string
	var maintained time.Time
	for range ticks(ctx, time.Second) {
		if files, err := filepath.Glob(filepath.Join(q.addresses, "*.key")); err == nil && strings.Join(files, "\n") != seen {
			seen = strings.Join(files, "\n")
			if err := q.ring.Advance(time.Now()); err != nil {
				q.log.Error("address keys not read", "error", err)
			}
		}
		if time.Since(maintained) < maintainEvery {
			continue
		}
		maintained = time.Now()
		if err := q.service.Maintain(ctx); err != nil && ctx.Err() == nil {
			q.log.Error("queues not maintained", "error", err)
		}
	}
}

func (q *queueing) ready() error {
	return errors.Join(q.backend.ready("queues"), q.redeemer.ready())
}

func (q *queueing) close() (err error) {
	if q.service != nil {
		q.service.Close()
	}
	if q.redeemer != nil {
		err = q.redeemer.ledger.Close()
	}
	return errors.Join(err, q.backend.close())
}
