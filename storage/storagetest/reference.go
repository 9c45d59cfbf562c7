package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/tokens"
)

// disk is what survives a crash of the reference ledger.
type disk struct {
	writes uint64
	epochs map[privacypass.KeyID]*diskEpoch
	closed map[privacypass.KeyID]error // why: retired or fenced
}

type diskEpoch struct {
	capacity uint64
	spent    map[tokens.Nullifier]tokens.Tag
}

func (d *disk) clone() *disk {
	c := &disk{d.writes, make(map[privacypass.KeyID]*diskEpoch), maps.Clone(d.closed)}
	for key, e := range d.epochs {
		c.epochs[key] = &diskEpoch{e.capacity, maps.Clone(e.spent)}
	}
	return c
}

// ReferenceSite keeps a [ReferenceLedger] in memory. It is the contract of
// [tokens.Ledger] in its shortest form; it also shows that the suite can see
// each fault.
type ReferenceSite struct {
	disk  *disk
	fence uint64              // writes of the newest disk that answered
	known []privacypass.KeyID // epochs opened so far, kept with the fence
	open  *ReferenceLedger
}

var _ LedgerSite = (*ReferenceSite)(nil)

// NewReferenceSite returns an empty site.
func NewReferenceSite() *ReferenceSite {
	return &ReferenceSite{disk: &disk{
		epochs: make(map[privacypass.KeyID]*diskEpoch),
		closed: make(map[privacypass.KeyID]error),
	}}
}

// Open opens the ledger on the disk.
func (s *ReferenceSite) Open() (Ledger, error) {
	if s.open != nil {
		return nil, errors.New("storagetest: the site is open")
	}
	if s.disk.writes < s.fence {
		for key := range s.disk.epochs {
			s.known = append(s.known, key)
		}
		for _, key := range s.known {
			if s.disk.closed[key] == nil {
				s.disk.closed[key] = tokens.ErrEpochFenced
			}
			delete(s.disk.epochs, key)
		}
		s.disk.writes = s.fence
	}
	key, err := tokens.NewNullifierKey(secret.New(make([]byte, tokens.NullifierKeySize)))
	if err != nil {
		return nil, err
	}
	s.open = &ReferenceLedger{site: s, key: key, failAt: -1}
	return s.open, nil
}

// Crash abandons the open ledger.
func (s *ReferenceSite) Crash() error {
	if s.open == nil {
		return errors.New("storagetest: nothing is open")
	}
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	s.open.down = true
	s.open = nil
	return nil
}

// Copy copies the disk.
func (s *ReferenceSite) Copy() (restore func() error, err error) {
	c := s.disk.clone()
	return func() error { s.disk = c.clone(); return nil }, nil
}

// Steps is 2: before a write is on the disk, and after, before the answer.
func (s *ReferenceSite) Steps() int { return 2 }

// Fail implements [LedgerSite].
func (s *ReferenceSite) Fail(step int) { s.open.failAt = step }

// ReferenceLedger is a [tokens.Ledger] in memory.
type ReferenceLedger struct {
	key tokens.NullifierKey

	mu     sync.Mutex
	site   *ReferenceSite
	failAt int // the step at which the next write fails; -1 for none
	down   bool
}

var _ tokens.Ledger = (*ReferenceLedger)(nil)

// write runs f, which changes the disk, and fails before or after it if told so.
func (l *ReferenceLedger) write(f func(*disk)) error {
	if l.failAt == 0 {
		l.down = true
		return fmt.Errorf("%w: before writing", tokens.ErrUnavailable)
	}
	f(l.site.disk)
	l.site.disk.writes++
	if l.failAt == 1 {
		l.down = true
		return fmt.Errorf("%w: after writing", tokens.ErrUnavailable)
	}
	l.site.fence = l.site.disk.writes
	return nil
}

// begin locks the ledger unless the call must not run.
func (l *ReferenceLedger) begin(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		return nil, tokens.ErrUnavailable
	}
	return l.mu.Unlock, nil
}

func (l *ReferenceLedger) epoch(key privacypass.KeyID) (*diskEpoch, error) {
	if e := l.site.disk.epochs[key]; e != nil {
		return e, nil
	}
	if err := l.site.disk.closed[key]; err != nil {
		return nil, err
	}
	return nil, tokens.ErrEpochUnknown
}

// OpenEpoch implements [tokens.Ledger].
func (l *ReferenceLedger) OpenEpoch(ctx context.Context, e tokens.Epoch) error {
	if err := e.Validate(); err != nil {
		return err
	}
	unlock, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d := l.site.disk
	if err := d.closed[e.KeyID]; err != nil {
		return err
	}
	if d.epochs[e.KeyID] == nil && len(d.epochs) >= tokens.MaxEpochs {
		return tokens.ErrTooManyEpochs
	}
	return l.write(func(d *disk) {
		l.site.known = append(l.site.known, e.KeyID)
		if d.epochs[e.KeyID] == nil {
			d.epochs[e.KeyID] = &diskEpoch{spent: make(map[tokens.Nullifier]tokens.Tag)}
		}
		d.epochs[e.KeyID].capacity = e.Capacity
	})
}

// Spend implements [tokens.Ledger].
func (l *ReferenceLedger) Spend(ctx context.Context, token verify.Redeemed, request tokens.RequestDigest) (tokens.Outcome, error) {
	if token.IsZero() {
		panic("storagetest: unverified token")
	}
	unlock, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	e, err := l.epoch(token.KeyID())
	if err != nil {
		return 0, err
	}
	n := l.key.Nullifier(token)
	tag := l.key.Tag(n, request)
	var stored *tokens.Tag
	if t, ok := e.spent[n]; ok {
		stored = &t
	}
	outcome, err := tokens.Judge(stored, tag)
	if outcome != tokens.Fresh {
		return outcome, err
	}
	if uint64(len(e.spent)) >= e.capacity {
		return 0, tokens.ErrCapacity
	}
	if err := l.write(func(*disk) { e.spent[n] = tag }); err != nil {
		return 0, err
	}
	return outcome, nil
}

// RetireEpoch implements [tokens.Ledger].
func (l *ReferenceLedger) RetireEpoch(ctx context.Context, key privacypass.KeyID) error {
	unlock, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if l.site.disk.closed[key] != nil {
		return nil
	}
	return l.write(func(d *disk) {
		d.closed[key] = tokens.ErrEpochRetired
		delete(d.epochs, key)
	})
}

// Usage implements [tokens.Ledger].
func (l *ReferenceLedger) Usage(ctx context.Context, key privacypass.KeyID) (tokens.Usage, error) {
	unlock, err := l.begin(ctx)
	if err != nil {
		return tokens.Usage{}, err
	}
	defer unlock()
	e, err := l.epoch(key)
	if err != nil {
		return tokens.Usage{}, err
	}
	return tokens.Usage{Spent: uint64(len(e.spent)), Capacity: e.capacity}, nil
}

// Close implements [Ledger].
func (l *ReferenceLedger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	if l.site.open == l {
		l.site.open = nil
	}
	return nil
}
