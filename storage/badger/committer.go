package badger

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"
)

// request is one submitted function, one prefix to drop, or that what is in
// memory begin to move into the tables.
type request struct {
	run    func(*Tx) error
	prefix []byte
	rotate bool
	// version is the one that the tables will have when it has moved.
	version uint64

	// claimed is set once: by the committer that takes the request, or by the
	// caller that withdraws it. So a function whose caller has gone never runs.
	claimed atomic.Bool
	answer  chan error // buffered, so that the committer never waits
}

// Submit runs f on the committer's goroutine and returns when what it wrote is
// durable. If f returns an error its writes are dropped and Submit returns that
// error, once everything that f saw is durable. f must be quick, must not call
// methods of db, and may leave results in captured variables, which the caller
// may read once Submit has returned.
//
// While the queue is full Submit waits. If ctx ends before the committer takes
// the request, f does not run and the context's error is returned; after that
// ctx has no effect.
func (db *DB) Submit(ctx context.Context, f func(*Tx) error) error {
	return db.submit(ctx, &request{run: f})
}

// DropPrefix removes all records whose keys have the prefix. Concurrent requests
// wait, for up to seconds; none fails. A crash may leave a part of the records,
// so remember durably what is to be dropped and drop it again after Open. It
// works also while writes are off, as it frees space.
func (db *DB) DropPrefix(ctx context.Context, prefix []byte) error {
	if err := checkKey(prefix); err != nil {
		return err
	}
	return db.submit(ctx, &request{prefix: bytes.Clone(prefix)})
}

func (db *DB) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.cfg.ReadOnly {
		return ErrReadOnly
	}
	r.answer = make(chan error, 1)
	if err := db.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-r.answer
	}
}

func (db *DB) enqueue(ctx context.Context, r *request) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return ErrClosed
	}
	select {
	case db.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve is the committer. A batch is written when nobody waits any more, so that
// a lone request is not delayed and a crowd shares the sync: what arrives during
// one sync forms the next batch.
func (db *DB) serve() {
	defer close(db.done)
	quiet := time.NewTicker(settleAfter)
	defer quiet.Stop()
	for {
		select {
		case r, ok := <-db.queue:
			if !ok {
				db.flush()
				return
			}
			if r.claimed.CompareAndSwap(false, true) {
				db.requestsRun.Add(1)
				db.admit(r)
			}
			if len(db.queue) == 0 || db.batch != nil && db.batch.full() {
				db.flush()
				db.makeRoom()
			}
		case <-quiet.C:
			db.flush() // a batch is of one journal
			if !db.failed.Load() && db.settled() {
				db.rotate()
			}
		}
	}
}

// makeRoom begins a new journal when the present one is full. If the tables
// cannot keep up it grows, and in the end writers wait.
func (db *DB) makeRoom() {
	full := db.journal.end >= int64(db.cfg.Journal)
	if full && !db.failed.Load() && (db.settled() || db.journal.end >= 4*int64(db.cfg.Journal)) {
		db.rotate()
	}
}

// admit runs the request in the present batch.
func (db *DB) admit(r *request) {
	if db.failed.Load() {
		r.answer <- ErrFailed
		return
	}
	if r.rotate || r.prefix != nil {
		db.flush()
		switch {
		case db.failed.Load():
			r.answer <- ErrFailed
		case r.rotate:
			err := db.rotate()
			r.version = db.settlesAs
			r.answer <- err
		default:
			r.answer <- db.drop(r.prefix)
		}
		return
	}
	if db.batch == nil {
		db.batch = db.newBatch()
		db.watchSpace()
	}
	tx := &Tx{db: db, batch: db.batch, limit: db.cfg.Format.maxRequest(), first: len(db.batch.records)}
	err := r.run(tx)
	if tx.err != nil {
		err = tx.err
	}
	if err == nil && tx.changes() && db.writesOff {
		err = ErrNoSpace
	}
	if err == nil {
		db.batch.take(tx)
	} else {
		tx.undoAll()
	}
	db.batch.members = append(db.batch.members, member{r, err})
}
