// Package reports keeps reported cases in the embedded store: it implements
// [moderation.Store].
package reports

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/badger"
)

// Format is the format of the databases that [New] takes.
var Format = badger.Format{Name: "reports", Version: 1}

// ErrCorrupt: a record that this package did not write that way.
var ErrCorrupt = errors.New("reports: corrupt record")

// The first octet of a key says what the record is.
const (
	// case -> Case.
	kindOpen = 'o'
	// case -> Outcome. One such record stays for each.
	kindDecided = 'd'
	// case -> verdict that is to be sent.
	kindVerdict = 'v'
	// -> how many cases are open.
	kindCount = 'n'
)

var countKey = []byte{kindCount}

// Store is a [moderation.Store] on a database of its own. A decision is one
// request to the database's committer, so that case, decision, verdict and count
// change together.
type Store struct {
	db *badger.DB
}

var _ moderation.Store = (*Store)(nil)

// New returns the store on a database opened with [Format]. The caller closes
// the database.
func New(db *badger.DB) *Store { return &Store{db} }

// OnRollback accepts a store that is older than its fence: cases may be decided
// again, which an issuer notices, and the same report be taken once more.
func OnRollback(*badger.Tx, []byte) error { return nil }

func caseKey(kind byte, id moderation.CaseID) []byte { return append([]byte{kind}, id[:]...) }

// get reads a record by either [badger.DB.Get] or [badger.Tx.Get]; an absent
// one is nil.
func get(read func([]byte) ([]byte, error), key []byte) ([]byte, error) {
	b, err := read(key)
	if errors.Is(err, badger.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func getCount(read func([]byte) ([]byte, error)) (uint64, error) {
	b, err := get(read, countKey)
	if err != nil || b == nil {
		return 0, err
	}
	return parseCount(b)
}

func parseCount(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, ErrCorrupt
	}
	return binary.BigEndian.Uint64(b), nil
}

func putCount(tx *badger.Tx, n uint64) { tx.Put(countKey, binary.BigEndian.AppendUint64(nil, n)) }

func marshalCase(c *moderation.Case) []byte {
	b := binary.BigEndian.AppendUint32(nil, c.Day)
	return append(append(b, c.Commitment[:]...), c.Sealed...)
}

func parseCase(b []byte) (c moderation.Case, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	c.Day = r.Uint32()
	copy(c.Commitment[:], r.Fixed(len(c.Commitment)))
	if c.Sealed = r.Rest(); r.Finish() != nil {
		return moderation.Case{}, ErrCorrupt
	}
	return c, nil
}

func parseOutcome(b []byte) (o moderation.Outcome, err error) {
	if len(b) != 2 {
		return o, ErrCorrupt
	}
	o = moderation.Outcome{State: moderation.State(b[0]), Weight: attester.Weight(b[1])}
	if !o.Valid() {
		return moderation.Outcome{}, ErrCorrupt
	}
	return o, nil
}

// Add implements [moderation.Store].
func (s *Store) Add(ctx context.Context, id moderation.CaseID, c *moderation.Case, most int) error {
	value := marshalCase(c)
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		for _, kind := range []byte{kindOpen, kindDecided} {
			if known, err := get(tx.Get, caseKey(kind, id)); err != nil {
				return err
			} else if known != nil {
				return moderation.ErrKnown
			}
		}
		n, err := getCount(tx.Get)
		if err != nil {
			return err
		}
		if n >= uint64(max(0, most)) {
			return moderation.ErrFull
		}
		putCount(tx, n+1)
		tx.Put(caseKey(kindOpen, id), value)
		return nil
	})
}

// Look implements [moderation.Store]. What was decided is read first and last: a
// case that is decided meanwhile is in one of the two.
func (s *Store) Look(_ context.Context, id moderation.CaseID) (*moderation.Case, moderation.Outcome, error) {
	for range 2 {
		if b, err := get(s.db.Get, caseKey(kindDecided, id)); err != nil {
			return nil, moderation.Outcome{}, err
		} else if b != nil {
			o, err := parseOutcome(b)
			return nil, o, err
		}
		if b, err := get(s.db.Get, caseKey(kindOpen, id)); err != nil {
			return nil, moderation.Outcome{}, err
		} else if b != nil {
			c, err := parseCase(b)
			return &c, moderation.Outcome{}, err
		}
	}
	return nil, moderation.Outcome{}, moderation.ErrNoCase
}

// Decide implements [moderation.Store].
func (s *Store) Decide(ctx context.Context, id moderation.CaseID, o moderation.Outcome, verdict []byte) error {
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		if b, err := get(tx.Get, caseKey(kindDecided, id)); err != nil {
			return err
		} else if b != nil {
			was, err := parseOutcome(b)
			if err == nil && was != o {
				err = moderation.ErrDecided
			}
			return err
		}
		if b, err := get(tx.Get, caseKey(kindOpen, id)); err != nil {
			return err
		} else if b == nil {
			return moderation.ErrNoCase
		}
		n, err := getCount(tx.Get)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrCorrupt
		}
		putCount(tx, n-1)
		tx.Delete(caseKey(kindOpen, id))
		tx.Put(caseKey(kindDecided, id), []byte{byte(o.State), byte(o.Weight)})
		if verdict != nil {
			tx.Put(caseKey(kindVerdict, id), append([]byte{}, verdict...))
		}
		return nil
	})
}

// Sent implements [moderation.Store].
func (s *Store) Sent(ctx context.Context, id moderation.CaseID) error {
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		tx.Delete(caseKey(kindVerdict, id))
		return nil
	})
}

// list returns records of a kind in the order of their cases.
func (s *Store) list(kind byte, from moderation.CaseID) (entries []badger.Entry, more bool, err error) {
	entries, next, err := s.db.Scan([]byte{kind}, caseKey(kind, from), moderation.MaxList)
	for _, e := range entries {
		if len(e.Key) != 1+len(from) {
			return nil, false, ErrCorrupt
		}
	}
	return entries, next != nil, err
}

// OpenCases implements [moderation.Store].
func (s *Store) OpenCases(_ context.Context, from moderation.CaseID) (list []moderation.Listed, more bool, err error) {
	entries, more, err := s.list(kindOpen, from)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		c, err := parseCase(e.Value)
		if err != nil {
			return nil, false, err
		}
		list = append(list, moderation.Listed{ID: moderation.CaseID(e.Key[1:]), Case: c})
	}
	return list, more, nil
}

// Verdicts implements [moderation.Store].
func (s *Store) Verdicts(_ context.Context, from moderation.CaseID) (list []moderation.Outgoing, more bool, err error) {
	entries, more, err := s.list(kindVerdict, from)
	for _, e := range entries {
		list = append(list, moderation.Outgoing{ID: moderation.CaseID(e.Key[1:]), Verdict: e.Value})
	}
	return list, more, err
}

// Waiting implements [moderation.Store].
func (s *Store) Waiting(context.Context) (int, error) {
	n, err := getCount(s.db.Get)
	return int(n), err
}
