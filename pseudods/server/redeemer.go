package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/postgres"
	shared "github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/tokens"
)

const (
	spentDir      = "spent"
	nullifierFile = "nullifier.secret"
	// retireAfter is how long a key must have been gone before its epoch closes,
	// which cannot be undone: requests with its tokens end meanwhile, and an
	// operator notices a copy of the directory that lacks a key.
	retireAfter = 10 * time.Minute
)

// redeemer keeps one role's till and ledger at the issuer's keys.
//
// A key that appears has its epoch opened in the ledger before the till takes its
// tokens. One that is gone is taken from the till at once, and its epoch retired
// later.
type redeemer struct {
	list     *tokens.PriceList
	origin   tokens.Origin
	sources  []keySource
	ledger   spentLedger
	embedded *ledger.Ledger // the ledger, if it is one
	restores int            // of its database, if it is not
	failed   func() bool    // whether it takes no more, if it is not
	capacity uint64
	log      *slog.Logger

	// mu is held while keys are read and guards the rest.
	mu     sync.Mutex
	seen   string // the sources' stamps
	live   map[privacypass.KeyID]tokens.Class
	judged map[privacypass.KeyID]error // what the ledger said of the key
	gone   map[privacypass.KeyID]time.Time
	till   *tokens.Till
	use    func(*tokens.Till)
}

// openRedeemer opens the ledger of a role and reads the keys of the classes in
// its part of the price list.
func (c *Config) openRedeemer(role Role, b *backend, private *Private, dir, secrets, fences daemon.Dir, hc *http.Client, log *slog.Logger) (r *redeemer, err error) {
	key, err := secrets.Secret(nullifierFile)
	if err != nil {
		return nil, err
	}
	nullifier, err := tokens.NewNullifierKey(key)
	if err != nil {
		return nil, err
	}
	r = &redeemer{
		list: c.pricesOf(role), origin: tokens.Origin{Name: c.Domain, Scope: c.Scope}, capacity: c.TokenCapacity, log: log,
		live: map[privacypass.KeyID]tokens.Class{}, judged: map[privacypass.KeyID]error{}, gone: map[privacypass.KeyID]time.Time{},
		use: func(*tokens.Till) {},
	}
	if r.sources, err = c.keySources(r.list, hc); err != nil {
		return nil, err
	}
	if err := r.openLedger(c, b, dir, fences, private, nullifier); err != nil {
		return nil, err
	}
	r.advance(context.Background())
	if err := r.refresh(context.Background(), time.Now()); err != nil {
		return nil, errors.Join(err, r.ledger.Close())
	}
	return r, nil
}

// spentLedger is a ledger that is opened here.
type spentLedger interface {
	tokens.Ledger
	Epochs(ctx context.Context) ([]privacypass.KeyID, error)
	Close() error
}

type embeddedLedger struct{ *ledger.Ledger }

// Epochs implements spentLedger.
func (l embeddedLedger) Epochs(context.Context) ([]privacypass.KeyID, error) {
	return l.Ledger.Epochs(), nil
}

// openLedger opens the ledger where the role's stores are.
func (r *redeemer) openLedger(c *Config, b *backend, dir, fences daemon.Dir, private *Private, key tokens.NullifierKey) (err error) {
	fence := fences.Path(spentDir + ".fence")
	if b.database == nil {
		storageKey, err := readStorageKey(c.StorageKey)
		if err != nil {
			return err
		}
		r.embedded, err = ledger.Open(ledger.Config{Dir: dir.Path(spentDir), StorageKey: storageKey, Fence: fence, Key: key, MinFree: c.MinFree})
		r.ledger = embeddedLedger{r.embedded}
		return err
	}
	l, err := shared.Open(context.Background(), shared.Config{DB: b.database, Fence: fence, Join: private.Database.Join, Key: key})
	if err != nil {
		return err
	}
	r.ledger, r.restores = l, l.Restores()
	r.failed = l.Failed
	return nil
}

func (r *redeemer) stamp() (all string) {
	for _, s := range r.sources {
		all += s.stamp() + "\n\n"
	}
	return all
}

// advance lets the sources do what is due. What fails is tried again later.
func (r *redeemer) advance(ctx context.Context) {
	for _, s := range r.sources {
		if err := s.advance(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.log.Error("token keys not fetched", "error", err)
		}
	}
}

// look replaces the till if the keys have changed.
func (r *redeemer) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stamp() == r.seen {
		return
	}
	if err := r.refreshLocked(context.Background(), time.Now()); err != nil {
		r.log.Error("token keys not refreshed", "error", err)
	}
}

func (r *redeemer) refresh(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refreshLocked(ctx, now)
}

// refreshLocked needs mu.
func (r *redeemer) refreshLocked(ctx context.Context, now time.Time) error {
	seen := r.stamp()
	keys := map[tokens.Class][]verify.Key{}
	live := map[privacypass.KeyID]tokens.Class{}
	for _, s := range r.sources {
		some, err := s.keys()
		if err != nil {
			return err
		}
		for class, all := range some {
			for _, k := range all {
				taken, err := r.open(ctx, k.ID(), class)
				if err != nil {
					return err
				}
				if taken {
					keys[class], live[k.ID()] = append(keys[class], k), class
				}
			}
		}
	}
	till, err := tokens.NewTill(r.list, r.origin, keys)
	if err != nil {
		return err
	}
	epochs, err := r.ledger.Epochs(ctx)
	if err != nil {
		return err
	}
	for _, id := range epochs { // also those from before a restart
		if _, still := live[id]; !still && r.gone[id].IsZero() {
			r.gone[id] = now
		}
	}
	for id := range live {
		delete(r.gone, id)
	}
	r.seen, r.live, r.till = seen, live, till
	r.use(till)
	return nil
}

// open opens the epoch of a key, once in the life of the process, and reports
// whether the ledger takes its tokens.
func (r *redeemer) open(ctx context.Context, id privacypass.KeyID, class tokens.Class) (bool, error) {
	if err, ok := r.judged[id]; ok {
		return err == nil, nil
	}
	err := r.ledger.OpenEpoch(ctx, tokens.Epoch{KeyID: id, Capacity: r.capacity})
	closed := errors.Is(err, tokens.ErrEpochFenced) || errors.Is(err, tokens.ErrEpochRetired)
	if err != nil && !closed {
		return false, err
	}
	if closed {
		r.log.Error("a token key cannot be used again, rotate the keys of its class", "class", string(class), "error", err)
	}
	r.judged[id] = err
	return !closed, nil
}

// retire closes the epochs of keys that have been gone for long enough. If a
// class has no key at all, something is wrong with the directory, and nothing is
// closed.
func (r *redeemer) retire(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for class := range r.list.Classes {
		if !slices.Contains(slices.Collect(maps.Values(r.live)), class) {
			return nil
		}
	}
	var errs error
	for id, since := range r.gone {
		if now.Sub(since) < retireAfter {
			continue
		}
		if err := r.ledger.RetireEpoch(ctx, id); err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		delete(r.gone, id)
		delete(r.judged, id)
	}
	return errs
}

// tend looks for changed keys until ctx is done. What fails is tried again.
func (r *redeemer) tend(ctx context.Context) {
	for range ticks(ctx, time.Second) {
		r.advance(ctx)
		r.look()
		if err := r.retire(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.log.Error("token key not retired", "error", err)
		}
	}
}

// ready says which class has no key that could verify its tokens.
func (r *redeemer) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, class := range slices.Sorted(maps.Keys(r.list.Classes)) {
		if !slices.Contains(slices.Collect(maps.Values(r.live)), class) {
			return fmt.Errorf("no key for tokens of class %s", class)
		}
	}
	if r.embedded != nil {
		return health("spent tokens", r.embedded.Stats())
	}
	if r.failed() {
		return fmt.Errorf("spent tokens: %w", postgres.ErrRolledBack)
	}
	return nil
}

// usage returns the figures of the live keys' epochs, by class.
func (r *redeemer) usage(ctx context.Context) map[tokens.Class][]tokens.Usage {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[tokens.Class][]tokens.Usage{}
	for id, class := range r.live {
		if u, err := r.ledger.Usage(ctx, id); err == nil {
			out[class] = append(out[class], u)
		}
	}
	return out
}

// ticks yields at once and then each period until ctx is done.
func ticks(ctx context.Context, period time.Duration) func(yield func(struct{}) bool) {
	return func(yield func(struct{}) bool) {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for ctx.Err() == nil && yield(struct{}{}) {
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}
}
