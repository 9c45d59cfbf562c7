package queues

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ReadQueue implements [qs.Queues]. It waits for the committer only on the first
// read of a day.
func (s *Store) ReadQueue(ctx context.Context, id wire.QueueID, today qs.Day, after uint64, limit int) (*wire.QueuePage, error) {
	for range 8 {
		page, err := s.read(ctx, id, today, after, limit)
		if !errors.Is(err, errOvertaken) {
			return page, err
		}
	}
	return nil, ErrCorrupt
}

// errOvertaken: what was being read was acknowledged meanwhile.
var errOvertaken = errors.New("queues: overtaken by an acknowledgement")

func (s *Store) read(ctx context.Context, id wire.QueueID, today qs.Day, after uint64, limit int) (*wire.QueuePage, error) {
	var h head
	if err := mustLoad(s.db.Get, key(kindHead, id[:]), &h); err != nil {
		return nil, err
	}
	if h.used < today {
		if err := s.touch(ctx, id, today); err != nil {
			return nil, err
		}
	}
	limit = min(max(limit, 1), qs.MaxPage)
	out := new(wire.QueuePage)
	seq := max(after, h.floor) + 1
	if seq > h.last {
		out.Empty = true
		return out, nil
	}
	start, err := s.pageOf(id, &h, seq)
	for ; err == nil; start = seq {
		var p page
		ok, err := load(s.db.Get, pageKey(id[:], start), &p)
		if err == nil && !ok {
			err = errOvertaken
		}
		if err != nil {
			return nil, err
		}
		end := start + uint64(len(p.entries))
		if h.expired(p.day, today) {
			seq = end
		} else if err := s.addSegment(out, id, p.segment); err != nil {
			return nil, err
		}
		for ; seq < end && len(out.Entries) < limit; seq++ {
			e := p.entries[seq-start]
			out.Entries = append(out.Entries, wire.QueueEntry{Seq: seq, Segment: p.segment, Counter: e.counter, Ciphertext: e.ciphertext})
		}
		// The last page may have grown since the head was read.
		if out.Empty = seq > h.last && seq >= end; out.Empty || len(out.Entries) == limit {
			return out, nil
		}
	}
	return nil, err
}

// pageOf returns where the page with an entry begins.
func (s *Store) pageOf(id wire.QueueID, h *head, seq uint64) (uint64, error) {
	if seq >= h.tail {
		return h.tail, nil
	}
	found, _, err := s.db.Scan(key(kindEntry, id[:]), pageKey(id[:], seq), 1)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, errOvertaken
	}
	return pageStart(found[0].Key)
}

func seqOf(key []byte) (uint64, error) {
	if len(key) != 1+len(wire.QueueID{})+8 {
		return 0, fmt.Errorf("%w: key", ErrCorrupt)
	}
	return binary.BigEndian.Uint64(key[1+len(wire.QueueID{}):]), nil
}

// addSegment adds the segment that starts at an entry, unless the page has it.
func (s *Store) addSegment(page *wire.QueuePage, id wire.QueueID, start uint64) error {
	if n := len(page.Segments); n > 0 && page.Segments[n-1].Start == start {
		return nil
	}
	var g segment
	ok, err := load(s.db.Get, seqKey(kindSegment, id[:], start), &g)
	if err != nil {
		return err
	}
	if !ok {
		return errOvertaken
	}
	page.Segments = append(page.Segments, wire.Segment{Start: start, ID: g.id, KEMOutput: g.kemOutput})
	return nil
}

func (s *Store) touch(ctx context.Context, id wire.QueueID, today qs.Day) error {
	return s.submit(ctx, func(tx *view) error {
		h, err := tx.mustHead(id)
		if err == nil && h.used < today {
			h.used = today
			tx.putHead(id, &h)
		}
		return err
	})
}

// AckQueue implements [qs.Queues]. Many entries go in several steps, each of
// which leaves the queue as an acknowledgement of fewer would.
func (s *Store) AckQueue(ctx context.Context, id wire.QueueID, today qs.Day, upto uint64) error {
	return s.trim(ctx, id, today, func(_ *view, h *head) (uint64, error) {
		h.used = max(h.used, today)
		return upto, nil
	})
}

// trim removes entries from the floor up to what target says, a part at a time.
func (s *Store) trim(ctx context.Context, id wire.QueueID, today qs.Day, target func(*view, *head) (uint64, error)) error {
	for more := true; more; {
		segments, err := s.segmentStarts(id)
		if err != nil {
			return err
		}
		err = s.submit(ctx, func(tx *view) error {
			h, err := tx.mustHead(id)
			if err != nil {
				return err
			}
			before := h
			upto, err := target(tx, &h)
			if err != nil {
				return err
			}
			upto = min(upto, h.last)
			if more = upto > h.floor+maxRequestWrites; more {
				upto = h.floor + maxRequestWrites
			}
			if err := drop(tx, id, &h, upto, segments); err != nil {
				return err
			}
			if h != before {
				tx.putHead(id, &h)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drop removes the entries up to a number and the segments before that entry's.
func drop(tx *view, id wire.QueueID, h *head, upto uint64, segments []uint64) error {
	p, err := h.removeUpTo(tx, id, upto)
	if err != nil || p == nil {
		return err
	}
	for _, start := range segments {
		if start >= p.segment {
			h.oldest = max(h.oldest, p.segment)
			break
		}
		tx.Delete(seqKey(kindSegment, id[:], start))
		h.oldest = max(h.oldest, start+1)
	}
	return nil
}

// segmentStarts returns the first segments of a queue, or nothing if there is
// only the last one. The starts stay what they are, so they may be read before
// the request that removes them; segments it does not return are removed by a
// later one.
func (s *Store) segmentStarts(id wire.QueueID) ([]uint64, error) {
	var h head
	if ok, err := load(s.db.Get, key(kindHead, id[:]), &h); err != nil || !ok || h.oldest == h.segmentStart {
		return nil, err
	}
	records, _, err := s.db.Scan(key(kindSegment, id[:]), seqKey(kindSegment, id[:], h.oldest), maxRequestWrites)
	if err != nil {
		return nil, err
	}
	var starts []uint64
	for _, r := range records {
		start, err := seqOf(r.Key)
		if err != nil {
			return nil, err
		}
		starts = append(starts, start)
	}
	return starts, nil
}
