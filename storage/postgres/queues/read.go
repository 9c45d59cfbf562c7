package queues

import (
	"context"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

func segmentNumber(id wire.SegmentID) int64 { return int64(binary.BigEndian.Uint64(id[:])) }

func segmentID(n int64) (id wire.SegmentID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// maxTrim is how many entries one call removes.
const maxTrim = 4096

// ReadQueue implements [qs.Queues]. It writes on the first read of a day only.
func (s *Store) ReadQueue(ctx context.Context, id wire.QueueID, today qs.Day, after uint64, limit int) (*wire.QueuePage, error) {
	limit = min(max(limit, 1), qs.MaxPage)
	var page *wire.QueuePage
	var used int32
	err := s.db.Read(ctx, "select * from queues.read_queue($1, $2, $3, $4)", []any{[16]byte(id), int32(today), clamped(after), int32(limit + 1)},
		func(r postgres.Rows) error {
			page = nil
			for r.Next() {
				var seq, start, segment *int64
				var counter *int32
				var ciphertext, kemOutput []byte
				if err := r.Scan(&used, &seq, &start, &counter, &ciphertext, &segment, &kemOutput); err != nil {
					return err
				}
				if page == nil {
					page = &wire.QueuePage{Empty: true}
				}
				if seq == nil {
					continue
				}
				if len(page.Entries) == limit {
					page.Empty = false
					continue
				}
				if segment != nil {
					page.Segments = append(page.Segments, wire.Segment{Start: uint64(*start), ID: segmentID(*segment), KEMOutput: kemOutput})
				}
				page.Entries = append(page.Entries, wire.QueueEntry{Seq: uint64(*seq), Segment: uint64(*start), Counter: uint32(*counter), Ciphertext: ciphertext})
			}
			return nil
		})
	if err == nil && page == nil {
		err = qs.ErrNotFound
	}
	if err == nil && used < int32(today) {
		err = s.db.Write(ctx, "select queues.touch_queue($1, $2)", []any{[16]byte(id), int32(today)}, void)
	}
	if err != nil {
		return nil, err
	}
	return page, nil
}

// AckQueue implements [qs.Queues]. Many entries go in several steps, each of
// which leaves the queue as an acknowledgement of fewer would.
func (s *Store) AckQueue(ctx context.Context, id wire.QueueID, today qs.Day, upto uint64) error {
	for {
		var left *int64
		err := s.db.Write(ctx, "select queues.ack_queue($1, $2, $3, $4, $5)",
			[]any{[16]byte(id), int32(today), clamped(upto), int32(maxTrim), int32(qs.EntryOverhead)}, postgres.One(&left))
		switch {
		case err != nil:
			return err
		case left == nil:
			return qs.ErrNotFound
		case *left == 0:
			return nil
		}
	}
}
