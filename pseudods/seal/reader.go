package seal

import (
	"maps"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Reader opens the pages of one queue for its owner. It keeps the segments it
// has opened, so that a segment costs one public-key operation. It is not safe
// for concurrent use.
type Reader struct {
	owner    *PrivateKey
	queue    wire.QueueID
	segments map[wire.SegmentID]*Segment
}

// NewReader returns a reader with the private key of the queue's segment key.
func NewReader(owner *PrivateKey, queue wire.QueueID) *Reader {
	return &Reader{owner: owner, queue: queue, segments: map[wire.SegmentID]*Segment{}}
}

// Opened is an entry of a page.
type Opened struct {
	Seq  uint64
	Item *wire.Item // nil if Err is not
	Err  error
}

// Open opens the entries of a page, in order. An entry that does not open has an
// error of its own, and does not keep the reader from the others: a service that
// wants to withhold entries can do so anyway.
func (r *Reader) Open(page *wire.QueuePage) []Opened {
	ids := make(map[uint64]wire.SegmentID, len(page.Segments))
	present := make(map[wire.SegmentID]bool, len(page.Segments))
	for _, s := range page.Segments {
		ids[s.Start], present[s.ID] = s.ID, true
		if r.segments[s.ID] == nil {
			if opened, err := OpenSegment(r.owner, r.queue, s.KEMOutput); err == nil {
				r.segments[s.ID] = opened
			}
		}
	}
	if len(present) > 0 { // pages come in order, so earlier segments are over
		maps.DeleteFunc(r.segments, func(id wire.SegmentID, _ *Segment) bool { return !present[id] })
	}
	out := make([]Opened, len(page.Entries))
	for i := range page.Entries {
		e := &page.Entries[i]
		out[i] = Opened{Seq: e.Seq, Err: ErrOpen}
		if s := r.segments[ids[e.Segment]]; s != nil {
			out[i].Item, out[i].Err = s.Open(e)
		}
	}
	return out
}
