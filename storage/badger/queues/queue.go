package queues

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// load reads a record into v and reports whether there is one.
func load(read getter, key []byte, v record) (bool, error) {
	b, err := get(read, key)
	if err != nil || b == nil {
		return false, err
	}
	return true, unmarshal(b, v)
}

// mustLoad is load that fails with [qs.ErrNotFound].
func mustLoad(read getter, key []byte, v record) error {
	ok, err := load(read, key, v)
	if err == nil && !ok {
		err = qs.ErrNotFound
	}
	return err
}

// CreateQueue implements [qs.Queues]. If the queue is being deleted, or was when
// a crash came, that ends first, so that nothing of the old queue is in the new.
func (s *Store) CreateQueue(ctx context.Context, id wire.QueueID, today qs.Day, q qs.Queue) (qs.Queue, error) {
	var stored queueRecord
	err := s.afterPurge(ctx, kindQueuePurge, id[:], func(tx *view) error {
		stored = queueRecord{}
		if ok, err := load(tx.Get, key(kindQueue, id[:]), &stored); err != nil || ok {
			return err
		}
		stored = queueRecord{q}
		h := head{used: today}
		h.configure(&q.Settings)
		tx.Put(key(kindQueue, id[:]), marshal(&stored))
		tx.putHead(id, &h)
		return nil
	})
	return stored.Queue, err
}

// Queue implements [qs.Queues].
func (s *Store) Queue(_ context.Context, id wire.QueueID) (qs.Queue, error) {
	var q queueRecord
	err := mustLoad(s.db.Get, key(kindQueue, id[:]), &q)
	return q.Queue, err
}

// ConfigureQueue implements [qs.Queues]. What is over a smaller limit goes with
// later appends, by the queue's drop rule.
func (s *Store) ConfigureQueue(ctx context.Context, id wire.QueueID, settings wire.QueueSettings) (wire.QueueSettings, error) {
	var q queueRecord
	err := s.submit(ctx, func(tx *view) error {
		if err := mustLoad(tx.Get, key(kindQueue, id[:]), &q); err != nil {
			return err
		}
		h, err := tx.mustHead(id)
		if err != nil {
			return err
		}
		if settings.Version <= q.Settings.Version {
			return nil
		}
		q.Settings = settings
		h.configure(&settings)
		tx.Put(key(kindQueue, id[:]), marshal(&q))
		tx.putHead(id, &h)
		return nil
	})
	return q.Settings, err
}

// Revoke implements [qs.Queues]. The mark keeps number and claim: if it is ever
// forgotten, all of it is.
func (s *Store) Revoke(ctx context.Context, id wire.QueueID, today qs.Day, m qs.Mark) error {
	return s.submit(ctx, func(tx *view) error {
		h, err := tx.mustHead(id)
		if err != nil {
			return err
		}
		stored, known, err := tx.mark(id, m)
		if err != nil {
			return err
		}
		if !known {
			if h.marks >= qs.MaxMarks {
				return qs.ErrLimit
			}
			h.marks++
			tx.putHead(id, &h)
		}
		stored.revoked, stored.brief, stored.used = true, false, today
		tx.putMark(id, m, &stored)
		return nil
	})
}
