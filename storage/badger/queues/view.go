package queues

import (
	"context"

	"github.com/pseudods/pseudods/storage/badger"
)

// view is what a request to the committer sees and writes. It answers for heads
// and marks, which every append reads, from memory where it can.
type view struct {
	tx    *badger.Tx
	cache *cache
	wrote bool // something that is in the cache
}

// cache holds the latest values of heads and marks that were used recently. Only
// the committer's goroutine touches it, in the order of the requests, so it is
// what the engine would answer. A value is put in by the request that writes
// it; if that request then fails all is forgotten, and if its batch fails the
// database takes no more requests.
type cache struct {
	young, old map[string][]byte
}

// cacheSize is how many values a generation holds: some 100 octets each.
const cacheSize = 1 << 17

func (c *cache) get(key []byte) ([]byte, bool) {
	if v, ok := c.young[string(key)]; ok {
		return v, true
	}
	v, ok := c.old[string(key)]
	if ok {
		c.put(key, v)
	}
	return v, ok
}

func (c *cache) put(key, value []byte) {
	if c.young == nil || len(c.young) >= cacheSize {
		c.young, c.old = make(map[string][]byte), c.young
	}
	c.young[string(key)] = value
}

func (c *cache) delete(key []byte) {
	delete(c.young, string(key))
	delete(c.old, string(key))
}

func cached(key []byte) bool { return key[0] == kindHead || key[0] == kindMark }

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
func (v *view) Get(key []byte) ([]byte, error) {
	if !cached(key) {
		return v.tx.Get(key)
	}
	if value, ok := v.cache.get(key); ok {
		return value, nil
	}
	value, err := v.tx.Get(key)
	if err == nil {
		v.cache.put(key, value)
	}
	return value, err
}

// Put is [badger.Tx.Put].
func (v *view) Put(key, value []byte) {
	v.tx.Put(key, value)
	if cached(key) {
		v.cache.put(key, value)
		v.wrote = true
	}
}

// Extend is [badger.Tx.Extend], for what is not in the cache.
func (v *view) Extend(key, tail []byte) bool { return v.tx.Extend(key, tail) }

// Delete is [badger.Tx.Delete].
func (v *view) Delete(key []byte) {
	v.tx.Delete(key)
	if cached(key) {
		v.cache.delete(key)
		v.wrote = true
	}
}
