package queues

import (
	"context"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

// PutPayload implements [qs.Payloads]. The first payload of a day makes its
// partition.
func (s *Store) PutPayload(ctx context.Context, id wire.PayloadID, payload []byte, n int) error {
	if len(payload) > qs.MaxPayload || n < 1 || n > qs.MaxRecipients {
		panic("queues: payload over the limits")
	}
	needed := make([]byte, (n+7)/8)
	for i := range n {
		needed[i/8] |= 1 << (i % 8)
	}
	day := int32(qs.PayloadDay(id))
	var there bool
	put := func() error {
		return s.db.Write(ctx, "select queues.put_payload($1, $2, $3, $4)", []any{[16]byte(id), day, octets(payload), needed}, postgres.One(&there))
	}
	err := put()
	if err == nil && !there {
		if err = s.db.Write(ctx, "select queues.add_day_for($1, $2)", []any{[16]byte(id), day}, void); err == nil {
			err = put()
		}
		if err == nil && !there {
			err = fmt.Errorf("%w: no partition", postgres.ErrRefused)
		}
	}
	return err
}

// Payload implements [qs.Payloads].
func (s *Store) Payload(ctx context.Context, id wire.PayloadID) ([]byte, error) {
	var payload []byte
	var ok bool
	err := s.db.Read(ctx, "select * from queues.get_payload($1, $2)", []any{[16]byte(id), int32(qs.PayloadDay(id))}, found(&ok, &payload))
	if err == nil && !ok {
		err = qs.ErrNotFound
	}
	return payload, err
}

// Release implements [qs.Payloads].
func (s *Store) Release(ctx context.Context, id wire.PayloadID, recipients []uint16) error {
	indices := make([]int32, len(recipients))
	for i, r := range recipients {
		indices[i] = int32(r)
	}
	return s.db.Write(ctx, "select queues.release_payload($1, $2, $3)", []any{[16]byte(id), int32(qs.PayloadDay(id)), indices}, void)
}
