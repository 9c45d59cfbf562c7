package qs

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// segment is a segment key in use. It lives in memory only: after a restart, or
// when it was not used for long, a new segment begins.
type segment struct {
	key       seal.SegmentKey
	id        wire.SegmentID
	kemOutput []byte
	began     time.Time
	used      atomic.Uint32 // counters given out
}

// counter returns a counter for the next entry, or false if the segment has had
// its time or number.
func (g *segment) counter(cfg *Config, now time.Time) (uint32, bool) {
	if now.Sub(g.began) >= cfg.SegmentAge {
		return 0, false
	}
	n := g.used.Add(1) - 1
	return n, n < cfg.SegmentEntries
}

// sealItem seals an item for a queue's owner and fills in what the store needs
// to know of it. It fails with [ErrNotFound] if there is no such queue.
func (s *Service) sealItem(ctx context.Context, a *Append, item *wire.Item) error {
	now := s.cfg.Now()
	g, ok := s.segments.get(a.Queue, now)
	var counter uint32
	if ok {
		counter, ok = g.counter(&s.cfg, now)
	}
	if !ok {
		var err error
		if g, err = s.newSegment(ctx, a.Queue, now); err != nil {
			return err
		}
		counter = g.used.Add(1) - 1
		// Another segment begun at the same moment is replaced; both are good.
		s.segments.put(a.Queue, g, now)
	}
	ciphertext, err := s.ready.of(g, a.Queue, counter).Seal(counter, item)
	if err != nil {
		return err
	}
	a.Segment, a.KEMOutput, a.Counter, a.Ciphertext = g.id, g.kemOutput, counter, ciphertext
	return nil
}

func (s *Service) newSegment(ctx context.Context, queue wire.QueueID, now time.Time) (*segment, error) {
	q, err := s.cfg.Store.Queue(ctx, queue)
	if err != nil {
		return nil, err
	}
	g := &segment{began: now}
	if _, err := io.ReadFull(s.cfg.Rand, g.id[:]); err != nil {
		return nil, err
	}
	g.key, g.kemOutput, err = seal.NewSegment(&q.SegmentKey, queue)
	return g, err
}

// ready keeps segments of queues that get entries all the time: making one takes
// half a microsecond and more than 1 KB.
type ready [1 << 13]atomic.Pointer[readySegment]

type readySegment struct {
	from *segment
	*seal.Segment
}

// of returns the segment. It takes the place of another's with every eighth entry,
// so that those that come and go hardly do.
func (r *ready) of(g *segment, queue wire.QueueID, counter uint32) *seal.Segment {
	slot := &r[binary.BigEndian.Uint16(queue[:])%uint16(len(r))]
	has := slot.Load()
	if has != nil && has.from == g {
		return has.Segment
	}
	made := g.key.Segment()
	if has == nil || counter%8 == 0 {
		slot.Store(&readySegment{g, made})
	}
	return made
}

// expire forgets those that are not used any more.
func (r *ready) expire(cfg *Config, now time.Time) {
	for i := range r {
		if has := r[i].Load(); has != nil && now.Sub(has.from.began) >= cfg.SegmentAge {
			r[i].CompareAndSwap(has, nil)
		}
	}
}
