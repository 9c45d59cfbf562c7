package queues

import (
	"bytes"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/qs"
)

// queues checks the records that seldom change, each against its head.
func (c *check) queues() error {
	return visit(c, []byte{kindQueue}, 1+partitionSize, func() *queueRecord { return new(queueRecord) }, func(k []byte, q *queueRecord) error {
		var h, want head
		ok, err := c.load(key(kindHead, k[1:]), &h)
		if err != nil {
			return err
		}
		if want.configure(&q.Settings); !ok {
			c.Problem(kindQueue, "head is missing")
		} else if h.maxEntries != want.maxEntries || h.maxBytes != want.maxBytes || h.ttl != want.ttl || h.overflow != want.overflow || h.push != want.push {
			c.Problem(kindQueue, "head has other settings")
		}
		return nil
	})
}

// heads checks each queue's entries, segments and marks against its head. Days
// are not compared: a clock may be set back.
func (c *check) heads() error {
	return visit(c, []byte{kindHead}, 1+partitionSize, func() *head { return new(head) }, func(k []byte, h *head) error {
		id := bytes.Clone(k[1:])
		ok, err := c.Has(key(kindQueue, id))
		if err != nil {
			return err
		}
		if !ok {
			c.Problem(kindHead, "queue is missing")
		}
		if h.floor == h.last && h.freed != h.total || h.segmentStart > h.last || h.oldest > h.segmentStart || h.marks > qs.MaxMarks ||
			h.last > 0 && h.segmentStart == 0 {
			c.Problem(kindHead, "numbers contradict each other")
		}
		if err := c.segments(id, h); err != nil {
			return err
		}
		if err := c.entries(id, h); err != nil {
			return err
		}
		return c.marks(id, h)
	})
}

// segments checks that a queue's segments lie between the oldest and the last
// one of its head, and that the last one is there.
func (c *check) segments(id []byte, h *head) error {
	last := false
	err := visit(c, key(kindSegment, id), 1+partitionSize+8, func() *segment { return new(segment) }, func(k []byte, g *segment) error {
		start := binary.BigEndian.Uint64(k[1+partitionSize:])
		if start < h.oldest || start > h.segmentStart {
			c.Problem(kindSegment, "not between the oldest and the last of its queue")
		}
		if last = start == h.segmentStart; last && g.id != h.segment {
			c.Problem(kindSegment, "head names another")
		}
		return nil
	})
	if err == nil && h.segmentStart != 0 && !last {
		c.Problem(kindHead, "last segment is missing")
	}
	return err
}

// entries checks that a queue's entries are dense from its floor to its last,
// that each adds its size to the sum, and that each has its segment.
func (c *check) entries(id []byte, h *head) error {
	seq, total, segmentStart := h.floor, h.freed, uint64(0)
	err := visit(c, key(kindEntry, id), 1+partitionSize+8, func() *entry { return new(entry) }, func(k []byte, e *entry) error {
		at := binary.BigEndian.Uint64(k[1+partitionSize:])
		if at != seq+1 {
			c.Problem(kindEntry, gap)
		}
		if e.total != total+uint64(len(e.ciphertext))+qs.EntryOverhead {
			c.Problem(kindEntry, "sum of octets")
		}
		seq, total = at, e.total
		if len(e.ciphertext) > qs.MaxCiphertext {
			c.Problem(kindEntry, "size")
		}
		if e.segment == segmentStart {
			return nil
		}
		ok, err := c.Has(seqKey(kindSegment, id, e.segment))
		if !ok || e.segment > at || e.segment < segmentStart {
			c.Problem(kindEntry, "its segment is missing")
		}
		segmentStart = e.segment
		return err
	})
	if err == nil && (seq != h.last || total != h.total) {
		c.Problem(kindHead, miscounted)
	}
	return err
}

func (c *check) marks(id []byte, h *head) error {
	var n uint32
	err := visit(c, key(kindMark, id), 1+partitionSize+len(qs.Mark{}), func() *mark { return new(mark) }, func([]byte, *mark) error {
		n++
		return nil
	})
	if err == nil && n != h.marks {
		c.Problem(kindHead, miscounted)
	}
	return err
}
