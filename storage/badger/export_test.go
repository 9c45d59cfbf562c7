package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"
)

// ParseFormat, ParseFenceRecord and ParseFence give the parsers to the tests,
// each with the encoding of what was read.

func ParseFormat(b []byte) ([]byte, error) {
	f, err := parseFormat(b)
	if err != nil {
		return nil, err
	}
	return f.marshal()
}

func ParseFenceRecord(b []byte) ([]byte, error) {
	id, note, err := parseFenceRecord(b)
	if err != nil {
		return nil, err
	}
	f := &fence{fenceState: fenceState{id: id}}
	return f.record(note)
}

func ParseLife(b []byte) ([]byte, error) {
	l, err := parseLife(b)
	if err != nil {
		return nil, err
	}
	return l.marshal()
}

func ParseSlot(b []byte) ([]byte, error) {
	s, err := parseSlot(b)
	if err != nil {
		return nil, err
	}
	return s.marshal()
}

// FenceFile returns a fence file whose slots have these numbers and this note.
func FenceFile(first, second uint64, note []byte) []byte {
	var slots [2][]byte
	for i, seq := range []uint64{first, second} {
		s := fenceState{seq: seq, note: note}
		slots[i], _ = s.marshal()
	}
	return bytes.Join(slots[:], nil)
}

// FenceSeq parses a fence file.
func FenceSeq(b []byte) (uint64, error) {
	s, err := parseFence(b)
	return s.seq, err
}

const SlotSize = slotSize

// QueueLen is the number of requests that wait.
func (db *DB) QueueLen() int { return len(db.queue) }

// Cause is what is left of an error of the engine.
func Cause(err error) error { return cause(err) }

// PutRaw writes a record of any key, as a damaged disk might.
func (db *DB) PutRaw(key, value []byte) error {
	return db.engine.Update(func(txn *engine.Txn) error { return txn.Set(key, value) })
}

// Compact moves all records to one level.
func (db *DB) Compact() error { return db.engine.Flatten(2) }
