package badger

import (
	"bytes"
	"errors"
	"fmt"

	engine "github.com/dgraph-io/badger/v4"
)

// The limits of one request. A batch has the same ones.
const (
	MaxKey     = 1024      // octets of a key
	MaxValue   = 512 << 10 // octets of a value
	MaxRequest = 3 << 19   // octets of all keys and values, plus 64 for each write
	MaxWrites  = 8192      // puts and deletes
	MaxNote    = 3 << 10   // octets of the note

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
	read   *engine.Txn
	limit  int               // octets
	writes map[string][]byte // nil deletes
	bytes  int
	note   []byte
	noted  bool
	err    error // the first error; the request fails with it
}

// Get returns a copy of the record's value, or [ErrNotFound]. It sees what this
// request and those before it wrote.
func (tx *Tx) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, tx.fail(err)
	}
	if v, ok := tx.writes[string(key)]; ok {
		if v == nil {
			return nil, ErrNotFound
		}
		return bytes.Clone(v), nil
	}
	v, err := get(tx.read, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, tx.fail(err)
	}
	return v, err
}

// Put sets a record. It keeps value, which the caller must not modify after. An
// invalid key or a value or request over the limits fails the request.
func (tx *Tx) Put(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	tx.write(key, value)
}

// Delete removes a record; a missing one is no error.
func (tx *Tx) Delete(key []byte) { tx.write(key, nil) }

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

func (tx *Tx) write(key, value []byte) {
	if err := checkKey(key); err != nil {
		tx.fail(err)
		return
	}
	if len(value) > MaxValue {
		tx.fail(fmt.Errorf("%w: value", ErrTooLarge))
		return
	}
	if tx.writes == nil {
		tx.writes = make(map[string][]byte)
	}
	if old, ok := tx.writes[string(key)]; ok {
		tx.bytes -= len(key) + len(old) + writeOverhead
	}
	tx.bytes += len(key) + len(value) + writeOverhead
	tx.writes[string(key)] = value
	if tx.bytes > tx.limit || len(tx.writes) > MaxWrites {
		tx.fail(ErrTooLarge)
	}
}

func (tx *Tx) fail(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return err
}

// changes reports whether there is anything to persist.
func (tx *Tx) changes() bool { return len(tx.writes) > 0 || tx.noted }

func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey || key[0] == 0 || bytes.HasPrefix(key, []byte("!badger!")) {
		return ErrKey
	}
	return nil
}

// get reads one record of any key, the kernel's included.
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
