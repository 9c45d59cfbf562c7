package queues

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// What one request to the committer holds at most, and how many old entries or
// pages an append removes: together they stay far below the committer's limits.
const (
	maxAppends     = 256
	maxAppendBytes = 512 << 10
	maxRemoved     = 8
)

// Append implements [qs.Queues]. Entries go to the committer in parts; a part is
// durable as a whole or not at all, which is more than the contract asks, and
// after a crash between two parts the caller's retry finds the first one's marks.
func (s *Store) Append(ctx context.Context, today qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	return s.append(ctx, today, entries, nil)
}

// AppendPayload implements [qs.Together]. A payload of one chunk goes in the request
// that has the first entries; the limits leave no room for more.
func (s *Store) AppendPayload(ctx context.Context, today qs.Day, id wire.PayloadID, payload []byte, n int, entries []qs.Append) ([]qs.Appended, error) {
	if len(payload) > chunkSize || len(entries) == 0 {
		if err := s.PutPayload(ctx, id, payload, n); err != nil {
			return nil, err
		}
		return s.Append(ctx, today, entries)
	}
	return s.append(ctx, today, entries, putPayload(id, payload, n))
}

// append adds entries, after what else the first request does.
func (s *Store) append(ctx context.Context, today qs.Day, entries []qs.Append, first func(*view)) ([]qs.Appended, error) {
	out := make([]qs.Appended, len(entries))
	for done := 0; done < len(entries); {
		n, size := 0, 0
		for n < maxAppends && done+n < len(entries) {
			size += len(entries[done+n].Ciphertext) + len(entries[done+n].KEMOutput)
			if n > 0 && size > maxAppendBytes {
				break
			}
			n++
		}
		part, results := entries[done:done+n], out[done:done+n]
		err := s.submit(ctx, func(tx *view) (err error) {
			tx.expected = n * (headSize + markSize)
			if done == 0 && first != nil {
				first(tx)
			}
			for i := range part {
				results[i], err = add(tx, today, &part[i])
				if errors.Is(err, ErrCorrupt) {
					// A damaged queue must not hold up the others.
					results[i], err = qs.Appended{Outcome: wire.Full}, nil
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		done += n
	}
	return out, nil
}

// add appends one entry, or says why not. The order of the checks is that of
// what they tell: that an address was revoked before that it was bound to
// another group, and both before that the queue is full. An entry that is there
// already needs no room.
func add(tx *view, today qs.Day, a *qs.Append) (qs.Appended, error) {
	if len(a.Ciphertext) > qs.MaxCiphertext {
		panic("queues: entry over the limit")
	}
	refused := func(o wire.Outcome) (qs.Appended, error) { return qs.Appended{Outcome: o}, nil }
	h, ok, err := tx.head(a.Queue)
	if err != nil || !ok {
		return qs.Appended{Outcome: wire.UnknownAddress}, err
	}
	if a.Parent != (qs.Mark{}) {
		parent, _, err := tx.mark(a.Queue, a.Parent)
		if err != nil {
			return qs.Appended{}, err
		}
		if parent.revoked {
			return refused(wire.Revoked)
		}
	}
	m, known, err := tx.mark(a.Queue, a.Mark)
	if !known {
		m = mark{claim: a.Claim, brief: a.Brief}
	}
	switch {
	case err != nil:
		return qs.Appended{}, err
	case m.revoked:
		return refused(wire.Revoked)
	case m.claim != a.Claim:
		return refused(wire.UnknownAddress)
	case known && a.Number <= m.number:
		return refused(wire.Delivered)
	case !known && h.marks >= qs.MaxMarks:
		return refused(wire.Full)
	}
	fits, err := makeRoom(tx, today, a, &h)
	if err != nil {
		return qs.Appended{}, err
	}
	if !fits {
		tx.putHead(a.Queue, &h) // expired entries may have gone
		return refused(wire.Full)
	}
	if !known {
		h.marks++
	}
	m.number, m.used = a.Number, today
	h.last++
	if h.segmentStart == 0 || h.segment != a.Segment {
		h.segment, h.segmentStart = a.Segment, h.last
		if h.oldest == 0 {
			h.oldest = h.last
		}
		tx.Put(seqKey(kindSegment, a.Queue[:], h.last), marshal(&segment{a.Segment, a.KEMOutput}))
	}
	h.addToPage(tx, today, a)
	h.total += size(a)
	tx.putMark(a.Queue, a.Mark, &m)
	tx.putHead(a.Queue, &h)
	return qs.Appended{Outcome: wire.Delivered, Fresh: true, Push: h.push}, nil
}

// size is what an entry counts for in its queue.
func size(a *qs.Append) uint64 { return uint64(len(a.Ciphertext)) + qs.EntryOverhead }

// makeRoom removes entries that have expired, and by the queue's drop rule
// the oldest ones, until the new entry fits. Of many that are too old or too
// much it removes a few pages or entries at a time, and others follow with later
// appends.
func makeRoom(tx *view, today qs.Day, a *qs.Append, h *head) (fits bool, err error) {
	for range maxRemoved {
		fits = h.fits(a)
		if h.floor == h.last {
			h.oldestDay = today
			return fits, nil
		}
		if h.expired(h.oldestDay, today) {
			p, err := h.firstPage(tx, a.Queue)
			if err != nil {
				return false, err
			}
			if h.oldestDay = p.day; h.expired(p.day, today) {
				if _, err := h.removeUpTo(tx, a.Queue, h.first+uint64(len(p.entries))-1); err != nil {
					return false, err
				}
				continue
			}
		}
		if fits || h.overflow != wire.OverflowDropOldest {
			return fits, nil
		}
		if _, err := h.removeUpTo(tx, a.Queue, h.floor+1); err != nil {
			return false, err
		}
	}
	return h.fits(a), nil
}

// fits reports whether there is room for an entry.
func (h *head) fits(a *qs.Append) bool {
	return h.last-h.floor < uint64(h.maxEntries) && h.total-h.freed+size(a) <= h.maxBytes
}
