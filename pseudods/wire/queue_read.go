package wire

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// ReadQueue is the body of [OpReadQueue]; the answer is a [QueuePage].
type ReadQueue struct {
	Queue QueueID
	// After is the sequence number of the last entry that the reader has: zero
	// at first.
	After uint64
	// Max is how many entries the reader wants at most; zero leaves it to the
	// service.
	Max uint16
	// Wait is how many seconds to wait for an entry if there is none. The
	// service has a ceiling. A newer reader of the queue ends the wait.
	Wait uint16
}

// MarshalTLS encodes q.
func (q *ReadQueue) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(q.Queue[:])
	w.Uint64(q.After)
	w.Uint16(q.Max)
	w.Uint16(q.Wait)
}

// UnmarshalTLS decodes q.
func (q *ReadQueue) UnmarshalTLS(r *tlscodec.Reader) {
	copy(q.Queue[:], r.Fixed(len(q.Queue)))
	q.After, q.Max, q.Wait = r.Uint64(), r.Uint16(), r.Uint16()
}

// SegmentID is random for each segment.
type SegmentID [8]byte

// Segment announces the key of a run of entries. The key itself is what the
// queue's owner decapsulates, see package seal.
type Segment struct {
	// Start is the sequence number of the segment's first entry. An identifier
	// may appear again with a later start; it is then the same key.
	Start     uint64
	ID        SegmentID
	KEMOutput []byte
}

// QueueEntry is an entry as it lies in the queue.
type QueueEntry struct {
	// Seq grows by one from entry to entry. A gap means that entries expired
	// or were dropped because the queue was full.
	Seq uint64
	// Segment is the Start of the entry's segment.
	Segment uint64
	// Counter is the entry's number in the segment's key, for the nonce.
	Counter uint32
	// Ciphertext is of an [Item].
	Ciphertext []byte
}

// QueuePage is a part of a queue, in order.
type QueuePage struct {
	// Segments of the page's entries, each once.
	Segments []Segment
	Entries  []QueueEntry
	// Empty tells that nothing followed the last entry when the page was read.
	Empty bool
}

// MarshalTLS encodes p.
func (p *QueuePage) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, s := range p.Segments {
			w.Uint64(s.Start)
			w.Raw(s.ID[:])
			w.Opaque(s.KEMOutput)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, e := range p.Entries {
			w.Uint64(e.Seq)
			w.Uint64(e.Segment)
			w.Uint32(e.Counter)
			w.Opaque(e.Ciphertext)
		}
	})
	w.Bool(p.Empty)
}

// UnmarshalTLS decodes p.
func (p *QueuePage) UnmarshalTLS(r *tlscodec.Reader) {
	*p = QueuePage{}
	r.Vector(func(r *tlscodec.Reader) {
		s := Segment{Start: r.Uint64()}
		copy(s.ID[:], r.Fixed(len(s.ID)))
		s.KEMOutput = r.Opaque()
		p.Segments = append(p.Segments, s)
	})
	r.Vector(func(r *tlscodec.Reader) {
		p.Entries = append(p.Entries, QueueEntry{Seq: r.Uint64(), Segment: r.Uint64(), Counter: r.Uint32(), Ciphertext: r.Opaque()})
	})
	p.Empty = r.Bool()
}

// PayloadID names a payload at a queue service. It begins with the day, in days
// since the Unix epoch, after which the payload is gone.
type PayloadID [16]byte

// Ticket lets one recipient fetch a payload, and say that it needs it no more.
type Ticket struct {
	Payload PayloadID
	Index   uint16 // of the recipient
	MAC     [16]byte
}

// MarshalTLS encodes t.
func (t *Ticket) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(t.Payload[:])
	w.Uint16(t.Index)
	w.Raw(t.MAC[:])
}

// UnmarshalTLS decodes t.
func (t *Ticket) UnmarshalTLS(r *tlscodec.Reader) {
	copy(t.Payload[:], r.Fixed(len(t.Payload)))
	t.Index = r.Uint16()
	copy(t.MAC[:], r.Fixed(len(t.MAC)))
}

func writeTickets(w *tlscodec.Writer, tickets []Ticket) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range tickets {
			tickets[i].MarshalTLS(w)
		}
	})
}

func readTickets(r *tlscodec.Reader) (out []Ticket) {
	r.Vector(func(r *tlscodec.Reader) {
		var t Ticket
		t.UnmarshalTLS(r)
		out = append(out, t)
	})
	return out
}

// AckQueue is the body of [OpAckQueue]. It removes the entries up to and with
// Upto, and gives back the tickets of payloads that the reader has fetched or
// does not want. The answer is empty.
type AckQueue struct {
	Queue   QueueID
	Upto    uint64
	Tickets []Ticket
}

// MarshalTLS encodes a.
func (a *AckQueue) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(a.Queue[:])
	w.Uint64(a.Upto)
	writeTickets(w, a.Tickets)
}

// UnmarshalTLS decodes a.
func (a *AckQueue) UnmarshalTLS(r *tlscodec.Reader) {
	copy(a.Queue[:], r.Fixed(len(a.Queue)))
	a.Upto = r.Uint64()
	a.Tickets = readTickets(r)
}

// FetchPayloads is the body of [OpFetchPayloads]. Tickets stand for themselves:
// the request needs no signature and does not name a queue. The answer is
// [Payloads].
type FetchPayloads struct{ Tickets []Ticket }

// MarshalTLS encodes f.
func (f *FetchPayloads) MarshalTLS(w *tlscodec.Writer) { writeTickets(w, f.Tickets) }

// UnmarshalTLS decodes f.
func (f *FetchPayloads) UnmarshalTLS(r *tlscodec.Reader) { f.Tickets = readTickets(r) }

// Payloads are the payloads of the first tickets of a [FetchPayloads], in their
// order: as many as fit in an answer, at least one. A payload that is gone is
// empty.
type Payloads [][]byte

// MarshalTLS encodes p.
func (p *Payloads) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, b := range *p {
			w.Opaque(b)
		}
	})
}

// UnmarshalTLS decodes p.
func (p *Payloads) UnmarshalTLS(r *tlscodec.Reader) {
	*p = nil
	r.Vector(func(r *tlscodec.Reader) { *p = append(*p, r.Opaque()) })
}
