package queues

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/storage/postgres"
)

// How many rows one call looks at.
const (
	stepQueues = 256
	stepRows   = 2048
)

// Expire implements [qs.Store].
func (s *Store) Expire(ctx context.Context, e qs.Expiry) error {
	return errors.Join(s.expirePayloads(ctx, e.Payloads), s.expireQueues(ctx, e), s.expireMarks(ctx, e), s.expireClaims(ctx, e.Claims))
}

func (s *Store) expirePayloads(ctx context.Context, limit qs.Day) error {
	for more := true; more; {
		if err := s.db.Write(ctx, "select queues.expire_payloads($1)", []any{int32(limit)}, postgres.One(&more)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) expireQueues(ctx context.Context, e qs.Expiry) error {
	for after := new([16]byte); after != nil; {
		var next *[16]byte
		err := s.db.Write(ctx, "select queues.expire_queues($1, $2, $3, $4, $5)",
			[]any{*after, int32(stepQueues), int32(e.Queues), int32(e.Entries), int32(qs.EntryOverhead)}, postgres.One(&next))
		if err != nil {
			return err
		}
		after = next
	}
	return nil
}

func (s *Store) expireMarks(ctx context.Context, e qs.Expiry) error {
	for queue, mark := new([16]byte), new([16]byte); queue != nil; {
		var nextQueue, nextMark *[16]byte
		err := s.db.Write(ctx, "select * from queues.expire_marks($1, $2, $3, $4, $5)",
			[]any{*queue, *mark, int32(stepRows), int32(e.Marks), int32(e.Claims)}, postgres.One(&nextQueue, &nextMark))
		if err != nil {
			return err
		}
		queue, mark = nextQueue, nextMark
	}
	return nil
}

func (s *Store) expireClaims(ctx context.Context, limit qs.Day) error {
	request := []byte{}
	for pool := new([16]byte); pool != nil; {
		var next *[16]byte
		err := s.db.Write(ctx, "select * from queues.expire_claims($1, $2, $3, $4)", []any{*pool, request, int32(stepRows), int32(limit)}, postgres.One(&next, &request))
		if err != nil {
			return err
		}
		pool = next
	}
	return nil
}
