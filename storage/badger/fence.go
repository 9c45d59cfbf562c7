package badger

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// A fence file is two slots, written in turn, so that one is whole whenever the
// machine stops. The valid slot with the higher number counts.
const (
	slotSize   = 4096
	fenceSize  = 2 * slotSize
	fenceMagic = "pdsfence\x00\x01"
)

// fence is the open fence file and what its newest slot says.
type fence struct {
	file *os.File
	fenceState
}

type fenceState struct {
	id   [16]byte // of the database
	seq  uint64   // batches that were answered, or were about to be
	note []byte
}

// marshal returns the slot: magic, id, seq, note<0..MaxNote>, zeros, and the
// SHA-256 of all that.
func (s *fenceState) marshal() ([]byte, error) {
	w := tlscodec.NewWriter(make([]byte, 0, slotSize))
	w.Raw([]byte(fenceMagic))
	w.Raw(s.id[:])
	w.Uint64(s.seq)
	w.Opaque16(s.note)
	b, err := w.Bytes()
	if err != nil || len(s.note) > MaxNote {
		return nil, fmt.Errorf("%w: note", ErrTooLarge)
	}
	b = append(b, make([]byte, slotSize-sha256.Size-len(b))...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

func parseSlot(b []byte) (s fenceState, err error) {
	if len(b) != slotSize {
		return s, fmt.Errorf("%w: slot size", ErrFence)
	}
	body := b[:slotSize-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return s, fmt.Errorf("%w: checksum", ErrFence)
	}
	r := tlscodec.NewReader(body, tlscodec.Limits{})
	magic := r.Fixed(len(fenceMagic))
	copy(s.id[:], r.Fixed(len(s.id)))
	s.seq = r.Uint64()
	s.note = bytes.Clone(r.Opaque16())
	padding := r.Rest()
	if err := r.Finish(); err != nil {
		return s, fmt.Errorf("%w: %w", ErrFence, err)
	}
	if string(magic) != fenceMagic || len(s.note) > MaxNote || len(bytes.TrimLeft(padding, "\x00")) > 0 {
		return s, fmt.Errorf("%w: slot", ErrFence)
	}
	return s, nil
}

// parseFence returns the newest valid slot of a whole fence file.
func parseFence(b []byte) (newest fenceState, err error) {
	if len(b) != fenceSize {
		return newest, fmt.Errorf("%w: file size", ErrFence)
	}
	first, err1 := parseSlot(b[:slotSize])
	second, err2 := parseSlot(b[slotSize:])
	switch {
	case err1 != nil && err2 != nil:
		return newest, err1
	case err1 != nil:
		return second, nil
	case err2 != nil || first.seq >= second.seq:
		return first, nil
	}
	return second, nil
}

// openFence opens the file at path; a missing one gives fs.ErrNotExist.
func openFence(path string) (*fence, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, fenceSize+1))
	if err == nil {
		var s fenceState
		if s, err = parseFence(b); err == nil {
			return &fence{f, s}, nil
		}
	}
	f.Close()
	return nil, err
}

// createFence writes a new file with number 0.
func createFence(path string) (*fence, error) {
	var s fenceState
	rand.Read(s.id[:])
	slot, err := s.marshal()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(bytes.Repeat(slot, 2))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return &fence{f, s}, nil
}

// advance makes seq and the present note durable.
func (f *fence) advance(seq uint64) error {
	f.seq = seq
	slot, err := f.marshal()
	if err != nil {
		return err
	}
	if _, err := f.file.WriteAt(slot, int64(seq%2)*slotSize); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *fence) close() error { return f.file.Close() }

// record is the database's own copy of id and note.
func (f *fence) record(note []byte) ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(f.id[:])
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
	if db.cfg.Fence == "" {
		if known {
			return fmt.Errorf("%w: the database needs its fence", ErrFence)
		}
		return nil
	}
	db.fence, err = openFence(db.cfg.Fence)
	if errors.Is(err, os.ErrNotExist) {
		if known {
			return fmt.Errorf("%w: missing", ErrFence)
		}
		db.fence, err = createFence(db.cfg.Fence)
	}
	if err != nil {
		return fmt.Errorf("badger: opening the fence: %w", err)
	}
	foreign := !known && db.seq > 0 && db.fence.seq > 0
	if foreign || known && id != db.fence.id {
		return fmt.Errorf("%w: it belongs to another database", ErrFence)
	}
	if db.seq < db.fence.seq {
		return db.rollBack()
	}
	if known {
		db.fence.note = note // a crash between database and fence left an older one there
		return nil
	}
	return db.persistAlone(func(tx *Tx) error {
		tx.SetNote(nil)
		return nil
	})
}

// rollBack lets the driver close what can no longer be judged. Its writes and
// the database's new number, past the fence's, are one transaction: a crash
// before it is found again by the next Open.
func (db *DB) rollBack() error {
	if db.cfg.OnRollback == nil {
		return ErrRolledBack
	}
	db.seq = db.fence.seq
	return db.persistAlone(func(tx *Tx) error {
		tx.SetNote(db.fence.note)
		return db.cfg.OnRollback(tx, bytes.Clone(db.fence.note))
	})
}

// persistAlone runs f as a batch of its own, without the committer.
func (db *DB) persistAlone(f func(*Tx) error) error {
	b := &batch{txn: db.engine.NewTransaction(true)}
	defer b.txn.Discard()
	tx := &Tx{read: b.txn}
	if err := errors.Join(f(tx), tx.err); err != nil {
		return err
	}
	db.batch = b
	defer func() { db.batch = nil }()
	if err := db.add(tx); err != nil {
		return err
	}
	return db.persist(b)
}

// readLineage reads the number of the last batch and, if there is a fence, the
// database's id and note.
func (db *DB) readLineage() (id [16]byte, note []byte, known bool, err error) {
	txn := db.engine.NewTransaction(false)
	defer txn.Discard()
	if db.seq, err = readSeq(txn); err != nil {
		return id, nil, false, err
	}
	b, err := get(txn, fenceKey)
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
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	seq := r.Uint64()
	if err := r.Finish(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return seq, nil
}
