package badger

import (
	"fmt"
	"strings"

	engine "github.com/dgraph-io/badger/v4"
)

// merge goes over records of a prefix in key order, through layers and tables.
// The caller holds the layers.
type merge struct {
	prefix []byte
	limit  int
	// young is what the young layer had when the merge began, up to the last
	// record that can be asked for. The old layer does not change, so that it
	// can be asked again: what it has may all be deleted in the young one.
	young, old []record
	oldLayer   *layer
	oldMore    bool
	txn        *engine.Txn
	it         *engine.Iterator
}

// merge returns the records from a key on; no more than limit+1 are to be asked
// for, nor more octets than a scan returns.
func (db *DB) merge(prefix, from []byte, limit int) *merge {
	m := &merge{prefix: prefix, limit: limit + 1, oldLayer: db.layers.old}
	m.young, _ = db.layers.young.from(string(prefix), string(from), m.limit, MaxScanBytes)
	m.readOld(string(from))
	m.txn = db.tables.latest()
	m.it = m.txn.NewIterator(engine.IteratorOptions{Prefix: prefix, PrefetchValues: true, PrefetchSize: min(limit, 64)})
	m.it.Seek(from)
	return m
}

func (m *merge) readOld(from string) {
	if m.oldLayer != nil {
		m.old, m.oldMore = m.oldLayer.from(string(m.prefix), from, m.limit, MaxScanBytes)
	}
}

func (m *merge) close() {
	m.it.Close()
	m.txn.Discard()
}

// next returns copies of the next record's key and value, or false after the
// last.
func (m *merge) next() (key, value []byte, ok bool, err error) {
	for {
		i, ok := m.layered()
		if m.it.ValidForPrefix(m.prefix) {
			below := m.it.Item()
			switch order := strings.Compare(string(below.Key()), i.key); {
			case !ok || order < 0:
				key = below.KeyCopy(nil)
				if value, err = below.ValueCopy(nil); err != nil {
					return nil, nil, false, fmt.Errorf("badger: reading: %w", cause(err))
				}
				m.it.Next()
				return key, value, true, nil
			case order == 0:
				m.it.Next()
			}
		}
		if !ok {
			return nil, nil, false, nil
		}
		m.pass(i.key)
		if i.value != nil {
			return []byte(i.key), append(make([]byte, 0, len(i.value)), i.value...), true, nil
		}
	}
}

// layered returns the next record of the two layers.
func (m *merge) layered() (i record, ok bool) {
	if len(m.young) > 0 {
		i, ok = m.young[0], true
	}
	if len(m.old) > 0 && (!ok || m.old[0].key < i.key) {
		i, ok = m.old[0], true
	}
	return i, ok
}

// pass goes on behind a record of the layers.
func (m *merge) pass(key string) {
	if len(m.young) > 0 && m.young[0].key == key {
		m.young = m.young[1:]
	}
	if len(m.old) > 0 && m.old[0].key == key {
		if m.old = m.old[1:]; len(m.old) == 0 && m.oldMore {
			m.readOld(key + "\x00")
		}
	}
}
