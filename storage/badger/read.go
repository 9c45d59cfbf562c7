package badger

import (
	"bytes"
)

// The limits of one [DB.Scan].
const (
	MaxScan      = 4096    // records
	MaxScanBytes = 4 << 20 // octets of keys and values, unless the first record has more
)

// Entry is one record. The caller owns its octets.
type Entry struct {
	Key, Value []byte
}

// Get returns a copy of the record's value, or [ErrNotFound]. It sees the last
// durable state and does not wait for requests under way.
func (db *DB) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	release, err := db.reading()
	if err != nil {
		return nil, err
	}
	defer release()
	return db.lookUp(key)
}

// lookUp reads a record of any key, the kernel's included.
func (db *DB) lookUp(key []byte) ([]byte, error) {
	db.layers.mu.RLock()
	defer db.layers.mu.RUnlock()
	for _, l := range []*layer{db.layers.young, db.layers.old} {
		if l == nil {
			continue
		}
		if v, ok := l.get(key); ok {
			if v == nil {
				return nil, ErrNotFound
			}
			return v, nil
		}
	}
	txn := db.tables.latest()
	defer txn.Discard()
	return get(txn, key)
}

// Scan returns at most limit records whose keys have the prefix, in key order
// from the first key that is not less than from (nil: from the prefix's start).
// A limit outside 1 to [MaxScan] is taken as MaxScan. If more may follow, next
// is the key to go on from, else nil. Each call sees one durable state; two
// calls may see two.
func (db *DB) Scan(prefix, from []byte, limit int) (entries []Entry, next []byte, err error) {
	if err := checkKey(prefix); err != nil {
		return nil, nil, err
	}
	if limit < 1 || limit > MaxScan {
		limit = MaxScan
	}
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	release, err := db.reading()
	if err != nil {
		return nil, nil, err
	}
	defer release()
	db.layers.mu.RLock()
	defer db.layers.mu.RUnlock()
	m := db.merge(prefix, from, limit)
	defer m.close()
	size := 0
	for {
		key, value, ok, err := m.next()
		if err != nil || !ok {
			return entries, nil, err
		}
		size += len(key) + len(value)
		if len(entries) == limit || (size > MaxScanBytes && len(entries) > 0) {
			return entries, key, nil
		}
		entries = append(entries, Entry{Key: key, Value: value})
	}
}

// reading keeps the database open until the returned function is called.
func (db *DB) reading() (release func(), err error) {
	db.mu.RLock()
	if db.closed {
		db.mu.RUnlock()
		return nil, ErrClosed
	}
	return db.mu.RUnlock, nil
}
