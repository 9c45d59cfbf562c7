package badger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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
	number  uint64  // by which its records know where they are in it
	records []write // in the order in which they were first written
	order   []slot  // of the keys; when nothing is added any more
	members []member
	bytes   int
	writes  int
	note    []byte
	noted   bool
}

// write is what a batch does to a record of the young layer.
type write struct {
	record *record
	head   uint64 // of its key
	change
}

// slot is a record of a batch by the beginning of its key.
type slot struct {
	head uint64
	at   int
}

// member is a request in the batch. Its function has run.
type member struct {
	req *request
	err error // its own error; nil if its writes are in the batch
}

// maxKept is how many records a batch may have had whose memory is used again: some
// 100 octets for each.
const maxKept = maxBatchWrite

// newBatch returns an empty batch of a number that no other has.
func (db *DB) newBatch() *batch {
	b := &batch{}
	if old := db.spareBatch; old != nil {
		*b = batch{records: old.records[:0], order: old.order[:0], members: old.members[:0]}
	}
	db.spareBatch = nil
	db.lastBatch++
	b.number = db.lastBatch
	return b
}

// find returns where the batch has a record, which may be nil.
func (b *batch) find(r *record) (at int, ok bool) {
	if r == nil || r.batch != b.number {
		return 0, false
	}
	return r.at, true
}

// add puts in a record that is not there.
func (b *batch) add(r *record, c change) {
	r.batch, r.at = b.number, len(b.records)
	b.records = append(b.records, write{r, headOf(r.key), c})
}

// truncate takes out the records from one on.
func (b *batch) truncate(from int, young *layer) {
	for _, w := range b.records[from:] {
		young.release(w.record)
	}
	clear(b.records[from:])
	b.records = b.records[:from]
}

// sort puts the records in the order of their keys, which says nothing of which
// request wrote what.
func (b *batch) sort() {
	b.order = b.order[:0]
	for i := range b.records {
		b.order = append(b.order, slot{b.records[i].head, i})
	}
	slices.SortFunc(b.order, func(x, y slot) int {
		if x.head != y.head {
			return cmp.Compare(x.head, y.head)
		}
		return strings.Compare(b.records[x.at].record.key, b.records[y.at].record.key)
	})
}

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
	if len(b.records) > 0 || b.noted {
		err = db.persist(b)
	}
	for _, m := range b.members {
		if err != nil {
			m.err = err
		}
		m.req.answer <- m.err
	}
	if len(b.records) <= maxKept && len(b.members) <= maxKept {
		clear(b.records)
		clear(b.members)
		db.spareBatch = b
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
	young.apply(b)
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
		b.add(db.young().reserve(nil, fenceKey), change{kind: changePut, value: record})
	}
	frame := append(db.frame[:0], make([]byte, frameHeader)...)
	b.sort()
	for _, s := range b.order {
		frame = appendChange(frame, b.records[s.at].record.key, b.records[s.at].change)
	}
	db.frame = frame
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
