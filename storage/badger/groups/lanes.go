package groups

import (
	"slices"
	"sync"

	"github.com/pseudods/pseudods/pseudods/ds"
)

// lanes remembers what waits in the lanes that are in use, so that neither a look for
// the first message nor a removal goes to the database, and there over all that was
// removed since its tables were written. No other process uses the database.
type lanes struct {
	// mu guards what follows.
	mu    sync.Mutex
	known map[ds.Ref]*lane
	// generation changes when something is forgotten that waits.
	generation uint64
}

// lane is what is remembered of a lane: the messages that were put since then, in
// order, and those before if it is whole.
type lane struct {
	waiting []*entry
	whole   bool
	removed uint64 // no message up to this one is there
}

// entry is a message that the committer has taken. The database shows when it is
// durable, and when it was removed.
type entry struct {
	sequence uint64
	parts    uint16
	durable  bool // for sure
}

const (
	maxLanes   = 1 << 16 // are remembered
	maxWaiting = 1 << 10 // in one
)

// of needs mu.
func (l *lanes) of(r ds.Ref) *lane {
	if k := l.known[r]; k != nil {
		return k
	}
	if l.known == nil {
		l.known = map[ds.Ref]*lane{}
	}
	if len(l.known) >= maxLanes {
		for r, k := range l.known {
			if l.forget(k); len(k.waiting) == 0 {
				delete(l.known, r)
			}
		}
	}
	k := new(lane)
	l.known[r] = k
	return k
}

// forget forgets what waits in a lane, unless it is not in the database yet. It needs
// mu.
func (l *lanes) forget(k *lane) {
	k.waiting = slices.DeleteFunc(k.waiting, func(e *entry) bool { return e.durable })
	k.whole = false
	l.generation++
}

// put takes a message that the committer has taken. What was taken before with its
// number has failed.
func (l *lanes) put(r ds.Ref, sequence uint64, parts int) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, e := l.of(r), &entry{sequence: sequence, parts: uint16(parts)}
	if len(k.waiting) >= maxWaiting {
		l.forget(k)
	}
	k.waiting = append(slices.DeleteFunc(k.waiting, func(e *entry) bool { return e.sequence >= sequence }), e)
	return e
}

// settle tells what became of a message. If it is durable those before it are.
func (l *lanes) settle(r ds.Ref, e *entry, durable bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.of(r)
	if !durable {
		k.waiting = slices.DeleteFunc(k.waiting, func(o *entry) bool { return o == e })
		return
	}
	for _, o := range k.waiting {
		o.durable = o.durable || o.sequence <= e.sequence
	}
}

// look is what a search of the database for the first message starts with.
type look struct{ generation, removed uint64 }

// next returns the first message after one, or nil, or where to look for it.
func (l *lanes) next(r ds.Ref, after uint64) (e *entry, known bool, from look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.of(r)
	if !k.whole {
		return nil, false, look{l.generation, k.removed}
	}
	for _, e := range k.waiting {
		if e.sequence > after {
			found := *e
			return &found, true, look{}
		}
	}
	return nil, true, look{}
}

// found tells what a look found. Each message that waited then and is not remembered
// would have been found before those that are.
func (l *lanes) found(r ds.Ref, sequence uint64, from look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.of(r); from.generation == l.generation {
		k.whole = k.whole || sequence == 0 || slices.ContainsFunc(k.waiting, func(e *entry) bool { return e.sequence == sequence })
	}
}

// upTo returns the messages up to one, or where to look for them.
func (l *lanes) upTo(r ds.Ref, sequence uint64) (waiting []entry, known bool, from look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.of(r)
	for _, e := range k.waiting {
		if e.sequence <= sequence {
			waiting = append(waiting, *e)
		}
	}
	return waiting, k.whole, look{l.generation, k.removed}
}

// done tells that the messages up to one were removed.
func (l *lanes) done(r ds.Ref, sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.of(r)
	k.removed = max(k.removed, sequence)
	k.waiting = slices.DeleteFunc(k.waiting, func(e *entry) bool { return e.sequence <= sequence })
}
