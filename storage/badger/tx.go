package badger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/storage/fence"
)

// The limits of one request.
const (
	MaxKey     = 1024          // octets of a key
	MaxValue   = 512 << 10     // octets of a value
	MaxRequest = 3 << 19       // octets of all keys and values written, plus 64 for each write
	MaxWrites  = 8192          // puts and deletes
	MaxNote    = fence.MaxNote // octets of the note

	// LargeRequest takes the place of MaxRequest in a database of a format with
	// large requests.
	LargeRequest = 9 << 19
)

// maxRequest is how many octets one request may have.
func (f Format) maxRequest() int {
	if f.Large {
		return LargeRequest
	}
	return MaxRequest
}

// writeOverhead is what a write is counted for beside key and value.
const writeOverhead = 64

// Tx is the view and the pending writes of one request. It is valid only during
// the call that it was passed to, and for one goroutine.
type Tx struct {
	db     *DB
	batch  *batch
	limit  int // octets
	first  int // of the batch's records that the request was the first to write
	undo   []undo
	bytes  int
	writes int
	note   []byte
	noted  bool
	err    error // the first error; the request fails with it
}

// undo is what the batch had of a record before the request.
type undo struct {
	at  int
	had change
}

// Get returns a copy of the record's value, or [ErrNotFound]. It sees what this
// request and those before it wrote.
func (tx *Tx) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, tx.fail(err)
	}
	if at, ok := tx.batch.find(tx.db.young().find(nil, key)); ok {
		c := tx.batch.records[at].change
		if c.kind == changeDelete {
			return nil, ErrNotFound
		}
		return append(make([]byte, 0, len(c.value)), c.value...), nil
	}
	v, err := tx.db.lookUp(key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, tx.fail(err)
	}
	return v, err
}

// Put sets a record. It keeps value, which the caller must not modify after. An
// invalid key or a value or request over the limits fails the request.
func (tx *Tx) Put(key, value []byte) { tx.PutAt(nil, key, value) }

// Place is where a record lies in memory. Who writes a record often keeps one with
// what else it knows of it: the record is then found sooner. It is a hint: the zero
// value, one that is out of date and one of another record do no harm.
type Place struct{ layer, at uint32 }

// PutAt is Put that looks for the record at a place first, and notes where it is.
func (tx *Tx) PutAt(p *Place, key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	c := change{kind: changePut, value: value[:len(value):len(value)]}
	if tx.admits(key, len(value), c) {
		tx.write(tx.db.young().reserve(p, key), c)
	}
}

// Delete removes a record; a missing one is no error.
func (tx *Tx) Delete(key []byte) {
	c := change{kind: changeDelete}
	if tx.admits(key, 0, c) {
		tx.write(tx.db.young().reserve(nil, key), c)
	}
}

// Extend appends the parts to a record that was put lately, and is still in memory
// as a whole: it then costs only what it appends. Otherwise it reports false and
// does nothing; the caller begins another record.
func (tx *Tx) Extend(key []byte, parts ...[]byte) bool { return tx.ExtendAt(nil, key, parts...) }

// ExtendAt is Extend that looks for the record at a place first, as PutAt.
func (tx *Tx) ExtendAt(p *Place, key []byte, parts ...[]byte) bool {
	if checkKey(key) != nil {
		return false
	}
	c := change{kind: changeExtend}
	r := tx.db.young().find(p, key)
	if at, ok := tx.batch.find(r); ok {
		c = tx.batch.records[at].change
	} else if r != nil {
		c.value, c.kept = r.value, len(r.value)
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if c.value == nil || len(c.value)+size > MaxValue {
		return false
	}
	if n := len(c.value); n+size > cap(c.value) {
		c.value = append(make([]byte, 0, max(2*n, n+size)), c.value...)
	}
	// Who reads the old value sees no further than its end.
	for _, p := range parts {
		c.value = append(c.value, p...)
	}
	if tx.admits(key, size, c) {
		tx.write(r, c)
	}
	return true
}

// SetNote replaces the note that the fence carries: at most [MaxNote] octets
// that [Config.OnRollback] will need to know about the time after an older copy
// was made. It is durable, in database and fence, when Submit returns.
func (tx *Tx) SetNote(note []byte) {
	if len(note) > MaxNote {
		tx.fail(fmt.Errorf("%w: note", ErrTooLarge))
		return
	}
	tx.note, tx.noted = bytes.Clone(note), true
}

// admits counts a write of so many octets, and reports whether it may be done.
func (tx *Tx) admits(key []byte, octets int, c change) bool {
	if err := checkKey(key); err != nil {
		tx.fail(err)
		return false
	}
	if len(c.value) > MaxValue {
		tx.fail(fmt.Errorf("%w: value", ErrTooLarge))
		return false
	}
	tx.bytes += len(key) + octets + writeOverhead
	tx.writes++
	if tx.err != nil || tx.bytes > tx.limit || tx.writes > MaxWrites {
		tx.fail(ErrTooLarge)
		return false
	}
	return true
}

func (tx *Tx) write(r *record, c change) {
	at, ok := tx.batch.find(r)
	if !ok {
		tx.batch.add(r, c)
		return
	}
	there := &tx.batch.records[at].change
	if at < tx.first {
		tx.undo = append(tx.undo, undo{at, *there})
	}
	*there = c
}

// undoAll takes back what the request wrote.
func (tx *Tx) undoAll() {
	for _, u := range slices.Backward(tx.undo) {
		tx.batch.records[u.at].change = u.had
	}
	tx.batch.truncate(tx.first, tx.db.young())
}

func (tx *Tx) fail(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return err
}

// changes reports whether there is anything to persist.
func (tx *Tx) changes() bool { return len(tx.undo) > 0 || len(tx.batch.records) > tx.first || tx.noted }

func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey || key[0] == 0 || bytes.HasPrefix(key, []byte("!badger!")) {
		return ErrKey
	}
	return nil
}

// get reads one record of any key, the kernel's included, from the tables.
func get(txn *engine.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, engine.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("badger: reading: %w", cause(err))
	}
	v, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("badger: reading: %w", cause(err))
	}
	return v, nil
}

// cause takes off what Badger wraps around an error: such texts quote keys.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
