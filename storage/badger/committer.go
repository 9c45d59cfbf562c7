package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	engine "github.com/dgraph-io/badger/v4"
)

// Step is a moment at which [Config.Fault] can fail the disk.
type Step int

const (
	StepPersist Step = iota // before the batch is written
	StepFence               // the batch is durable, the fence is not yet written
	StepAnswer              // batch and fence are durable, nobody was answered
	StepDrop                // before a prefix is dropped
	StepDropped             // the prefix is dropped, the caller was not answered
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

// batch is what the committer gathered since the last transaction.
type batch struct {
	txn     *engine.Txn
	members []member
	bytes   int
	writes  int
	note    []byte
	noted   bool
}

type member struct {
	req *request
	err error // its own error; nil if its writes are in the batch
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
		db.batch = &batch{txn: db.engine.NewTransaction(true)}
		db.watchSpace()
	}
	tx := &Tx{read: db.batch.txn}
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

// add moves the request's writes into the batch, which it writes first if they
// do not fit. The request then goes into the next batch as it is: what it read
// has become durable and has not changed.
func (db *DB) add(tx *Tx) error {
	b := db.batch
	if b.bytes+tx.bytes > MaxRequest || b.writes+len(tx.writes) > MaxWrites {
		db.flush()
		if db.failed.Load() {
			return ErrFailed
		}
		b = &batch{txn: db.engine.NewTransaction(true)}
		db.batch = b
	}
	for key, value := range tx.writes {
		if err := b.set([]byte(key), value); err != nil {
			// Badger takes every key and size that Tx lets pass.
			panic("badger: the engine refused a checked write: " + err.Error())
		}
	}
	b.bytes += tx.bytes
	b.writes += len(tx.writes)
	if tx.noted {
		b.note, b.noted = tx.note, true
	}
	return nil
}

func (b *batch) set(key, value []byte) error {
	if value == nil {
		return b.txn.Delete(key)
	}
	return b.txn.Set(key, value)
}

// flush writes the batch and answers its members. If it fails, also those
// members that wrote nothing get the error: they may have seen what is not
// durable.
func (db *DB) flush() {
	b := db.batch
	if b == nil {
		return
	}
	db.batch = nil
	var err error
	if b.writes > 0 || b.noted {
		err = db.persist(b)
	}
	b.txn.Discard()
	for _, m := range b.members {
		if err != nil {
			m.err = err
		}
		m.req.answer <- m.err
	}
}

// persist makes the batch durable: the transaction first, then the fence. A
// crash between the two leaves the database one batch ahead of the fence, which
// is not taken for an older copy.
func (db *DB) persist(b *batch) error {
	seq := db.seq + 1
	if err := db.write(b, seq); err != nil {
		db.failed.Store(true)
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	db.seq = seq
	db.batches.Add(1)
	return nil
}

func (db *DB) write(b *batch, seq uint64) error {
	if err := b.set(seqKey, binary.BigEndian.AppendUint64(nil, seq)); err != nil {
		return err
	}
	if db.fence != nil && b.noted {
		record, err := db.fence.record(b.note)
		if err != nil {
			return err
		}
		if err := b.set(fenceKey, record); err != nil {
			return err
		}
	}
	if err := db.cfg.Fault(StepPersist); err != nil {
		return err
	}
	if err := b.txn.Commit(); err != nil {
		return err
	}
	if err := db.cfg.Fault(StepFence); err != nil {
		return err
	}
	if db.fence != nil {
		if b.noted {
			db.fence.note = b.note
		}
		if err := db.fence.advance(seq); err != nil {
			return err
		}
	}
	return db.cfg.Fault(StepAnswer)
}

// drop has the committer to itself, as Badger fails writes during DropPrefix.
func (db *DB) drop(prefix []byte) error {
	err := db.cfg.Fault(StepDrop)
	if err == nil {
		err = db.engine.DropPrefix(prefix)
	}
	if err == nil {
		err = db.cfg.Fault(StepDropped)
	}
	if err != nil {
		db.failed.Store(true)
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	return nil
}
