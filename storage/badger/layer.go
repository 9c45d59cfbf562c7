package badger

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/google/btree"
)

// record is a record in memory. A nil value says that there is none.
type record struct {
	key   string
	value []byte
	known bool // else no batch that wrote it is durable yet

	// The committer's: where the layer and the batch of that number have the record.
	listed uint32
	batch  uint64
	at     int
}

// rank is where a record stands in the order of the keys. The key's beginning,
// in the same order, seldom leaves a doubt.
type rank struct {
	head uint64
	*record
}

func rankOf(r *record) rank { return rank{headOf(r.key), r} }

func headOf(key string) uint64 {
	var head [8]byte
	copy(head[:], key)
	return binary.BigEndian.Uint64(head[:])
}

func (p rank) before(q rank) bool {
	if p.head != q.head {
		return p.head < q.head
	}
	return p.key < q.key
}

// layer holds what batches wrote since the journal was last changed, in key
// order. What it has of a record is newer than what lies below it.
type layer struct {
	number uint64    // of its journal
	seq    uint64    // of its last batch; the committer's, as is listed
	listed []*record // in the order in which they were first written; nil for one released

	// mu guards what follows, values of records included. Most writes are to
	// records that are there, which the map finds sooner than the tree.
	mu      sync.RWMutex
	records map[string]*record
	order   *btree.BTreeG[rank]
}

func newLayer(number uint64) *layer {
	return &layer{number: number, records: map[string]*record{}, order: btree.NewG(32, rank.before)}
}

// get returns what the layer has of a record: a copy of its value, or nil if it
// was deleted. It reports false if the layer knows nothing of it.
func (l *layer) get(key []byte) ([]byte, bool) {
	v, ok := l.peek(key)
	if v == nil {
		return nil, ok
	}
	return append(make([]byte, 0, len(v)), v...), ok
}

// peek is get without the copy.
func (l *layer) peek(key []byte) ([]byte, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if r := l.records[string(key)]; r != nil && r.known {
		return r.value, true
	}
	return nil, false
}

// find returns the record of a key if there is one, known or not. It looks at the
// place first, which may be nil. It is the committer's, as are reserve and release.
func (l *layer) find(p *Place, key []byte) *record {
	if p != nil && p.layer == uint32(l.number) && int(p.at) < len(l.listed) {
		if r := l.listed[p.at]; r != nil && r.key == string(key) {
			return r
		}
	}
	r := l.records[string(key)]
	if p != nil && r != nil {
		*p = Place{uint32(l.number), r.listed}
	}
	return r
}

// reserve is find that makes the record, which stays unknown to readers until a
// batch is applied.
func (l *layer) reserve(p *Place, key []byte) *record {
	if r := l.find(p, key); r != nil {
		return r
	}
	r := &record{key: string(key), listed: uint32(len(l.listed))}
	l.listed = append(l.listed, r)
	if p != nil {
		*p = Place{uint32(l.number), r.listed}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[r.key] = r
	return r
}

// release takes back reserve.
func (l *layer) release(r *record) {
	r.batch = 0
	if !r.known {
		l.listed[r.listed] = nil
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.records, r.key)
	}
}

// apply takes over a batch, all of it at once.
func (l *layer) apply(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range b.order {
		w := &b.records[s.at]
		l.set(w.record, w.value)
	}
}

// set needs mu, or that nobody else has the layer.
func (l *layer) set(r *record, value []byte) {
	r.value = value
	if !r.known {
		r.known = true
		l.order.ReplaceOrInsert(rankOf(r))
	}
}

// put is set for a key.
func (l *layer) put(key string, value []byte) {
	r := l.records[key]
	if r == nil {
		r = &record{key: key, listed: uint32(len(l.listed))}
		l.listed = append(l.listed, r)
		l.records[key] = r
	}
	l.set(r, value)
}

func (l *layer) empty() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.order.Len() == 0
}

// from returns records with the prefix from a key on, deleted ones included, until
// there are limit that are not deleted or so many octets of them, and whether it
// stopped for that.
func (l *layer) from(prefix, key string, limit, octets int) (out []record, more bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	live, size := 0, 0
	l.order.AscendGreaterOrEqual(rankOf(&record{key: key}), func(p rank) bool {
		if !strings.HasPrefix(p.key, prefix) {
			return false
		}
		out = append(out, record{key: p.key, value: p.value, known: true}) // the rest is the committer's
		if p.value != nil {
			live, size = live+1, size+len(p.key)+len(p.value)
		}
		more = live >= limit || size > octets
		return !more
	})
	return out, more
}

// layers are the records in memory: young ones that batches go on to write to,
// and old ones that move into the tables meanwhile.
type layers struct {
	// mu is held for reading by whoever reads through layers and tables, so
	// that what it saw in one does not move to the other.
	mu         sync.RWMutex
	young, old *layer
}
