package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/storage/fence"
)

// fenceRecord is the database's own copy of id and note.
func fenceRecord(id [16]byte, note []byte) ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(id[:])
	w.Opaque16(note)
	return w.Bytes()
}

func parseFenceRecord(b []byte) (id [16]byte, note []byte, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	copy(id[:], r.Fixed(len(id)))
	note = bytes.Clone(r.Opaque16())
	if err := r.Finish(); err != nil {
		return id, nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return id, note, nil
}

// checkFence compares the database with its fence, before the committer runs.
// The order of creation is fence, then the database's record of it: a fence of
// number 0 beside a database without that record is a creation cut short, not a
// rollback.
func (db *DB) checkFence() error {
	id, note, known, err := db.readLineage()
	if err != nil {
		return err
	}
	moved, reopen, err := db.checkMoved()
	if err != nil {
		return err
	}
	if db.cfg.Fence == "" {
		if known {
			return fmt.Errorf("%w: the database needs its fence", ErrFence)
		}
		if db.life.pending || reopen {
			return db.rollBack(db.life.note)
		}
		return nil
	}
	db.fence, err = fence.Open(db.cfg.Fence)
	if errors.Is(err, os.ErrNotExist) {
		if known || db.life.pending && db.cfg.NeedsFence {
			return fmt.Errorf("%w: missing", ErrFence)
		}
		db.fence, err = fence.Create(db.cfg.Fence)
	}
	if err != nil {
		return fmt.Errorf("badger: opening the fence: %w", err)
	}
	foreign := !known && db.seq > 0 && db.fence.Seq > 0
	if foreign || known && id != db.fence.ID {
		return fmt.Errorf("%w: it belongs to another database", ErrFence)
	}
	if reopen || db.seq < db.fence.Seq && !moved {
		return db.rollBack(db.fence.Note)
	}
	if db.life.pending {
		return db.rollBack(db.life.note)
	}
	// A crash between database and fence left older ones there.
	db.fence.Restores = max(db.fence.Restores, db.life.restores)
	if known {
		db.fence.Note = note
		return nil
	}
	return db.persistAlone(func(tx *Tx) error {
		tx.SetNote(nil)
		return nil
	})
}

// rollBack lets the driver close what can no longer be judged. Its writes, the
// new lineage and the database's new number, past the fence's, are one batch: a
// crash before it is found again by the next Open.
func (db *DB) rollBack(note []byte) error {
	if db.cfg.OnRollback == nil {
		return ErrRolledBack
	}
	restores := db.life.restores
	if db.fence != nil {
		db.floor = db.fence.Seq
		restores = max(restores, db.fence.Restores)
		db.fence.Restores = restores + 1
	}
	record, err := newLife(restores + 1)
	if err != nil {
		return err
	}
	if db.life, err = parseLife(record); err != nil {
		return err
	}
	return db.persistAlone(func(tx *Tx) error {
		tx.SetNote(note)
		tx.batch.add(db.young().reserve(nil, lifeKey), change{kind: changePut, value: record})
		tx.batch.add(db.young().reserve(nil, movedKey), change{kind: changeDelete})
		return db.cfg.OnRollback(tx, bytes.Clone(note))
	})
}

// persistAlone runs f as a batch of its own, without the committer.
func (db *DB) persistAlone(f func(*Tx) error) error {
	b := db.newBatch()
	tx := &Tx{db: db, batch: b, limit: db.cfg.Format.maxRequest()}
	if err := errors.Join(f(tx), tx.err); err != nil {
		return err
	}
	b.take(tx)
	return db.persist(b)
}

// readLife reads the database's record of itself. If there is none, since a crash
// came before it at the very beginning, it writes one.
func (db *DB) readLife() error {
	b, err := db.lookUp(lifeKey)
	if errors.Is(err, ErrNotFound) && !db.cfg.ReadOnly {
		if b, err = newLife(0); err == nil {
			err = db.tables.put(lifeKey, b)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	db.life, err = parseLife(b)
	return err
}

// readLineage reads the database's id and note, if there is a fence.
func (db *DB) readLineage() (id [16]byte, note []byte, known bool, err error) {
	b, err := db.lookUp(fenceKey)
	if errors.Is(err, ErrNotFound) {
		return id, nil, false, nil
	}
	if err != nil {
		return id, nil, false, err
	}
	id, note, err = parseFenceRecord(b)
	return id, note, err == nil, err
}

func readSeq(txn *engine.Txn) (uint64, error) {
	b, err := get(txn, seqKey)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return parseSeq(b)
}

func marshalSeq(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func parseSeq(b []byte) (uint64, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	seq := r.Uint64()
	if err := r.Finish(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return seq, nil
}
