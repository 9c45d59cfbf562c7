package groups

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// Format is the format of the databases that [New] takes.
var Format = badger.Format{Name: "groups", Version: 1, Large: true}

// ErrCorrupt: a record that this package did not write that way.
var ErrCorrupt = errors.New("groups: corrupt record")

const (
	kindVersion = 'v'
	kindRecord  = 'r'
	kindOutbox  = 'o'
)

// maxReads: how often a read starts over because the group changes meanwhile.
const maxReads = 100

// Store is a [ds.Store] on a database of its own.
type Store struct {
	db    *badger.DB
	lanes lanes
}

var _ ds.Store = (*Store)(nil)

// New returns the store on a database opened with [Format]. The caller closes
// the database.
func New(db *badger.DB) *Store { return &Store{db: db} }

func key(kind byte, group wire.GroupID, rest ...[]byte) []byte {
	k := append(make([]byte, 0, 1+len(group)+ds.MaxKey), kind)
	k = append(k, group[:]...)
	for _, r := range rest {
		k = append(k, r...)
	}
	return k
}

// counters are a group's version and sequence.
func counters(read func([]byte) ([]byte, error), group wire.GroupID) (version, sequence uint64, err error) {
	b, err := read(key(kindVersion, group))
	switch {
	case errors.Is(err, badger.ErrNotFound):
		return 0, 0, nil
	case err != nil:
		return 0, 0, err
	case len(b) != 16:
		return 0, 0, ErrCorrupt
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), nil
}

// Read implements [ds.Store]. The database has no snapshot over several reads:
// the version, read before and after, tells whether they belong together.
func (s *Store) Read(ctx context.Context, group wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	if len(lookups) > ds.MaxLookups {
		panic("groups: too many lookups")
	}
	for range maxReads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		snapshot := &ds.Snapshot{Records: make([]ds.Record, len(lookups))}
		var err error
		if snapshot.Version, snapshot.Sequence, err = counters(s.db.Get, group); err != nil {
			return nil, err
		}
		for i, l := range lookups {
			if snapshot.Records[i], err = s.find(group, l); err != nil {
				return nil, err
			}
		}
		if version, _, err := counters(s.db.Get, group); err != nil {
			return nil, err
		} else if version == snapshot.Version {
			return snapshot, nil
		}
	}
	return nil, ds.ErrConflict
}

func (s *Store) find(group wire.GroupID, l ds.Lookup) (ds.Record, error) {
	if l.Prefix == 0 {
		v, err := s.db.Get(key(kindRecord, group, l.Key))
		if errors.Is(err, badger.ErrNotFound) {
			return ds.Record{}, nil
		}
		return ds.Record{Key: l.Key, Value: v}, err
	}
	found, _, err := s.db.Scan(key(kindRecord, group, l.Key[:l.Prefix]), key(kindRecord, group, l.Key), 1)
	if err != nil || len(found) == 0 {
		return ds.Record{}, err
	}
	return ds.Record{Key: found[0].Key[1+len(group):], Value: found[0].Value}, nil
}

// Commit implements [ds.Store].
func (s *Store) Commit(ctx context.Context, group wire.GroupID, b *ds.Batch) error {
	entries := make([]*entry, len(b.Messages))
	err := s.db.Submit(ctx, func(tx *badger.Tx) error {
		version, sequence, err := counters(tx.Get, group)
		if err != nil {
			return err
		}
		if version != b.Base {
			return ds.ErrConflict
		}
		for _, r := range b.Puts {
			tx.Put(key(kindRecord, group, r.Key), r.Value)
		}
		for _, k := range b.Deletes {
			tx.Delete(key(kindRecord, group, k))
		}
		if len(b.Messages) > 0 {
			sequence++
		}
		for n, m := range b.Messages {
			for i, part := range m.Parts {
				last := byte(0)
				if i == len(m.Parts)-1 {
					last = 1
				}
				tx.Put(partKey(group, m.Lane, sequence, uint16(i)), append([]byte{last}, part...))
			}
			entries[n] = s.lanes.put(ds.Ref{Group: group, Lane: m.Lane}, sequence, len(m.Parts))
		}
		v := binary.BigEndian.AppendUint64(nil, version+1)
		tx.Put(key(kindVersion, group), binary.BigEndian.AppendUint64(v, sequence))
		return nil
	})
	for n, e := range entries {
		if e != nil {
			s.lanes.settle(ds.Ref{Group: group, Lane: b.Messages[n].Lane}, e, err == nil)
		}
	}
	return err
}
