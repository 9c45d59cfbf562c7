package badger

import (
	"fmt"

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

// batch is what the committer gathered since the last transaction.
type batch struct {
	txn     *engine.Txn
	members []member
	bytes   int
	writes  int
	note    []byte
	noted   bool
}

// member is a request in the batch. Its function has run.
type member struct {
	req *request
	err error // its own error; nil if its writes are in the batch
}

func (db *DB) newBatch() *batch { return &batch{txn: db.engine.NewTransaction(true)} }

// add moves the request's writes into the batch, which it writes first if they
// do not fit. The request then goes into the next batch as it is: what it read
// has become durable and has not changed.
func (db *DB) add(tx *Tx) error {
	b := db.batch
	if b.bytes+tx.bytes > db.cfg.Format.maxRequest() || b.writes+len(tx.writes) > MaxWrites {
		db.flush()
		if db.failed.Load() {
			return ErrFailed
		}
		b = db.newBatch()
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
	if err := b.set(seqKey, marshalSeq(seq)); err != nil {
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
		return cause(err)
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
		if err = db.engine.DropPrefix(prefix); err != nil {
			err = cause(err)
		}
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
