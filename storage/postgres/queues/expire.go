package queues

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/postgres"
)

// How many rows one call looks at.
const (
	stepQueues = 256
	stepRows   = 2048
)

// Alone implements [qs.Shared].
func (s *Store) Alone(ctx context.Context, every time.Duration, walk func(context.Context) error) error {
	_, err := s.duties.Round(ctx, "expiry", every, walk)
	return err
}

// Expire implements [qs.Store]. Shards go one after the other, and one that fails
// does not keep the next from it.
func (s *Store) Expire(ctx context.Context, e qs.Expiry) (err error) {
	for part := range s.db.Shards() {
		err = errors.Join(err, s.expirePayloads(ctx, part, e.Payloads), s.expireQueues(ctx, part, e), s.expireMarks(ctx, part, e), s.expireClaims(ctx, part, e.Claims))
	}
	return err
}

func (s *Store) expirePayloads(ctx context.Context, part int, limit qs.Day) error {
	for more := true; more; {
		if err := s.db.Write(ctx, "select queues.expire_payloads_at($1, $2)", []any{part, int32(limit)}, postgres.One(&more)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) expireQueues(ctx context.Context, part int, e qs.Expiry) error {
	for after := new([16]byte); after != nil; {
		var next *[16]byte
		err := s.db.Write(ctx, "select queues.expire_queues_at($1, $2, $3, $4, $5, $6)",
			[]any{part, *after, int32(stepQueues), int32(e.Queues), int32(e.Entries), int32(qs.EntryOverhead)}, postgres.One(&next))
		if err != nil {
			return err
		}
		after = next
	}
	return nil
}

func (s *Store) expireMarks(ctx context.Context, part int, e qs.Expiry) error {
	for queue, mark := new([16]byte), new([16]byte); queue != nil; {
		var nextQueue, nextMark *[16]byte
		err := s.db.Write(ctx, "select * from queues.expire_marks_at($1, $2, $3, $4, $5, $6)",
			[]any{part, *queue, *mark, int32(stepRows), int32(e.Marks), int32(e.Claims)}, postgres.One(&nextQueue, &nextMark))
		if err != nil {
			return err
		}
		queue, mark = nextQueue, nextMark
	}
	return nil
}

func (s *Store) expireClaims(ctx context.Context, part int, limit qs.Day) error {
	request := []byte{}
	for pool := new([16]byte); pool != nil; {
		var next *[16]byte
		err := s.db.Write(ctx, "select * from queues.expire_claims_at($1, $2, $3, $4, $5)", []any{part, *pool, request, int32(stepRows), int32(limit)}, postgres.One(&next, &request))
		if err != nil {
			return err
		}
		pool = next
	}
	return nil
}
