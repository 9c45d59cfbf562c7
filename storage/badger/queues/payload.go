package queues

import (
	"context"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// chunkSize is what one record holds of a payload.
const chunkSize = 256 << 10

// PutPayload implements [qs.Payloads]. The chunks and the references become
// durable together.
func (s *Store) PutPayload(ctx context.Context, id wire.PayloadID, payload []byte, n int) error {
	put := putPayload(id, payload, n)
	return s.submit(ctx, func(tx *view) error {
		put(tx)
		return nil
	})
}

// putPayload returns what puts a payload in.
func putPayload(id wire.PayloadID, payload []byte, n int) func(*view) {
	if len(payload) > qs.MaxPayload || n < 1 || n > qs.MaxRecipients {
		panic("queues: payload over the limits")
	}
	f := references{bits: make([]byte, (n+7)/8)}
	for i := range n {
		f.bits[i/8] |= 1 << (i % 8)
	}
	for from := 0; from < len(payload); from += chunkSize {
		f.chunks++
	}
	return func(tx *view) {
		for i := range f.chunks {
			from := int(i) * chunkSize
			tx.Put(key(kindPayload, id[:], i), payload[from:min(from+chunkSize, len(payload))])
		}
		tx.Put(key(kindReferences, id[:]), marshal(&f))
	}
}

// Payload implements [qs.Payloads]. Chunks are read one by one; if the payload
// is released meanwhile it is not found, never cut short.
func (s *Store) Payload(_ context.Context, id wire.PayloadID) ([]byte, error) {
	var f references
	if err := mustLoad(s.db.Get, key(kindReferences, id[:]), &f); err != nil {
		return nil, err
	}
	payload := []byte{}
	for i := range f.chunks {
		chunk, err := get(s.db.Get, key(kindPayload, id[:], i))
		if err != nil {
			return nil, err
		}
		if chunk == nil {
			return nil, qs.ErrNotFound // released since
		}
		if payload = append(payload, chunk...); f.chunks == 1 {
			return chunk, nil
		}
	}
	return payload, nil
}

// Release implements [qs.Payloads]. What has no references is gone from view;
// with the last of them the chunks go in the same request.
func (s *Store) Release(ctx context.Context, id wire.PayloadID, recipients []uint16) error {
	return s.submit(ctx, func(tx *view) error {
		var f references
		if ok, err := load(tx.Get, key(kindReferences, id[:]), &f); err != nil || !ok {
			return err
		}
		before := string(f.bits)
		for _, i := range recipients {
			if int(i)/8 < len(f.bits) {
				f.bits[i/8] &^= 1 << (i % 8)
			}
		}
		if string(f.bits) == before {
			return nil
		}
		var left byte
		for _, b := range f.bits {
			left |= b
		}
		if left != 0 {
			tx.Put(key(kindReferences, id[:]), marshal(&f))
			return nil
		}
		tx.Delete(key(kindReferences, id[:]))
		for i := range f.chunks {
			tx.Delete(key(kindPayload, id[:], i))
		}
		return nil
	})
}

// expirePayloads drops the days before limit, one by one. References go first: a
// crash in between leaves chunks that nobody finds, and that the next call drops.
func (s *Store) expirePayloads(ctx context.Context, limit qs.Day) error {
	for _, kind := range []byte{kindReferences, kindPayload} {
		for {
			first, _, err := s.db.Scan([]byte{kind}, nil, 1)
			if err != nil {
				return err
			}
			if len(first) == 0 {
				break
			}
			if len(first[0].Key) < 1+len(wire.PayloadID{}) {
				return ErrCorrupt
			}
			day := first[0].Key[1:5]
			if qs.Day(binary.BigEndian.Uint32(day)) >= limit {
				break
			}
			if err := s.db.DropPrefix(ctx, key(kind, day)); err != nil {
				return err
			}
		}
	}
	return nil
}
