package queues

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// view is what a request to the committer sees and writes. It answers for heads
// and marks, which every append reads, from memory where it can.
type view struct {
	tx    *badger.Tx
	cache *cache
	wrote bool // something that is in the cache
	// room is for values of heads and marks, of which so many octets will be needed.
	room     []byte
	expected int
}

// cache holds the latest values of heads and marks that were used recently. Only
// the committer's goroutine touches it, in the order of the requests, so it is
// what the engine would answer. A value is put in by the request that writes
// it; if that request then fails all is forgotten, and if its batch fails the
// database takes no more requests.
type cache struct {
	heads recent[wire.QueueID, head]
	marks recent[markID, mark]
}

// markID is a mark with its queue.
type markID struct {
	queue wire.QueueID
	mark  qs.Mark
}

// submit is [badger.DB.Submit] with a view. The kernel drops the writes of a
// request that returns no error in two cases: when writes are off, which is
// looked at here first and cannot change during a batch, and when it is over the
// limits, which all requests of this package stay well below.
func (s *Store) submit(ctx context.Context, f func(*view) error) error {
	return s.db.Submit(ctx, func(tx *badger.Tx) error {
		if s.db.Stats().WritesOff {
			return badger.ErrNoSpace
		}
		v := &view{tx: tx, cache: &s.cache}
		err := f(v)
		if err != nil && v.wrote {
			s.cache = cache{}
		}
		return err
	})
}

// Get is [badger.Tx.Get].
func (v *view) Get(key []byte) ([]byte, error) { return v.tx.Get(key) }

// Put is [badger.Tx.Put], of other records than heads and marks.
func (v *view) Put(key, value []byte) { v.tx.Put(key, value) }

// Delete is [badger.Tx.Delete].
func (v *view) Delete(key []byte) {
	v.tx.Delete(key)
	switch {
	case key[0] == kindHead && len(key) == 1+partitionSize:
		v.cache.heads.delete(wire.QueueID(key[1:]))
		v.wrote = true
	case key[0] == kindMark && len(key) == 1+partitionSize+len(qs.Mark{}):
		v.cache.marks.delete(markID{wire.QueueID(key[1:][:partitionSize]), qs.Mark(key[1+partitionSize:])})
		v.wrote = true
	}
}

// value encodes a value of a head or a mark. Those of a request share memory: they
// are replaced about as often as each other.
func (v *view) value(appendTo func([]byte) []byte) []byte {
	if cap(v.room)-len(v.room) < max(headSize, markSize) {
		size := max(headSize, markSize, min(v.expected, 4<<10))
		v.room, v.expected = make([]byte, 0, size), v.expected-size
	}
	n := len(v.room)
	v.room = appendTo(v.room)
	return v.room[n:]
}

// head returns a queue's head, or false if there is no such queue.
func (v *view) head(id wire.QueueID) (head, bool, error) {
	if h, ok := v.cache.heads.get(id); ok {
		return h, true, nil
	}
	h := new(head)
	ok, err := load(v.tx.Get, key(kindHead, id[:]), h)
	if ok && err == nil {
		v.cache.heads.put(id, *h)
	}
	return *h, ok, err
}

// mustHead is head that fails with [qs.ErrNotFound].
func (v *view) mustHead(id wire.QueueID) (head, error) {
	h, ok, err := v.head(id)
	if err == nil && !ok {
		err = qs.ErrNotFound
	}
	return h, err
}

func (v *view) putHead(id wire.QueueID, h *head) {
	var key [1 + partitionSize]byte
	key[0] = kindHead
	copy(key[1:], id[:])
	v.tx.PutAt(&h.place, key[:], v.value(h.appendTo))
	v.cache.heads.put(id, *h)
	v.wrote = true
}

// mark returns a mark, or false if it was never used or revoked.
func (v *view) mark(id wire.QueueID, name qs.Mark) (mark, bool, error) {
	if m, ok := v.cache.marks.get(markID{id, name}); ok {
		return m, true, nil
	}
	m := new(mark)
	ok, err := load(v.tx.Get, key(kindMark, id[:], name[:]...), m)
	if ok && err == nil {
		v.cache.marks.put(markID{id, name}, *m)
	}
	return *m, ok, err
}

func (v *view) putMark(id wire.QueueID, name qs.Mark, m *mark) {
	var key [1 + partitionSize + len(name)]byte
	key[0] = kindMark
	copy(key[copy(key[1:], id[:])+1:], name[:])
	v.tx.PutAt(&m.place, key[:], v.value(m.appendTo))
	v.cache.marks.put(markID{id, name}, *m)
	v.wrote = true
}
