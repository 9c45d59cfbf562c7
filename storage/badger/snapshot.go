package badger

import (
	"context"
	"fmt"
	"runtime/debug"

	engine "github.com/dgraph-io/badger/v4"
)

// snapshot is one durable state, whatever is written meanwhile. It keeps what it
// shows from being compacted away, so it must be closed.
type snapshot struct {
	txn     *engine.Txn
	release func()
	// cursors has one for each first octet that was gone over. They move
	// forward for the most part, and opening one touches every table.
	cursors map[byte]*engine.Iterator
}

// snapshot has all records moved into the tables first, and waits for that, as
// nobody else does. The caller keeps the database open.
func (db *DB) snapshot(ctx context.Context) (*snapshot, error) {
	if !db.cfg.ReadOnly {
		r := &request{rotate: true, answer: make(chan error, 1)}
		select {
		case db.queue <- r:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := <-r.answer; err != nil {
			return nil, err
		}
		if err := db.tables.await(ctx, r.version); err != nil {
			return nil, err
		}
	}
	txn, release := db.tables.hold()
	return &snapshot{txn, release, map[byte]*engine.Iterator{}}, nil
}

func (s *snapshot) close() {
	for _, c := range s.cursors {
		c.Close()
	}
	s.release()
}

// each calls f with the records whose keys have the prefix, in key order. Key
// and value are f's until it returns. f may go over records of other first
// octets.
func (s *snapshot) each(ctx context.Context, prefix []byte, f func(key, value []byte) error) error {
	it := s.cursors[prefix[0]]
	if it == nil {
		it = s.txn.NewIterator(engine.IteratorOptions{Prefix: prefix[:1]})
		s.cursors[prefix[0]] = it
	}
	for it.Seek(prefix); it.ValidForPrefix(prefix); it.Next() {
		if err := visit(ctx, it.Item(), f); err != nil {
			return err
		}
	}
	return nil
}

// all calls f with all records, the kernel's included.
func (s *snapshot) all(ctx context.Context, f func(key, value []byte) error) error {
	return s.items(ctx, func(item *engine.Item) error { return visit(ctx, item, f) })
}

// items goes over all records. The one iterator holds on to all tables there
// are, so that nothing that happens meanwhile can be seen, not even the
// dropping of a prefix.
func (s *snapshot) items(ctx context.Context, f func(*engine.Item) error) error {
	it := s.txn.NewIterator(engine.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(it.Item()); err != nil {
			return err
		}
	}
	return nil
}

func visit(ctx context.Context, item *engine.Item, f func(key, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var failed error
	err := item.Value(func(value []byte) error {
		failed = f(item.Key(), value)
		return nil
	})
	if err != nil {
		return fmt.Errorf("badger: reading: %w", cause(err))
	}
	return failed
}

// verify reads all tables and compares their checksums. The engine itself takes
// a damaged block for the end of what it looks through: records in it are
// silently not there. Whoever must know that nothing is missing verifies first.
// A part of a file that the disk does not give shows as a fault, as the files are
// mapped.
func (db *DB) verify() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil { // also as the engine's own error message dereferences nil
			err = ErrDamaged
		}
	}()
	if db.tables.engine.VerifyChecksum() != nil {
		return ErrDamaged
	}
	return nil
}
