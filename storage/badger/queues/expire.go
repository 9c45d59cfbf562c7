package queues

import (
	"context"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// Expire implements [qs.Store]. What it decides on a scan it decides again on
// the committer, as the record may have been used since.
func (s *Store) Expire(ctx context.Context, e qs.Expiry) error {
	return errors.Join(
		s.expirePayloads(ctx, e.Payloads),
		s.expireQueues(ctx, e),
		s.expireMarks(ctx, e),
		s.expireClaims(ctx, e.Claims),
	)
}

func partitionOf(key []byte) ([]byte, error) {
	if len(key) < 1+len(wire.QueueID{}) {
		return nil, fmt.Errorf("%w: key", ErrCorrupt)
	}
	return key[1 : 1+len(wire.QueueID{})], nil
}

// expireQueues deletes queues that are not read, and in others the entries that
// are too old, which otherwise stay until the next append or acknowledgement.
func (s *Store) expireQueues(ctx context.Context, e qs.Expiry) error {
	return s.each(ctx, []byte{kindHead}, func(r badger.Entry) error {
		partition, err := partitionOf(r.Key)
		if err != nil {
			return err
		}
		var h head
		if err := unmarshal(r.Value, &h); err != nil {
			return err
		}
		id := wire.QueueID(partition)
		if h.used < e.Queues {
			return s.expireQueue(ctx, id, e.Queues)
		}
		if h.floor == h.last {
			return nil
		}
		err = s.trim(ctx, id, e.Entries, func(tx *view, h *head) (uint64, error) {
			return tooOld(tx, id, h, e.Entries)
		})
		if errors.Is(err, qs.ErrNotFound) {
			return nil // deleted since the scan
		}
		return err
	})
}

// expireQueue deletes a queue unless it was used since the scan.
func (s *Store) expireQueue(ctx context.Context, id wire.QueueID, limit qs.Day) error {
	idle := false
	err := s.submit(ctx, func(tx *view) error {
		h, ok, err := tx.head(id)
		if idle = ok && h.used < limit; err != nil || !idle {
			return err
		}
		tx.Delete(key(kindQueue, id[:]))
		tx.Delete(key(kindHead, id[:]))
		tx.Put(key(kindQueuePurge, id[:]), nil)
		return nil
	})
	if err != nil || !idle {
		return err
	}
	return s.purge(ctx, kindQueuePurge, id[:], purged[kindQueuePurge])
}

// tooOld returns the number of the last of the oldest entries that have
// expired, about as many as one request removes.
func tooOld(tx *view, id wire.QueueID, h *head, today qs.Day) (uint64, error) {
	upto := h.floor
	for start := h.first; upto < min(h.last, h.floor+maxRequestWrites); start = upto + 1 {
		p, err := mustLoadPage(tx.Get, id, start)
		if err != nil {
			return 0, err
		}
		if !h.expired(p.day, today) {
			break
		}
		upto = start + uint64(len(p.entries)) - 1
	}
	return upto, nil
}

func (s *Store) expireMarks(ctx context.Context, e qs.Expiry) error {
	stays := func(m *mark) bool { return m.used >= e.Marks && !(m.brief && m.used < e.Claims) }
	return s.each(ctx, []byte{kindMark}, func(r badger.Entry) error {
		partition, err := partitionOf(r.Key)
		if err != nil {
			return err
		}
		var m mark
		if err := unmarshal(r.Value, &m); err != nil || stays(&m) {
			return err
		}
		return s.submit(ctx, func(tx *view) error {
			id := wire.QueueID(partition)
			h, ok, err := tx.head(id)
			if err != nil || !ok {
				return err // with the queue its marks go
			}
			known, err := load(tx.Get, r.Key, &m)
			if err != nil || !known || stays(&m) {
				return err
			}
			tx.Delete(r.Key)
			h.marks--
			tx.putHead(id, &h)
			return nil
		})
	})
}

func (s *Store) expireClaims(ctx context.Context, limit qs.Day) error {
	var remove [][]byte
	flush := func() error {
		err := s.submit(ctx, func(tx *view) error {
			for _, k := range remove {
				tx.Delete(k)
			}
			return nil
		})
		remove = nil
		return err
	}
	err := s.each(ctx, []byte{kindClaim}, func(r badger.Entry) error {
		var k keyPackage
		if err := unmarshal(r.Value, &k); err != nil || k.day >= limit {
			return err
		}
		if remove = append(remove, r.Key); len(remove) < maxRequestWrites {
			return nil
		}
		return flush()
	})
	if err != nil || len(remove) == 0 {
		return err
	}
	return flush()
}
