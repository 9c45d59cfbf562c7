package badger

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/google/btree"
)

// item is a record in memory. A nil value says that there is none.
type item struct {
	head  uint64 // the key's beginning, in the same order, which seldom leaves a doubt
	key   string
	value []byte
}

func newItem(key string, value []byte) item {
	var head [8]byte
	copy(head[:], key)
	return item{binary.BigEndian.Uint64(head[:]), key, value}
}

func (i item) before(j item) bool {
	if i.head != j.head {
		return i.head < j.head
	}
	return i.key < j.key
}

// layer holds what batches wrote since the journal was last changed, in key
// order. What it has of a record is newer than what lies below it.
type layer struct {
	number uint64 // of its journal
	seq    uint64 // of its last batch; the committer's

	// mu guards tree.
	mu   sync.RWMutex
	tree *btree.BTreeG[item]
}

func newLayer(number uint64) *layer {
	return &layer{number: number, tree: btree.NewG(32, item.before)}
}

// get returns what the layer has of a record: a copy of its value, or nil if it
// was deleted. It reports false if the layer knows nothing of it.
func (l *layer) get(key string) ([]byte, bool) {
	v, ok := l.peek(key)
	if v == nil {
		return nil, ok
	}
	return append(make([]byte, 0, len(v)), v...), ok
}

// peek is get without the copy.
func (l *layer) peek(key string) ([]byte, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i, ok := l.tree.Get(newItem(key, nil))
	return i.value, ok
}

// apply takes over a batch, all of it at once.
func (l *layer) apply(changes map[string]change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, c := range changes {
		l.tree.ReplaceOrInsert(newItem(key, c.value))
	}
}

func (l *layer) empty() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.tree.Len() == 0
}

// from returns items with the prefix from a key on, deleted ones included, until
// there are limit that are not deleted or so many octets of them, and whether it
// stopped for that.
func (l *layer) from(prefix, key string, limit, octets int) (out []item, more bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	live, size := 0, 0
	l.tree.AscendGreaterOrEqual(newItem(key, nil), func(i item) bool {
		if !strings.HasPrefix(i.key, prefix) {
			return false
		}
		out = append(out, i)
		if i.value != nil {
			live, size = live+1, size+len(i.key)+len(i.value)
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
