package queues

import (
	"encoding/binary"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// A page is a run of entries of one queue, of one day and one segment. The last
// page grows as long as the kernel has it in memory: entries that come within
// seconds of each other share a record.
const maxPageEntries = 64

// page is a page as it is read. Its first entry has the number that is in its
// key.
type page struct {
	day     qs.Day
	total   uint64 // octets of all entries of the queue before the first
	segment uint64 // start of its segment
	entries []pageEntry
}

type pageEntry struct {
	counter    uint32
	ciphertext []byte
}

func (p *page) write(w *tlscodec.Writer) {
	w.Raw(p.appendTo(nil))
	for _, e := range p.entries {
		prefix := e.prefix()
		w.Raw(prefix[:])
		w.Raw(e.ciphertext)
	}
}

// appendTo appends what a record has before its entries.
func (p *page) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.day))
	b = binary.BigEndian.AppendUint64(b, p.total)
	return binary.BigEndian.AppendUint64(b, p.segment)
}

// prefix returns what a record has before an entry's ciphertext.
func (e *pageEntry) prefix() (b [6]byte) {
	binary.BigEndian.PutUint32(b[:], e.counter)
	binary.BigEndian.PutUint16(b[4:], uint16(len(e.ciphertext)))
	return b
}

func (p *page) read(r *tlscodec.Reader) {
	p.day, p.total, p.segment = qs.Day(r.Uint32()), r.Uint64(), r.Uint64()
	for r.Err() == nil && !r.Empty() {
		p.entries = append(p.entries, pageEntry{r.Uint32(), r.Opaque16()})
	}
	if r.Err() == nil && len(p.entries) == 0 {
		r.Fail(tlscodec.ErrValue)
	}
}

// octets returns what the first n entries of a page count for.
func (p *page) octets(n int) (sum uint64) {
	for _, e := range p.entries[:n] {
		sum += uint64(len(e.ciphertext)) + qs.EntryOverhead
	}
	return sum
}

// pageKey orders pages from the newest to the oldest, so that the first one from
// the key of any number on is the one that has the entry of that number.
func pageKey(queue []byte, start uint64) []byte { return seqKey(kindEntry, queue, ^start) }

func pageStart(k []byte) (uint64, error) {
	start, err := seqOf(k)
	return ^start, err
}

// mustLoadPage is for pages that a head names.
func mustLoadPage(read getter, id wire.QueueID, start uint64) (*page, error) {
	p := new(page)
	ok, err := load(read, pageKey(id[:], start), p)
	if err == nil && !ok {
		err = ErrCorrupt
	}
	return p, err
}

// addToPage puts the entry of number h.last, which is not yet in h.total, into
// the last page, or begins one.
func (h *head) addToPage(tx *view, today qs.Day, a *qs.Append) {
	e := pageEntry{a.Counter, a.Ciphertext}
	prefix := e.prefix()
	var key [1 + partitionSize + 8]byte // as pageKey, which allocates
	key[0] = kindEntry
	start := key[copy(key[1:], a.Queue[:])+1:]
	if h.tail != 0 && h.tailDay == today && h.tail >= h.segmentStart && h.last-h.tail < maxPageEntries {
		binary.BigEndian.PutUint64(start, ^h.tail)
		if tx.tx.ExtendAt(&h.tailPlace, key[:], prefix[:], a.Ciphertext) {
			return
		}
	}
	if h.tail = h.last; h.first == 0 {
		h.first = h.last
	}
	h.tailDay = today
	binary.BigEndian.PutUint64(start, ^h.last)
	p := page{day: today, total: h.total, segment: h.segmentStart}
	b := p.appendTo(make([]byte, 0, 4+8+8+len(prefix)+len(a.Ciphertext)))
	tx.tx.PutAt(&h.tailPlace, key[:], append(append(b, prefix[:]...), a.Ciphertext...))
}

// removeUpTo removes entries from the floor up to a number, and the pages that
// have no others. It returns the last page that it removed something of, if any.
func (h *head) removeUpTo(tx *view, id wire.QueueID, upto uint64) (last *page, err error) {
	for upto = min(upto, h.last); h.floor < upto; {
		if last, err = h.firstPage(tx, id); err != nil {
			return nil, err
		}
		end := h.first + uint64(len(last.entries)) - 1
		h.floor = min(end, upto)
		h.freed = last.total + last.octets(int(h.floor-h.first)+1)
		h.oldestDay = last.day
		if h.floor == end {
			tx.Delete(pageKey(id[:], h.first))
			h.first = end + 1
		}
	}
	if h.floor == h.last {
		h.first, h.tail = 0, 0
	}
	return last, nil
}

// firstPage returns the page with the entry after the floor.
func (h *head) firstPage(tx *view, id wire.QueueID) (*page, error) {
	p, err := mustLoadPage(tx.Get, id, h.first)
	if err != nil {
		return nil, err
	}
	if end := h.first + uint64(len(p.entries)) - 1; h.first > h.floor+1 || end <= h.floor || end > h.last {
		return nil, ErrCorrupt
	}
	return p, nil
}
