package queues

import (
	"encoding/binary"
	"math"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
)

// Export returns the database, opened with [Format] and [OnRollback], as rows of
// the tables of package storage/postgres/queues. restored is how often the new
// database counts as replaced by an older copy, and at least [Restored]: pools whose
// KeyPackages such a copy brought back stay told apart. What deletions have left is
// not in it.
func Export(db *badger.DB, restored uint32) (move.Source, error) {
	own, err := Restored(db)
	e := &exported{own: own, restored: max(restored, own)}
	return &badger.Export{DB: db, Rows: e.rows, Kinds: []byte{
		kindQueue, kindHead, kindMark, kindSegment, kindEntry, kindReferences, kindPool, kindKeyPackage, kindContact, kindClaim,
	}}, err
}

// Restored is how often the database knows to have been replaced by an older copy.
func Restored(db *badger.DB) (uint32, error) { return restores(db.Get) }

type exported struct {
	own, restored uint32
	// present is the key of the head or pool that the records belong to which pass by,
	// and head or pool what it has, if it is there.
	present []byte
	head    *head
	pool    *pool
}

// ordered maps numbers to the database's signed ones, in the same order.
func ordered(n uint64) int64 { return int64(n ^ 1<<63) }

func clone(b []byte) []byte { return append([]byte{}, b...) }

// sizes are the octets of the keys of each kind.
var sizes = map[byte]int{
	kindQueue: 1 + partitionSize, kindHead: 1 + partitionSize, kindMark: 1 + partitionSize + len(qs.Mark{}),
	kindSegment: 1 + partitionSize + 8, kindEntry: 1 + partitionSize + 8, kindReferences: 1 + payloadSize, kindPool: 1 + partitionSize,
	kindKeyPackage: 1 + partitionSize + 8 + 4, kindContact: 1 + partitionSize + len(wire.ContactHash{}),
	kindClaim: 1 + partitionSize + len(qs.Claim{}.Request),
}

func (e *exported) rows(get func([]byte) ([]byte, error), k, value []byte) ([]move.Row, error) {
	if len(k) != sizes[k[0]] {
		return nil, ErrCorrupt
	}
	value = clone(value) // what is decoded aliases it
	if k[0] == kindReferences {
		return payloadRows(get, k, value)
	}
	if err := e.follow(get, k); err != nil {
		return nil, err
	}
	id := [16]byte(k[1 : 1+partitionSize])
	rest := clone(k[1+partitionSize:])
	switch k[0] {
	case kindPool, kindKeyPackage, kindContact, kindClaim:
		if e.pool == nil {
			return nil, nil
		}
		return e.poolRows(k[0], id, rest, value)
	}
	if e.head == nil {
		return nil, nil
	}
	return e.queueRows(k[0], id, rest, value)
}

// follow loads the head or the pool that a record belongs to, once for all that
// follow one another.
func (e *exported) follow(get func([]byte) ([]byte, error), k []byte) (err error) {
	kind, owner := byte(kindHead), k[1:1+partitionSize]
	if k[0] == kindPool || k[0] == kindKeyPackage || k[0] == kindContact || k[0] == kindClaim {
		kind = kindPool
	}
	of := key(kind, owner)
	if string(of) == string(e.present) {
		return nil
	}
	e.present, e.head, e.pool = nil, nil, nil
	var ok bool
	if kind == kindPool {
		p := new(pool)
		if ok, err = load(get, of, p); ok {
			e.pool = p
		}
	} else {
		h := new(head)
		if ok, err = load(get, of, h); ok {
			e.head = h
		}
	}
	if err == nil {
		e.present = of
	}
	return err
}

func (e *exported) queueRows(kind byte, id [16]byte, rest, value []byte) ([]move.Row, error) {
	h := e.head
	switch kind {
	case kindQueue:
		var q queueRecord
		if err := unmarshal(value, &q); err != nil {
			return nil, err
		}
		return []move.Row{{Table: "queues.queue", Values: []any{id, clone(q.OwnerKey[:]), int64(q.SegmentKey.KEM), clone(q.SegmentKey.Public),
			ordered(q.Settings.Version), clone(q.Settings.Push)}}}, nil
	case kindHead:
		if h.last > math.MaxInt64 || h.total-h.freed > math.MaxInt64 || h.marks > math.MaxInt32 {
			return nil, ErrCorrupt
		}
		return []move.Row{{Table: "queues.head", Values: []any{id, int64(h.last), int64(h.floor), int64(h.total - h.freed),
			int64(min(h.maxBytes, math.MaxInt64)), segmentNumber(h.segment), int64(h.segmentStart), int64(min(h.maxEntries, math.MaxInt32)), int64(h.ttl),
			int64(h.marks), int64(h.used), int64(h.oldestDay), h.overflow == wire.OverflowDropOldest, h.push}}}, nil
	case kindMark:
		var m mark
		if err := unmarshal(value, &m); err != nil {
			return nil, err
		}
		return []move.Row{{Table: "queues.mark", Values: []any{id, [16]byte(rest), [16]byte(m.claim), ordered(m.number), int64(m.used), m.revoked, m.brief}}}, nil
	case kindSegment:
		var g segment
		if err := unmarshal(value, &g); err != nil {
			return nil, err
		}
		return []move.Row{{Table: "queues.segment", Values: []any{id, int64(binary.BigEndian.Uint64(rest)), segmentNumber(g.id), g.kemOutput}}}, nil
	}
	return e.entryRows(id, ^binary.BigEndian.Uint64(rest), value)
}

func segmentNumber(id wire.SegmentID) int64 { return int64(binary.BigEndian.Uint64(id[:])) }

// entryRows are those entries of a page that were not acknowledged.
func (e *exported) entryRows(id [16]byte, start uint64, value []byte) (rows []move.Row, err error) {
	var p page
	if err := unmarshal(value, &p); err != nil {
		return nil, err
	}
	for i, entry := range p.entries {
		seq := start + uint64(i)
		if seq <= e.head.floor || seq > e.head.last {
			continue
		}
		// No call that is repeated has the tag zero: they are drawn at random.
		rows = append(rows, move.Row{Table: "queues.entry", Values: []any{id, int64(seq), int64(p.segment), int64(0), int64(p.day),
			int64(int32(entry.counter)), entry.ciphertext}})
	}
	return rows, nil
}

func payloadRows(get func([]byte) ([]byte, error), k, value []byte) ([]move.Row, error) {
	var f references
	if err := unmarshal(value, &f); err != nil {
		return nil, err
	}
	id := wire.PayloadID(k[1:])
	payload := []byte{}
	for i := range f.chunks {
		chunk, err := get(key(kindPayload, id[:], i))
		if err != nil {
			return nil, err
		}
		payload = append(payload, chunk...)
	}
	day := int64(qs.PayloadDay(id))
	return []move.Row{
		{Table: "queues.payload", Values: []any{day, [16]byte(id), payload}},
		{Table: "queues.payload_need", Values: []any{day, [16]byte(id), clone(f.bits)}},
	}, nil
}

func (e *exported) poolRows(kind byte, id [16]byte, rest, value []byte) ([]move.Row, error) {
	switch kind {
	case kindPool:
		p := e.pool
		times := int64(e.restored)
		if p.active.restores != e.own {
			times--
		}
		return []move.Row{{Table: "queues.pool", Values: []any{id, clone(p.key[:]), int64(p.kind), int64(p.contacts), times,
			ordered(p.active.id), int64(p.active.next), int64(p.active.end), p.active.lastResort,
			ordered(p.staged.id), int64(p.staged.end), int64(p.staged.received), p.staged.lastResort, int64(0), int64(0)}}}, nil
	case kindContact:
		if len(value) != 1 || value[0] > 1 {
			return nil, ErrCorrupt
		}
		return []move.Row{{Table: "queues.contact", Values: []any{id, rest, value[0] == 1}}}, nil
	}
	var k keyPackage
	if err := unmarshal(value, &k); err != nil {
		return nil, err
	}
	if kind == kindClaim {
		return []move.Row{{Table: "queues.claim", Values: []any{id, rest, int64(k.day), k.encoded}}}, nil
	}
	// That of last resort has the number -1.
	number := int64(int32(binary.BigEndian.Uint32(rest[8:])))
	return []move.Row{{Table: "queues.key_package", Values: []any{id, ordered(binary.BigEndian.Uint64(rest)), number, int64(k.day), k.encoded}}}, nil
}
