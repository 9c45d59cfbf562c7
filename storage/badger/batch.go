package badger

import (
	"fmt"
	"maps"
	"slices"
)

// Step is a moment at which [Config.Fault] can fail the disk.
type Step int

const (
	StepPersist Step = iota // before the batch is written
	StepFence               // the batch is durable, the fence is not yet written
	StepAnswer              // batch and fence are durable, nobody was answered
	StepDrop                // before a prefix is dropped
	StepDropped             // the prefix is dropped, the caller was not answered
	StepSettle              // a part of a journal's records is in the tables
	StepSettled             // all of them are, and the journal is still there
)

// The limits of a batch, which is written when one is reached.
const (
	maxBatch      = 4 << 20 // octets, counted as for a request
	maxBatchWrite = 1 << 15 // writes
)

// batch is what the committer gathered since the last sync.
type batch struct {
	latest  map[string]change // by key
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

func newBatch() *batch { return &batch{latest: map[string]change{}} }

// take takes over a request whose writes are in the batch already.
func (b *batch) take(tx *Tx) {
	b.bytes += tx.bytes
	b.writes += tx.writes
	if tx.noted {
		b.note, b.noted = tx.note, true
	}
}

func (b *batch) full() bool {
	return b.bytes >= maxBatch || b.writes >= maxBatchWrite || len(b.members) >= maxBatchWrite
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
	if len(b.latest) > 0 || b.noted {
		err = db.persist(b)
	}
	for _, m := range b.members {
		if err != nil {
			m.err = err
		}
		m.req.answer <- m.err
	}
}

// persist makes the batch durable, in the journal first, then in the fence, and
// lets readers see it. A crash between the two leaves the database one batch
// ahead of the fence, which is not taken for an older copy.
func (db *DB) persist(b *batch) error {
	seq := max(db.seq, db.floor) + 1
	if err := db.write(b, seq); err != nil {
		db.failed.Store(true)
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	db.seq = seq
	young := db.young()
	young.apply(b.latest)
	young.seq = seq
	db.batches.Add(1)
	return nil
}

func (db *DB) write(b *batch, seq uint64) error {
	if db.fence != nil && b.noted {
		record, err := fenceRecord(db.fence.ID, b.note)
		if err != nil {
			return err
		}
		b.latest[string(fenceKey)] = change{kind: changePut, value: record}
	}
	frame := append(db.frame[:0], make([]byte, frameHeader)...)
	// In the order of the keys, which says nothing of which request wrote what. That
	// of the map does: a small one comes in the order in which it was filled.
	keys := slices.AppendSeq(db.keys[:0], maps.Keys(b.latest))
	slices.Sort(keys)
	for _, key := range keys {
		frame = appendChange(frame, key, b.latest[key])
	}
	db.frame, db.keys = frame, keys
	if err := db.cfg.Fault(StepPersist); err != nil {
		return err
	}
	if err := db.journal.append(frame, db.seq, seq); err != nil {
		return err
	}
	if err := db.cfg.Fault(StepFence); err != nil {
		return err
	}
	if db.fence != nil {
		if b.noted {
			db.fence.Note = b.note
		}
		if err := db.fence.Advance(seq); err != nil {
			return err
		}
	}
	return db.cfg.Fault(StepAnswer)
}

// drop has the committer and the tables to itself, as Badger fails writes during
// DropPrefix. What the journal has is in the tables first, so that nothing of it
// comes back.
func (db *DB) drop(prefix []byte) error {
	if err := db.settleAll(); err != nil {
		return fmt.Errorf("%w: %w", ErrAmbiguous, err)
	}
	err := db.cfg.Fault(StepDrop)
	if err == nil {
		if err = db.tables.engine.DropPrefix(prefix); err != nil {
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
