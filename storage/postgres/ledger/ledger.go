package ledger

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/tokens"
)

//go:embed migrations
var files embed.FS

// Schema is what a ledger needs in its database, beside [postgres.FenceSchema].
var Schema = postgres.Schema{Name: "spent", Migrations: files, Routing: routing}

// Config says where a ledger is. All but Join must be set.
type Config struct {
	// DB was opened with [Schema] and [postgres.FenceSchema]. Others may use it too,
	// and it is not closed with the ledger.
	DB *postgres.DB
	// Fence and Join are Path and Join of [postgres.FenceConfig].
	Fence string
	Join  bool
	// Key is the ledger's secret. A database made with another one is refused with
	// [tokens.ErrNullifierKey].
	Key tokens.NullifierKey
}

// Ledger is an open ledger.
type Ledger struct {
	db      *postgres.DB
	key     tokens.NullifierKey
	fence   *postgres.Fence
	queues  []chan *spending // of each shard
	running sync.WaitGroup   // ends when the last batch was answered

	// closing is held for reading while something is put into a queue.
	closing sync.RWMutex
	closed  bool

	// mu guards known, and is held while a key is made known.
	mu sync.Mutex
	// known are the keys that the fence's note has: Spend accepts no others.
	known map[privacypass.KeyID]bool
}

var _ tokens.Ledger = (*Ledger)(nil)

// Open opens the ledger, closes its epochs if the database is older than its
// fence, and finishes retirements that were cut short.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	l := &Ledger{db: cfg.DB, key: cfg.Key, known: map[privacypass.KeyID]bool{}}
	if err := l.checkKey(ctx); err != nil {
		return nil, err
	}
	var err error
	l.fence, err = postgres.OpenFence(ctx, l.db, postgres.FenceConfig{Path: cfg.Fence, Join: cfg.Join, OnRollback: l.fenceEpochs})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := l.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), l.fence.Close())
	}
	for range l.db.Shards() {
		queue := make(chan *spending, maxBatch)
		l.queues = append(l.queues, queue)
		l.running.Go(func() { l.run(queue) })
	}
	return l, nil
}

func (l *Ledger) checkKey(ctx context.Context) error {
	check, same := l.key.Check(), false
	err := l.db.Write(ctx, "select spent.begin_with($1)", []any{check[:]}, postgres.One(&same))
	if err == nil && !same {
		err = tokens.ErrNullifierKey
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// begin drops what is closing, and makes the open epochs known.
func (l *Ledger) begin(ctx context.Context) error {
	open, closing, err := l.epochs(ctx)
	if err != nil {
		return err
	}
	for _, key := range closing {
		if err := l.drop(ctx, key); err != nil {
			return err
		}
	}
	for part := range l.db.Shards() {
		if err := l.beginShard(ctx, part, open); err != nil {
			return err
		}
	}
	return nil
}

// shard is the number of the shard that has a key's tokens.
func (l *Ledger) shard(key privacypass.KeyID) int { return l.db.Shard(key[:], 0) }

// beginShard makes those open epochs known that are in a shard.
func (l *Ledger) beginShard(ctx context.Context, part int, open []privacypass.KeyID) error {
	noted, err := parseNote(l.fence.Note(part))
	if err != nil {
		return err
	}
	var new []privacypass.KeyID
	for _, key := range open {
		switch {
		case l.shard(key) != part:
		case noted[key]:
			l.known[key] = true
		default:
			new = append(new, key)
		}
	}
	if new == nil {
		return nil // a copy that lacks nothing of a ledger at rest is none
	}
	return l.know(ctx, part, new, l.fence.Step(part))
}

// Close waits for calls under way. The database stays open.
func (l *Ledger) Close() error {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, queue := range l.queues {
		close(queue)
	}
	l.running.Wait()
	return l.fence.Close()
}

// Restores is how often the database was replaced by an older copy of itself.
func (l *Ledger) Restores() int { return l.fence.Restores() }

// Failed reports whether the ledger takes no more until it is opened again.
func (l *Ledger) Failed() bool { return l.fence.Failed() }

// Usage implements [tokens.Ledger].
func (l *Ledger) Usage(ctx context.Context, key privacypass.KeyID) (u tokens.Usage, err error) {
	found := false
	err = l.db.Read(ctx, "select * from spent.usage($1)", []any{key[:]}, func(r postgres.Rows) error {
		if found = r.Next(); found {
			return r.Scan(&u.Spent, &u.Capacity)
		}
		return nil
	})
	if err == nil && !found {
		err = l.refusal(ctx, key)
	}
	if err != nil {
		return tokens.Usage{}, classify(err)
	}
	return u, nil
}

// refusal says why a key has no open epoch.
func (l *Ledger) refusal(ctx context.Context, key privacypass.KeyID) error {
	state, err := l.state(ctx, key)
	if err != nil {
		return err
	}
	return state.refusal()
}

// state is what the database says of a key.
type state string

func (l *Ledger) state(ctx context.Context, key privacypass.KeyID) (s state, err error) {
	err = l.db.Read(ctx, "select spent.state($1)", []any{key[:]}, postgres.One(&s))
	return s, err
}

func (s state) refusal() error {
	switch s {
	case "open":
		return nil
	case "retired":
		return tokens.ErrEpochRetired
	case "fenced":
		return tokens.ErrEpochFenced
	case "too many":
		return tokens.ErrTooManyEpochs
	case "unknown":
		return tokens.ErrEpochUnknown
	}
	return postgres.ErrRefused
}

// classify leaves the ledger's refusals and the context's errors as they are;
// whatever else went wrong makes the ledger unavailable.
func classify(err error) error {
	for _, known := range []error{
		tokens.ErrDoubleSpend, tokens.ErrCapacity, tokens.ErrTooManyEpochs, tokens.ErrEpochRetired,
		tokens.ErrEpochFenced, tokens.ErrEpochUnknown, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", tokens.ErrUnavailable, err)
}

// Spend implements [tokens.Ledger].
func (l *Ledger) Spend(ctx context.Context, token verify.Redeemed, request tokens.RequestDigest) (tokens.Outcome, error) {
	if token.IsZero() {
		panic("ledger: unverified token")
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := l.mayKnow(ctx, token.KeyID()); err != nil {
		return 0, classify(err)
	}
	n := l.key.Nullifier(token)
	s := &spending{key: token.KeyID(), nullifier: n, tag: l.key.Tag(n, request), answer: make(chan error, 1)}
	if !l.enqueue(s) {
		return 0, fmt.Errorf("%w: closed", tokens.ErrUnavailable)
	}
	if err := <-s.answer; err != nil {
		return 0, classify(err)
	}
	return s.outcome, nil
}
