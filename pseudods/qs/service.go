package qs

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// The refusals of a [Service], beside [ErrNotFound], [ErrExhausted], [ErrBatch]
// and [ErrLimit] of its store. Other errors are of the store's engine: whether
// the operation took place is then not known, and it can be tried again.
var (
	// ErrReplaced: a newer reader of the queue took over.
	ErrReplaced = errors.New("qs: replaced by a newer reader")
	// ErrBusy: too many readers are waiting.
	ErrBusy = errors.New("qs: too many readers")
	// ErrSize: more or larger than the service takes at a time, or nothing.
	ErrSize = errors.New("qs: size out of bounds")
	// ErrTicket: a ticket that this service did not make.
	ErrTicket = errors.New("qs: invalid ticket")
	// ErrKeyPackage: a KeyPackage that nobody could use.
	ErrKeyPackage = errors.New("qs: invalid KeyPackage")
	// ErrKey: a malformed public key.
	ErrKey = errors.New("qs: malformed key")
)

// Service is a queue service. Its methods may be called concurrently.
type Service struct {
	cfg       Config
	together  Together // nil if payloads are stored by themselves
	addresses *generations[[32]byte, place]
	segments  *generations[wire.QueueID, *segment]
	ready     ready
	pushed    *generations[wire.QueueID, struct{}]
	nonces    *nonces
	readers   readers
	mixer     *mixer
}

// New returns a service. It starts no goroutine.
func New(cfg Config) (*Service, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	var pushAge time.Duration
	if _, ok := cfg.Store.(Shared); ok {
		pushAge = time.Minute // where owners read elsewhere it is not known here when
	}
	s := &Service{
		cfg:       cfg,
		addresses: newGenerations[[32]byte, place](cfg.CacheAddresses, 0),
		segments:  newGenerations[wire.QueueID, *segment](cfg.CacheSegments, cfg.SegmentAge),
		pushed:    newGenerations[wire.QueueID, struct{}](cfg.CacheAddresses, pushAge),
		nonces:    newNonces(cfg.MaxAhead),
		readers:   readers{waiting: map[wire.QueueID]*reader{}, closing: make(chan struct{}), most: cfg.MaxReaders},
	}
	if cfg.Mix > 0 {
		s.mixer = &mixer{store: cfg.Store, window: cfg.Mix, today: s.today}
	} else {
		s.together, _ = cfg.Store.(Together)
	}
	return s, nil
}

// dayOf returns the day of a time.
func dayOf(t time.Time) Day { return Day(t.Unix() / (24 * 60 * 60)) }

func (s *Service) today() Day { return dayOf(s.cfg.Now()) }

// Close ends all waiting reads as if their time were over. It may be called
// more than once.
func (s *Service) Close() { s.readers.close() }

// Watch wakes readers that wait here for entries that come through other
// processes, until ctx ends. It is for stores that are [Shared]; with others it
// only waits.
func (s *Service) Watch(ctx context.Context) error {
	if shared, ok := s.cfg.Store.(Shared); ok {
		return shared.Watch(ctx, s.readers.wakeSome)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Maintain rotates the address keys, forgets what has expired in store and
// memory, and returns what failed; the next call does that again. It takes long
// on a large store; the service goes on meanwhile. Call it every hour: of the
// processes that share a store one goes over that.
func (s *Service) Maintain(ctx context.Context) error {
	now := s.cfg.Now()
	s.segments.expire(now)
	s.ready.expire(&s.cfg, now)
	today := dayOf(now)
	ago := func(days uint64) Day { return today - Day(min(days, uint64(today))) }
	expire := func(ctx context.Context) error {
		return s.cfg.Store.Expire(ctx, Expiry{
			Queues:   ago(uint64(s.cfg.IdleDays)),
			Entries:  today,
			Marks:    ago(uint64(s.cfg.Keys.Longest()/(24*time.Hour)) + 1),
			Payloads: today,
			Claims:   ago(2),
		})
	}
	err := s.cfg.Keys.Advance(now)
	if shared, ok := s.cfg.Store.(Shared); ok {
		return errors.Join(err, shared.Alone(ctx, time.Hour, expire))
	}
	return errors.Join(err, expire(ctx))
}

// Create creates the queue of an owner's key, or returns the one there is.
func (s *Service) Create(ctx context.Context, c *wire.CreateQueue) (*wire.QueueInfo, error) {
	if err := checkKey(&c.SegmentKey); err != nil {
		return nil, err
	}
	id := wire.QueueIDOf(c.OwnerKey[:])
	q, err := s.cfg.Store.CreateQueue(ctx, id, s.today(), Queue{OwnerKey: c.OwnerKey, SegmentKey: c.SegmentKey, Settings: s.cfg.effective(c.Settings)})
	if err != nil {
		return nil, err
	}
	// If the queue was there before and is new now, so may be its key.
	s.segments.delete(id)
	return &wire.QueueInfo{Queue: id, Settings: q.Settings}, nil
}

// Configure takes over settings of a newer version and returns what then holds.
func (s *Service) Configure(ctx context.Context, c *wire.ConfigureQueue) (*wire.QueueInfo, error) {
	settings, err := s.cfg.Store.ConfigureQueue(ctx, c.Queue, s.cfg.effective(c.Settings))
	if err != nil {
		return nil, err
	}
	return &wire.QueueInfo{Queue: c.Queue, Settings: settings}, nil
}

// Delete deletes a queue with all that belongs to it.
func (s *Service) Delete(ctx context.Context, id wire.QueueID) error {
	err := s.cfg.Store.DeleteQueue(ctx, id)
	s.segments.delete(id)
	s.readers.wake(id) // to find that it is gone
	return err
}

// Revoke ends the use of an address, or of one stream of a reusable address.
func (s *Service) Revoke(ctx context.Context, id wire.QueueID, address wire.AddressID) error {
	return s.cfg.Store.Revoke(ctx, id, s.today(), markOf(id, address))
}
