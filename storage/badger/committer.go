package badger

import (
	"bytes"
	"context"
	"sync/atomic"
)

// request is one submitted function, or one prefix to drop.
type request struct {
	run    func(*Tx) error
	prefix []byte

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
	for r := range db.queue {
		if r.claimed.CompareAndSwap(false, true) {
			db.requestsRun.Add(1)
			db.admit(r)
		}
		if len(db.queue) == 0 {
			db.flush()
		}
	}
	db.flush()
}

// admit runs the request in the present batch.
func (db *DB) admit(r *request) {
	if db.failed.Load() {
		r.answer <- ErrFailed
		return
	}
	if r.prefix != nil {
		db.flush()
		if db.failed.Load() {
			r.answer <- ErrFailed
			return
		}
		r.answer <- db.drop(r.prefix)
		return
	}
	if db.batch == nil {
		db.batch = db.newBatch()
		db.watchSpace()
	}
	tx := &Tx{read: db.batch.txn, limit: db.cfg.Format.maxRequest()}
	err := r.run(tx)
	if tx.err != nil {
		err = tx.err
	}
	if err == nil && tx.changes() && db.writesOff {
		err = ErrNoSpace
	}
	if err == nil {
		err = db.add(tx)
	}
	if db.batch == nil { // add had to write the batch, and that failed
		r.answer <- err
		return
	}
	db.batch.members = append(db.batch.members, member{r, err})
	if len(db.batch.members) >= MaxWrites {
		db.flush()
	}
}
