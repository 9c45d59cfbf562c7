package queues

import (
	"encoding/binary"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// record is what each record of this package can do.
type record interface {
	write(*tlscodec.Writer)
	read(*tlscodec.Reader)
}

// marshal panics if v has no encoding: all that is put into records was decoded
// or bounded before.
func marshal(v record) []byte {
	w := tlscodec.NewWriter(make([]byte, 0, 128))
	v.write(w)
	b, err := w.Bytes()
	if err != nil {
		panic("queues: record has no encoding")
	}
	return b
}

// unmarshal fails with [ErrCorrupt]. Octet strings in v alias b.
func unmarshal(b []byte, v record) error {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	v.read(r)
	if r.Finish() != nil {
		return ErrCorrupt
	}
	return nil
}

// queueRecord is what seldom changes of a queue.
type queueRecord struct{ qs.Queue }

func (q *queueRecord) write(w *tlscodec.Writer) {
	w.Raw(q.OwnerKey[:])
	q.SegmentKey.MarshalTLS(w)
	q.Settings.MarshalTLS(w)
}

func (q *queueRecord) read(r *tlscodec.Reader) {
	copy(q.OwnerKey[:], r.Fixed(len(q.OwnerKey)))
	q.SegmentKey.UnmarshalTLS(r)
	q.Settings.UnmarshalTLS(r)
}

// head is what an append needs of a queue and changes.
type head struct {
	used        qs.Day // by the owner
	last, floor uint64 // the last entry's number, and that of the last removed
	total       uint64 // octets of all entries up to last
	freed       uint64 // octets of all entries up to floor
	oldestDay   qs.Day // none of the entries is older
	marks       uint32

	// Of the settings.
	maxEntries uint32
	maxBytes   uint64
	ttl        uint16
	overflow   wire.Overflow
	push       bool

	segment      wire.SegmentID // of the last entry
	segmentStart uint64         // zero if there was none
	oldest       uint64         // start of the oldest segment that is kept

	// Where the pages of entries begin: the one with the entry after the floor,
	// and the last one, with its day. Zero if there is no entry.
	first, tail uint64
	tailDay     qs.Day

	// Where head and last page lie in memory; not part of the record.
	place, tailPlace badger.Place
}

// What the records have in octets, or at most.
const (
	headSize = 80 + len(wire.SegmentID{}) + 2*8
	markSize = 15 + len(qs.Mark{})
)

// appendTo appends the record. Each append makes one, so it takes no detour.
func (h *head) appendTo(b []byte) []byte {
	e := binary.BigEndian
	b = e.AppendUint32(b, uint32(h.used))
	b = e.AppendUint64(b, h.last)
	b = e.AppendUint64(b, h.floor)
	b = e.AppendUint64(b, h.total)
	b = e.AppendUint64(b, h.freed)
	b = e.AppendUint32(b, uint32(h.oldestDay))
	b = e.AppendUint32(b, h.marks)
	b = e.AppendUint32(b, h.maxEntries)
	b = e.AppendUint64(b, h.maxBytes)
	b = e.AppendUint16(b, h.ttl)
	b = append(b, uint8(h.overflow), octet(h.push))
	b = append(b, h.segment[:]...)
	b = e.AppendUint64(b, h.segmentStart)
	b = e.AppendUint64(b, h.oldest)
	b = e.AppendUint64(b, h.first)
	b = e.AppendUint64(b, h.tail)
	return e.AppendUint32(b, uint32(h.tailDay))
}

func octet(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (h *head) write(w *tlscodec.Writer) { w.Raw(h.appendTo(nil)) }

func (h *head) read(r *tlscodec.Reader) {
	h.used = qs.Day(r.Uint32())
	h.last, h.floor, h.total, h.freed = r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()
	h.oldestDay = qs.Day(r.Uint32())
	h.marks, h.maxEntries, h.maxBytes, h.ttl = r.Uint32(), r.Uint32(), r.Uint64(), r.Uint16()
	h.overflow, h.push = wire.Overflow(r.Uint8()), r.Bool()
	copy(h.segment[:], r.Fixed(len(h.segment)))
	h.segmentStart, h.oldest = r.Uint64(), r.Uint64()
	h.first, h.tail, h.tailDay = r.Uint64(), r.Uint64(), qs.Day(r.Uint32())
	if h.floor > h.last || h.freed > h.total {
		r.Fail(tlscodec.ErrValue)
	}
}

// configure takes over what appends need of the settings.
func (h *head) configure(s *wire.QueueSettings) {
	h.maxEntries, h.maxBytes, h.ttl, h.overflow, h.push = s.MaxEntries, s.MaxBytes, s.TTLDays, s.Overflow, len(s.Push) > 0
}

// expired reports whether an entry of a day is too old.
func (h *head) expired(day, today qs.Day) bool { return uint64(day)+uint64(h.ttl) < uint64(today) }

// segment is a segment by its first entry.
type segment struct {
	id        wire.SegmentID
	kemOutput []byte
}

func (s *segment) write(w *tlscodec.Writer) {
	w.Raw(s.id[:])
	w.Raw(s.kemOutput)
}

func (s *segment) read(r *tlscodec.Reader) {
	copy(s.id[:], r.Fixed(len(s.id)))
	s.kemOutput = r.Rest()
}

// mark is an address that was used or revoked.
type mark struct {
	used    qs.Day
	revoked bool
	brief   bool   // forgotten with claims
	number  uint64 // of the last entry
	claim   qs.Mark

	place badger.Place // where it lies in memory; not part of the record
}

// appendTo appends the record, as that of a head.
func (m *mark) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(m.used))
	b = append(b, octet(m.revoked), octet(m.brief))
	b = binary.BigEndian.AppendUint64(b, m.number)
	if m.claim == (qs.Mark{}) {
		return append(b, 0)
	}
	return append(append(b, 1), m.claim[:]...)
}

func (m *mark) write(w *tlscodec.Writer) { w.Raw(m.appendTo(nil)) }

func (m *mark) read(r *tlscodec.Reader) {
	m.used, m.revoked, m.brief, m.number = qs.Day(r.Uint32()), r.Bool(), r.Bool(), r.Uint64()
	if r.Bool() {
		copy(m.claim[:], r.Fixed(len(m.claim)))
		if r.Err() == nil && m.claim == (qs.Mark{}) {
			r.Fail(tlscodec.ErrValue)
		}
	}
}

// references says which recipients still need a payload.
type references struct {
	chunks uint8
	bits   []byte
}

func (f *references) write(w *tlscodec.Writer) {
	w.Uint8(f.chunks)
	w.Raw(f.bits)
}

func (f *references) read(r *tlscodec.Reader) { f.chunks, f.bits = r.Uint8(), r.Rest() }

// batch is a batch of KeyPackages: received are those that were published, next
// to end the numbers of those not handed out; that of last resort, if any, has
// the number lastResort. See [OnRollback] for restores.
type batch struct {
	id         uint64
	received   uint32
	next, end  uint32
	lastResort bool
	restores   uint32 // of the store when the batch came into use
}

func (b *batch) write(w *tlscodec.Writer) {
	w.Uint64(b.id)
	w.Uint32(b.received)
	w.Uint32(b.next)
	w.Uint32(b.end)
	w.Bool(b.lastResort)
	w.Uint32(b.restores)
}

func (b *batch) read(r *tlscodec.Reader) {
	b.id, b.received, b.next, b.end, b.lastResort, b.restores = r.Uint64(), r.Uint32(), r.Uint32(), r.Uint32(), r.Bool(), r.Uint32()
	if b.next > b.end || b.end > b.received || b.received > qs.MaxBatch {
		r.Fail(tlscodec.ErrValue)
	}
}

// pool is a pool of KeyPackages.
type pool struct {
	key            [32]byte
	kind           wire.PoolKind
	contacts       uint32
	active, staged batch
}

func (p *pool) write(w *tlscodec.Writer) {
	w.Raw(p.key[:])
	w.Uint8(uint8(p.kind))
	w.Uint32(p.contacts)
	p.active.write(w)
	p.staged.write(w)
}

func (p *pool) read(r *tlscodec.Reader) {
	copy(p.key[:], r.Fixed(len(p.key)))
	p.kind, p.contacts = wire.PoolKind(r.Uint8()), r.Uint32()
	p.active.read(r)
	p.staged.read(r)
}

// keyPackage is a KeyPackage with the last day it is handed out, or was
// claimed.
type keyPackage struct {
	day     qs.Day
	encoded []byte
}

func (k *keyPackage) write(w *tlscodec.Writer) {
	w.Uint32(uint32(k.day))
	w.Raw(k.encoded)
}

func (k *keyPackage) read(r *tlscodec.Reader) { k.day, k.encoded = qs.Day(r.Uint32()), r.Rest() }
