package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/tokens"
)

// Format is the format of a ledger's database.
var Format = badger.Format{Name: "spent-tokens", Version: 1}

// Config says where a ledger is. All but the last two fields must be set.
type Config struct {
	// Dir is the database's directory.
	Dir string
	// Fence is the path of the fence file: in another directory, better on
	// another disk, and not part of what is restored with Dir.
	Fence string
	// Key is the ledger's secret. A store made with another one is refused with
	// [tokens.ErrNullifierKey].
	Key tokens.NullifierKey
	// StorageKey is the Key of [badger.Config].
	StorageKey secret.Bytes
	// MinFree and Fault are those of [badger.Config].
	MinFree uint64
	Fault   func(badger.Step) error
}

// Ledger is an open ledger.
type Ledger struct {
	db  *badger.DB
	key tokens.NullifierKey

	// admin is held, by one value in it, while epochs open or retire.
	admin chan struct{}

	mu     sync.RWMutex
	epochs map[privacypass.KeyID]*epoch // the open ones
}

var _ tokens.Ledger = (*Ledger)(nil)

// epoch is an open epoch as Spend needs it.
type epoch struct {
	partition, count []byte
	capacity         atomic.Uint64
	closed           atomic.Bool // set between the tombstone and the drop
}

// errClosing stands for "closed while the request waited"; the tombstone tells
// which refusal that is.
var errClosing = errors.New("ledger: epoch closing")

// Open opens or creates the ledger, fences it if it is older than its fence,
// and finishes retirements that were cut short.
func Open(cfg Config) (*Ledger, error) {
	if cfg.Fence == "" {
		return nil, errors.New("ledger: no fence file")
	}
	db, err := badger.Open(badger.Config{
		Dir:        cfg.Dir,
		Format:     Format,
		Key:        cfg.StorageKey,
		Fence:      cfg.Fence,
		OnRollback: fenceAll,
		NeedsFence: true,
		MinFree:    cfg.MinFree,
		Fault:      cfg.Fault,
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{
		db:     db,
		key:    cfg.Key,
		admin:  make(chan struct{}, 1),
		epochs: make(map[privacypass.KeyID]*epoch),
	}
	if err := l.begin(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), db.Close())
	}
	return l, nil
}

func (l *Ledger) begin(ctx context.Context) error {
	if err := l.checkKey(ctx); err != nil {
		return err
	}
	g, err := readRegistry(l.db.Get)
	if err != nil {
		return err
	}
	for _, e := range g.entries {
		if e.state == stateClosing {
			if err := l.finishClosing(ctx, e); err != nil {
				return err
			}
			continue
		}
		l.admit(e)
	}
	return nil
}

// checkKey compares the check value, or writes it into a new store.
func (l *Ledger) checkKey(ctx context.Context) error {
	want := l.key.Check()
	return l.db.Submit(ctx, func(tx *badger.Tx) error {
		got, err := tx.Get([]byte{prefixCheck})
		if errors.Is(err, badger.ErrNotFound) {
			tx.Put([]byte{prefixCheck}, want[:])
			return nil
		}
		if err == nil && string(got) != string(want[:]) {
			err = tokens.ErrNullifierKey
		}
		return err
	})
}

// Close waits for calls under way and closes the store.
func (l *Ledger) Close() error { return l.db.Close() }

// Backup is [badger.DB.Backup]. A ledger can be restored only where its fence
// still is, and then closes all keys that were open: a backup keeps keys that were
// retired retired, and saves no token.
func (l *Ledger) Backup(ctx context.Context, w io.Writer, base *backup.Backup) (*backup.Backup, error) {
	return l.db.Backup(ctx, w, base)
}

// Stats returns the figures of the database, for metrics and readiness.
func (l *Ledger) Stats() badger.Stats { return l.db.Stats() }

// Spend implements [tokens.Ledger].
func (l *Ledger) Spend(ctx context.Context, token verify.Redeemed, request tokens.RequestDigest) (tokens.Outcome, error) {
	if token.IsZero() {
		panic("ledger: unverified token")
	}
	l.mu.RLock()
	e := l.epochs[token.KeyID()]
	l.mu.RUnlock()
	if e == nil {
		return 0, l.refusal(token.KeyID())
	}
	n := l.key.Nullifier(token)
	tag := l.key.Tag(n, request)
	var outcome tokens.Outcome
	err := l.db.Submit(ctx, func(tx *badger.Tx) (err error) {
		outcome, err = e.spend(tx, n, tag)
		return err
	})
	if errors.Is(err, errClosing) {
		return 0, l.refusal(token.KeyID())
	}
	if err != nil {
		return 0, classify(err)
	}
	return outcome, nil
}

// spend runs on the committer.
func (e *epoch) spend(tx *badger.Tx, n tokens.Nullifier, tag tokens.Tag) (tokens.Outcome, error) {
	if e.closed.Load() {
		return 0, errClosing
	}
	key := append(e.partition[:len(e.partition):len(e.partition)], n[:]...)
	stored, err := readTag(tx, key)
	if err != nil {
		return 0, err
	}
	outcome, err := tokens.Judge(stored, tag)
	if outcome != tokens.Fresh {
		return outcome, err
	}
	spent, err := readCount(tx.Get, e.count)
	if err != nil {
		return 0, err
	}
	if spent >= e.capacity.Load() {
		return 0, tokens.ErrCapacity
	}
	tx.Put(key, tag[:])
	tx.Put(e.count, binary.BigEndian.AppendUint64(nil, spent+1))
	return outcome, nil
}

// Usage implements [tokens.Ledger].
func (l *Ledger) Usage(_ context.Context, key privacypass.KeyID) (tokens.Usage, error) {
	l.mu.RLock()
	e := l.epochs[key]
	l.mu.RUnlock()
	if e == nil {
		return tokens.Usage{}, l.refusal(key)
	}
	spent, err := readCount(l.db.Get, e.count)
	if err != nil {
		return tokens.Usage{}, classify(err)
	}
	return tokens.Usage{Spent: spent, Capacity: e.capacity.Load()}, nil
}

// refusal says why a key has no open epoch.
func (l *Ledger) refusal(key privacypass.KeyID) error {
	s, err := readTombstone(l.db.Get, key)
	if err != nil {
		return classify(err)
	}
	return s.refusal()
}

// refusal returns the error of a key with that tombstone, 0 for none.
func (s state) refusal() error {
	switch s {
	case stateRetired:
		return tokens.ErrEpochRetired
	case stateFenced:
		return tokens.ErrEpochFenced
	}
	return tokens.ErrEpochUnknown
}

// classify leaves the ledger's refusals and the context's errors as they are;
// whatever else went wrong makes the ledger unavailable.
func classify(err error) error {
	for _, known := range []error{
		tokens.ErrDoubleSpend, tokens.ErrCapacity, tokens.ErrTooManyEpochs, tokens.ErrEpochRetired,
		tokens.ErrEpochFenced, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", tokens.ErrUnavailable, err)
}
