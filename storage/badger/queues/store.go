package queues

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// Format is the format of the databases that [New] takes.
var Format = badger.Format{Name: "queues", Version: 2}

// ErrCorrupt: a record that this package did not write that way.
var ErrCorrupt = errors.New("queues: corrupt record")

// The first octet of a key says what the record is.
const (
	kindQueue        = 'q' // queue -> queueRecord
	kindHead         = 'h' // queue -> head
	kindEntry        = 'e' // queue, ^first sequence number -> page
	kindSegment      = 's' // queue, sequence number -> segment
	kindMark         = 'm' // queue, mark -> mark
	kindQueuePurge   = 'x' // queue -> nothing: it is being deleted
	kindPayload      = 'p' // payload, chunk -> octets
	kindReferences   = 'r' // payload -> references
	kindPool         = 'o' // pool -> pool
	kindKeyPackage   = 'k' // pool, batch, number -> keyPackage
	kindContact      = 'c' // pool, hash -> whether allowed
	kindClaim        = 't' // pool, request -> claim
	kindPoolPurge    = 'y' // pool -> nothing: it is being deleted
	kindRestores     = 'z' // -> how many times an older copy was restored
	maxRequestWrites = 2000
)

// Store is a [qs.Store] on a database of its own.
type Store struct {
	db       *badger.DB
	restores uint32

	// cache is the committer's.
	cache cache
}

var _ qs.Together = (*Store)(nil)

// New returns the store on a database opened with [Format], after it has ended
// the deletions that a crash cut short. The caller closes the database.
func New(ctx context.Context, db *badger.DB) (*Store, error) {
	s := &Store{db: db}
	var err error
	if s.restores, err = restores(db.Get); err != nil {
		return nil, err
	}
	for kind, partitions := range purged {
		err := s.each(ctx, []byte{kind}, func(e badger.Entry) error { return s.purge(ctx, kind, e.Key[1:], partitions) })
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// OnRollback is for [badger.Config.OnRollback]: it notes that the database is an
// older copy, which still has KeyPackages that left since it was made. No
// KeyPackage of a batch from before is then handed out again, but the one of
// last resort; their owners see that none is left and publish a new batch. What
// else was lost, the copy does not know: entries that were acknowledged come
// back, and addresses that were revoked since it was made are so no more.
func OnRollback(tx *badger.Tx, _ []byte) error {
	n, err := restores(tx.Get)
	if err == nil {
		tx.Put([]byte{kindRestores}, binary.BigEndian.AppendUint32(nil, n+1))
	}
	return err
}

func restores(read getter) (uint32, error) {
	b, err := get(read, []byte{kindRestores})
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 4 {
		return 0, ErrCorrupt
	}
	return binary.BigEndian.Uint32(b), nil
}

func key(kind byte, partition []byte, rest ...byte) []byte {
	k := make([]byte, 0, 1+len(partition)+len(rest)+8)
	return append(append(append(k, kind), partition...), rest...)
}

func seqKey(kind byte, queue []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(key(kind, queue), seq)
}

type getter func([]byte) ([]byte, error)

// get reads a record by either [badger.DB.Get] or [view.Get]; an absent
// one is nil, also if its value is empty it is not nil.
func get(read getter, key []byte) ([]byte, error) {
	b, err := read(key)
	if errors.Is(err, badger.ErrNotFound) {
		return nil, nil
	}
	if b == nil {
		b = []byte{}
	}
	return b, err
}

// each calls f with all records of a prefix, in pages.
func (s *Store) each(ctx context.Context, prefix []byte, f func(badger.Entry) error) error {
	for from := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, next, err := s.db.Scan(prefix, from, 0)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := f(e); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		from = next
	}
}

// purged says which kinds of records belong to what a purge record names.
var purged = map[byte][]byte{
	kindQueuePurge: {kindEntry, kindSegment, kindMark},
	kindPoolPurge:  {kindKeyPackage, kindContact, kindClaim},
}

// errPurging: the partition is being deleted and must be so first.
var errPurging = errors.New("queues: being deleted")

// purge ends a deletion: what is left of the partition, then the purge record.
// Each step holds only while that record is there, so that a purge by another,
// or before a restart, never reaches what was created since.
func (s *Store) purge(ctx context.Context, purgeKind byte, partition []byte, kinds []byte) error {
	mark := key(purgeKind, partition)
	step := func(remove [][]byte) error {
		err := s.submit(ctx, func(tx *view) error {
			if b, err := get(tx.Get, mark); err != nil {
				return err
			} else if b == nil {
				return errPurging // by somebody else, who has ended it
			}
			for _, k := range remove {
				tx.Delete(k)
			}
			return nil
		})
		return err
	}
	for _, kind := range kinds {
		var remove [][]byte
		err := s.each(ctx, key(kind, partition), func(e badger.Entry) error {
			if remove = append(remove, e.Key); len(remove) < maxRequestWrites {
				return nil
			}
			defer func() { remove = nil }()
			return step(remove)
		})
		if err == nil && len(remove) > 0 {
			err = step(remove)
		}
		if errors.Is(err, errPurging) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if err := step([][]byte{mark}); err != nil && !errors.Is(err, errPurging) {
		return err
	}
	return nil
}

// remove deletes the given records and the rest of the partition. They are gone
// from view with the first step, and a crash after it is made good by [New].
func (s *Store) remove(ctx context.Context, purgeKind byte, partition []byte, first [][]byte) error {
	err := s.submit(ctx, func(tx *view) error {
		for _, k := range first {
			tx.Delete(k)
		}
		tx.Put(key(purgeKind, partition), nil)
		return nil
	})
	if err != nil {
		return err
	}
	return s.purge(ctx, purgeKind, partition, purged[purgeKind])
}

// afterPurge runs f on the committer, after a deletion of the partition that
// may be under way has ended.
func (s *Store) afterPurge(ctx context.Context, purgeKind byte, partition []byte, f func(*view) error) error {
	for {
		err := s.submit(ctx, func(tx *view) error {
			if b, err := get(tx.Get, key(purgeKind, partition)); err != nil {
				return err
			} else if b != nil {
				return errPurging
			}
			return f(tx)
		})
		if !errors.Is(err, errPurging) {
			return err
		}
		if err := s.purge(ctx, purgeKind, partition, purged[purgeKind]); err != nil {
			return err
		}
	}
}

// DeleteQueue implements [qs.Queues].
func (s *Store) DeleteQueue(ctx context.Context, id wire.QueueID) error {
	return s.remove(ctx, kindQueuePurge, id[:], [][]byte{key(kindQueue, id[:]), key(kindHead, id[:])})
}

// DeletePool implements [qs.Pools].
func (s *Store) DeletePool(ctx context.Context, pool wire.PoolID) error {
	return s.remove(ctx, kindPoolPurge, pool[:], [][]byte{key(kindPool, pool[:])})
}
