package badger

import (
	"context"
	"fmt"
	"math"
	"sync"

	engine "github.com/dgraph-io/badger/v4"
)

// tables is the engine below the layers in memory. Records move into it a layer
// at a time, in the order of their keys, all under one version of the engine's:
// which were written together, or when within that time, cannot be told from it.
type tables struct {
	engine *engine.DB

	// mu guards what follows. held counts the snapshots of each version.
	mu      sync.Mutex
	version uint64 // of the last layer that is in the tables as a whole
	held    map[uint64]int
	moved   chan struct{} // closed at the next version, or when broken
	broken  bool          // there will be none
}

func newTables(e *engine.DB) *tables {
	t := &tables{engine: e, version: max(e.MaxVersion(), 1), held: map[uint64]int{}, moved: make(chan struct{})}
	e.SetDiscardTs(t.version)
	return t
}

// latest reads whatever is in the tables. What a layer hides may be half there.
func (t *tables) latest() *engine.Txn { return t.engine.NewTransactionAt(math.MaxUint64, false) }

// put writes a record before anything else is in a database.
func (t *tables) put(key, value []byte) error {
	txn := t.engine.NewTransactionAt(t.version, true)
	defer txn.Discard()
	if err := txn.Set(key, value); err != nil {
		return err
	}
	return txn.CommitAt(t.version, nil)
}

// fail tells that no version will follow.
func (t *tables) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.broken {
		t.broken = true
		close(t.moved)
	}
}

// await waits for a version.
func (t *tables) await(ctx context.Context, version uint64) error {
	for {
		t.mu.Lock()
		reached, broken, moved := t.version >= version, t.broken, t.moved
		t.mu.Unlock()
		switch {
		case reached:
			return nil
		case broken:
			return ErrFailed
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hold returns a view of the last layers that are there as a whole. It stays
// until the returned function is called.
func (t *tables) hold() (txn *engine.Txn, release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.version
	t.held[v]++
	txn = t.engine.NewTransactionAt(v, false)
	return txn, func() {
		txn.Discard()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.held[v]--; t.held[v] == 0 {
			delete(t.held, v)
		}
	}
}

// What one of the engine's transactions holds, and how many are on their way.
const (
	settleRecords = 2000
	settleBytes   = 1 << 20
	settleAhead   = 4
)

// settle writes a layer, and then that it did. fault is asked in between.
func (t *tables) settle(l *layer, fault func(Step) error) error {
	version := t.version + 1
	w := &settler{tables: t, version: version, slots: make(chan struct{}, settleAhead)}
	l.order.Ascend(func(p rank) bool { return w.add(p.record) })
	if err := w.end(); err != nil {
		return err
	}
	if err := fault(StepSettle); err != nil {
		return err
	}
	w = &settler{tables: t, version: version, slots: make(chan struct{}, settleAhead)}
	w.add(&record{key: string(seqKey), value: marshalSeq(l.seq)})
	if err := w.end(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version = version
	close(t.moved)
	t.moved = make(chan struct{})
	for v := range t.held {
		version = min(version, v)
	}
	t.engine.SetDiscardTs(version)
	return nil
}

// settler writes records in parts.
type settler struct {
	tables  *tables
	version uint64
	slots   chan struct{}
	txn     *engine.Txn
	records int
	bytes   int

	// mu guards err.
	mu  sync.Mutex
	err error
}

// add reports false after an error.
func (w *settler) add(r *record) bool {
	if w.txn == nil {
		w.txn = w.tables.engine.NewTransactionAt(math.MaxUint64, true)
	}
	var err error
	if key := []byte(r.key); r.value != nil {
		err = w.txn.Set(key, r.value)
	} else if _, err = w.txn.Get(key); err == nil {
		err = w.txn.Delete(key)
	} else if err == engine.ErrKeyNotFound {
		return true // it came and went while it was in memory
	}
	if err != nil {
		w.fail(err)
		return false
	}
	w.records, w.bytes = w.records+1, w.bytes+len(r.key)+len(r.value)
	if w.records >= settleRecords || w.bytes >= settleBytes {
		return w.commit()
	}
	return true
}

func (w *settler) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = fmt.Errorf("badger: settling: %w", cause(err))
	}
}

func (w *settler) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *settler) commit() bool {
	txn := w.txn
	w.txn, w.records, w.bytes = nil, 0, 0
	w.slots <- struct{}{}
	err := txn.CommitAt(w.version, func(err error) {
		if err != nil {
			w.fail(err)
		}
		<-w.slots
	})
	if err != nil {
		w.fail(err)
	}
	return w.failed() == nil
}

// end waits until all is durable.
func (w *settler) end() error {
	if w.txn != nil {
		w.commit()
	}
	for range settleAhead {
		w.slots <- struct{}{}
	}
	return w.failed()
}
