package badger

import (
	"fmt"
	"os"
)

// recover moves what is in journals into the tables, and begins a new journal.
// It leaves journals as they are until all that they hold is in the tables, and
// may be done again after a crash.
func (db *DB) recover() error {
	txn := db.tables.latest()
	defer txn.Discard()
	var err error
	if db.seq, err = readSeq(txn); err != nil {
		return err
	}
	l, numbers, err := db.replay()
	if err != nil {
		return err
	}
	if !l.empty() {
		if err := db.tables.settle(l, db.cfg.Fault); err != nil {
			return err
		}
	}
	db.settlesAs = db.tables.version
	if db.cfg.ReadOnly {
		db.layers.young = newLayer(0)
		return nil
	}
	next := uint64(1)
	if n := len(numbers); n > 0 {
		next = numbers[n-1] + 1
	}
	if db.journal, err = newJournal(db.cfg.Dir, db.cfg.Key, next, nil, 0); err != nil {
		return err
	}
	db.layers.young = newLayer(next)
	for _, n := range numbers {
		if err := os.Remove(journalPath(db.cfg.Dir, n)); err != nil {
			return fmt.Errorf("badger: removing a journal: %w", err)
		}
	}
	return nil
}

// replay reads what the journals in the directory have that the tables do not,
// batch by batch, into a layer. It returns the numbers of the journals.
//
// Each frame names the one before, so that a lost one is noticed. A frame that is
// not whole is one whose writer was not answered: the last of its journal.
func (db *DB) replay() (*layer, []uint64, error) {
	numbers, err := journalNumbers(db.cfg.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("badger: looking for journals: %w", err)
	}
	l := newLayer(0)
	for _, n := range numbers {
		b, err := os.ReadFile(journalPath(db.cfg.Dir, n))
		if err != nil {
			return nil, nil, fmt.Errorf("badger: reading a journal: %w", err)
		}
		if len(b) < journalBlock || isZero(b[:journalBlock]) {
			continue // a crash came while it was made
		}
		id, err := parseJournal(b[:journalBlock])
		if err != nil {
			return nil, nil, err
		}
		aead := journalCipher(db.cfg.Key, id)
		err = eachFrame(b[journalBlock:], id, func(f frame) error {
			if f.seq <= db.seq {
				return nil
			}
			if f.before != db.seq {
				return fmt.Errorf("%w: a batch is missing", ErrJournal)
			}
			body, err := decryptFrame(aead, f)
			if err != nil {
				return err
			}
			db.seq = f.seq
			return l.replay(body)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	l.seq = db.seq
	return l, numbers, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// replay does again what a frame says.
func (l *layer) replay(body []byte) error {
	return eachChange(body, func(key []byte, c change) error {
		if c.kind == changeExtend {
			old, _ := l.peek(key)
			if c.kept > len(old) {
				return fmt.Errorf("%w: what a record is extended by belongs to none", ErrJournal)
			}
			c.value = append(old[:c.kept:c.kept], c.value...)
		} else if c.kind == changePut && c.value == nil {
			c.value = []byte{}
		}
		l.put(string(key), c.value)
		return nil
	})
}
