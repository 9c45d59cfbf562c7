package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"
)

// ParseFormat, ParseFenceRecord and others give the parsers to the tests,
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
	return fenceRecord(id, note)
}

func ParseLife(b []byte) ([]byte, error) {
	l, err := parseLife(b)
	if err != nil {
		return nil, err
	}
	return l.marshal()
}

// QueueLen is the number of requests that wait.
func (db *DB) QueueLen() int { return len(db.queue) }

// Cause is what is left of an error of the engine.
func Cause(err error) error { return cause(err) }

// PutRaw writes a record of any key, as a damaged disk might.
func (db *DB) PutRaw(key, value []byte) error { return db.tables.put(key, value) }

// ParseJournal parses the header of a journal.
func ParseJournal(b []byte) ([]byte, error) {
	id, err := parseJournal(b)
	if err != nil {
		return nil, err
	}
	return marshalJournal(id), nil
}

// ParseFrame parses a frame of a journal with id 0, and nothing behind it.
func ParseFrame(b []byte) ([]byte, error) {
	f, ok := frameAt(b, journalID{})
	if !ok || frameHeader+len(f.body) != len(b) {
		return nil, ErrJournal
	}
	again := make([]byte, frameHeader)
	err := eachChange(f.body, func(key []byte, c change) error {
		// What was kept is not in the frame.
		if c.kept > MaxValue {
			return ErrJournal
		}
		again = appendChange(again, string(key), change{c.kind, append(make([]byte, c.kept), c.value...), c.kept})
		return nil
	})
	if err != nil {
		return nil, err
	}
	sealFrame(again, journalID{}, f.before, f.seq)
	return again, nil
}

// Journal is the header of a journal, and Frame a frame of one with id 0.
var Journal, Frame = marshalJournal(journalID{1}), frameOfAll()

func frameOfAll() []byte {
	b := make([]byte, frameHeader)
	b = appendChange(b, "put", change{changePut, []byte("value"), 0})
	b = appendChange(b, "deleted", change{kind: changeDelete})
	b = appendChange(b, "extended", change{changeExtend, []byte("12345"), 3})
	sealFrame(b, journalID{}, 7, 8)
	return b
}

// WithSum returns b as a frame of this length with a checksum that fits.
func WithSum(b []byte) []byte {
	b = append(bytes.Clone(b), make([]byte, max(0, frameHeader-len(b)))...)
	sealFrame(b, journalID{}, 7, 8)
	return b
}

// Compact moves all records to one level.
func (db *DB) Compact() error { return db.tables.engine.Flatten(2) }

// MakeEmpty makes a database of the engine in which nothing was written.
func MakeEmpty(dir string) error {
	e, err := engine.OpenManaged(engineOptions(dir))
	if err != nil {
		return err
	}
	return e.Close()
}
