package queues

import (
	"context"
	"math/rand/v2"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

// Publish implements [qs.Pools].
func (s *Store) Publish(ctx context.Context, id wire.PoolID, part qs.Part) (wire.PoolStatus, error) {
	if err := qs.CheckPart(&part); err != nil {
		return wire.PoolStatus{}, err
	}
	encoded, days, resorts := [][]byte{}, []int32{}, []bool{}
	for _, k := range part.KeyPackages {
		encoded, days, resorts = append(encoded, octets(k.Encoded)), append(days, int32(k.LastDay)), append(resorts, k.LastResort)
	}
	var fits bool
	var batch *int64
	var left, staged *int32
	err := s.db.Write(ctx, "select * from queues.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		[]any{[16]byte(id), part.Key[:], int32(part.Kind), ordered(part.Batch), int32(part.First), encoded, days, resorts, part.Last, int64(rand.Uint64())},
		postgres.One(&fits, &batch, &left, &staged))
	if err == nil && !fits {
		err = qs.ErrBatch
	}
	if err != nil {
		return wire.PoolStatus{}, err
	}
	return wire.PoolStatus{Batch: number(*batch), Left: uint32(*left), Staged: uint32(*staged)}, nil
}

// NoteRestores says how often the database was replaced by an older copy, which
// still has KeyPackages that left since it was made. None of a batch from before is
// handed out after that, but the one of last resort. A lower number changes nothing.
func (s *Store) NoteRestores(ctx context.Context, times int) error {
	return s.db.Write(ctx, "select queues.note_restores($1)", []any{int32(times)}, void)
}

// PoolKey implements [qs.Pools].
func (s *Store) PoolKey(ctx context.Context, id wire.PoolID) (key [32]byte, err error) {
	var stored []byte
	var ok bool
	err = s.db.Read(ctx, "select * from queues.pool_key($1)", []any{[16]byte(id)}, found(&ok, &stored))
	if err == nil && !ok {
		err = qs.ErrNotFound
	}
	copy(key[:], stored)
	return key, err
}

// Allow implements [qs.Pools]. A contact that was ended keeps its row, so that an
// old request cannot let it in again.
func (s *Store) Allow(ctx context.Context, id wire.PoolID, contact wire.ContactHash, allow bool) error {
	var refused int32
	err := s.db.Write(ctx, "select queues.allow_contact($1, $2, $3, $4)", []any{[16]byte(id), contact[:], allow, int32(qs.MaxContacts)}, postgres.One(&refused))
	if err != nil {
		return err
	}
	return refusals[refused]
}

// Take implements [qs.Pools].
func (s *Store) Take(ctx context.Context, id wire.PoolID, today qs.Day, c qs.Claim) (encoded []byte, err error) {
	var contact wire.ContactHash
	if c.Contact != nil {
		contact = *c.Contact
	}
	err = s.db.Write(ctx, "select queues.take($1, $2, $3, $4, $5, $6)",
		[]any{[16]byte(id), int32(today), int32(c.Kind), c.Kind == wire.PoolConnection, contact[:], c.Request[:]}, postgres.One(&encoded))
	if err == nil && encoded == nil {
		err = qs.ErrExhausted
	}
	return encoded, err
}

// DeletePool implements [qs.Pools].
func (s *Store) DeletePool(ctx context.Context, id wire.PoolID) error {
	return s.db.Write(ctx, "select queues.delete_pool($1)", []any{[16]byte(id)}, void)
}
