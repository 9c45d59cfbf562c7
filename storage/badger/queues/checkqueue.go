package queues

import (
	"bytes"
	"encoding/binary"
	"slices"

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

// heads checks each queue's pages, segments and marks against its head. Days
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
		if err := c.pages(id, h); err != nil {
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

// pages checks that a queue's pages are dense, from its last entry back to its
// floor, that each adds its entries to the sum, and that each has its segment.
func (c *check) pages(id []byte, h *head) error {
	next, total, segmentStart := h.last+1, h.total, h.segmentStart
	first := new(page)
	err := visit(c, key(kindEntry, id), 1+partitionSize+8, func() *page { return new(page) }, func(k []byte, p *page) error {
		start := ^binary.BigEndian.Uint64(k[1+partitionSize:])
		if start+uint64(len(p.entries)) != next {
			c.Problem(kindEntry, gap)
		}
		if p.total+p.octets(len(p.entries)) != total {
			c.Problem(kindEntry, "sum of octets")
		}
		if next == h.last+1 && start != h.tail {
			c.Problem(kindHead, "last page is another")
		}
		if slices.ContainsFunc(p.entries, func(e pageEntry) bool { return len(e.ciphertext) > qs.MaxCiphertext }) {
			c.Problem(kindEntry, "size")
		}
		next, total, first = start, p.total, p
		ok, err := c.Has(seqKey(kindSegment, id, p.segment))
		if !ok || p.segment > start || p.segment > segmentStart {
			c.Problem(kindEntry, "its segment is missing")
		}
		segmentStart = p.segment
		return err
	})
	if err != nil {
		return err
	}
	if h.floor == h.last {
		if h.first != 0 || h.tail != 0 || next <= h.last {
			c.Problem(kindHead, miscounted)
		}
		return nil
	}
	acked := int(h.floor) + 1 - int(next)
	if next != h.first || acked < 0 || acked >= len(first.entries) || total+first.octets(acked) != h.freed {
		c.Problem(kindHead, miscounted)
	}
	return nil
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
