package badger

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/storage/backup"
)

// Moved says what Open does with a database that was moved to another engine.
type Moved int

const (
	// RefuseMoved fails with [ErrMoved].
	RefuseMoved Moved = iota
	// LookAtMoved opens it, for who moves it.
	LookAtMoved
	// ReopenMoved takes it into use again, as the older copy that it then is: see
	// [Config.OnRollback].
	ReopenMoved
)

// movedKey is the record of a database that was moved: the number of the batch
// before.
var movedKey = []byte("\x00moved")

// Position is which state of which database something is.
type Position struct {
	Lineage backup.Lineage
	Batch   uint64 // the number of the last batch; that by which it was moved is none
	// Moved says that the database was moved.
	Moved bool
	// Fence and Number are those of the fence: zero without one.
	Fence  [16]byte
	Number uint64
}

// Marshal returns what stays the same as long as nothing is written: lineage and
// batch.
func (p *Position) Marshal() []byte {
	return binary.BigEndian.AppendUint64(append([]byte{}, p.Lineage[:]...), p.Batch)
}

// Position returns the present state.
func (db *DB) Position(ctx context.Context) (p Position, err error) {
	err = db.Submit(ctx, func(tx *Tx) error {
		before, moved, err := db.readMoved()
		if err != nil {
			return err
		}
		p = Position{Lineage: db.life.lineage, Batch: db.seq, Moved: moved}
		if moved {
			p.Batch = before
		}
		if db.fence != nil {
			p.Fence, p.Number = db.fence.ID, db.fence.Seq
		}
		return nil
	})
	return p, err
}

// Move marks the database as moved to another engine, durably: no server opens it
// again by mistake. What is written there is not known here. It may be repeated.
func (db *DB) Move(ctx context.Context) error {
	return db.Submit(ctx, func(tx *Tx) error {
		_, moved, err := db.readMoved()
		if err == nil && !moved {
			tx.batch.add(tx.db.young().reserve(nil, movedKey), change{kind: changePut, value: marshalSeq(db.seq)})
		}
		return err
	})
}

func (db *DB) readMoved() (before uint64, moved bool, err error) {
	b, err := db.lookUp(movedKey)
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	if err == nil {
		before, err = parseSeq(b)
	}
	return before, err == nil, err
}

// checkMoved reports whether the database was moved, and is to be taken into use
// again.
func (db *DB) checkMoved() (moved, reopen bool, err error) {
	_, moved, err = db.readMoved()
	if err == nil && moved && db.cfg.Moved == RefuseMoved {
		err = ErrMoved
	}
	return moved, moved && db.cfg.Moved == ReopenMoved, err
}
