package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

const (
	magic     = "pdsbackup\x00\x01"
	chunkSize = 256 << 10 // from which on a chunk is written
	maxChunk  = 1 << 20   // octets of a chunk
	itemOver  = 1 + 2 + 4 // octets of a record's item beside key and value

	itemRecord = 1
	itemKept   = 2
)

// MaxRecord is how many octets key and value of a record have at most together.
const MaxRecord = maxChunk - chunkSize - itemOver

// Writer writes a backup. After an error it is of no more use.
type Writer struct {
	w      io.Writer
	h      hash.Hash
	digest Digest
	chunk  []byte // with room for its length in front
	sum    Backup
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, m Manifest) (*Writer, error) {
	b, err := m.marshal()
	if err != nil {
		return nil, err
	}
	out := &Writer{w: w, h: sha256.New(), chunk: make([]byte, 4, chunkSize), sum: Backup{Manifest: m}}
	head := append([]byte(magic), byte(len(b)>>8), byte(len(b)))
	head = append(head, b...)
	out.digest = sha256.Sum256(head)
	return out, out.write(append(head, out.digest[:]...))
}

func (w *Writer) write(b []byte) error {
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("backup: writing: %w", err)
	}
	return nil
}

// Record adds a record, whose key must be greater than that of the record before.
func (w *Writer) Record(key, value []byte) error {
	if len(key) == 0 || len(key)+len(value) > MaxRecord || len(key) >= 1<<16 {
		return fmt.Errorf("backup: record of %d and %d octets", len(key), len(value))
	}
	w.chunk = append(w.chunk, itemRecord)
	w.chunk = binary.BigEndian.AppendUint16(w.chunk, uint16(len(key)))
	w.chunk = append(w.chunk, key...)
	w.chunk = binary.BigEndian.AppendUint32(w.chunk, uint32(len(value)))
	w.chunk = append(w.chunk, value...)
	w.sum.Records++
	w.sum.Octets += uint64(len(key) + len(value))
	return w.flush(chunkSize)
}

// Keep adds to an increment that a record is the same as in the backup before.
func (w *Writer) Keep(key []byte) error {
	f := Fingerprint(w.sum.Base, key)
	w.chunk = append(append(w.chunk, itemKept), f[:]...)
	w.sum.Kept++
	return w.flush(chunkSize)
}

// flush writes the chunk if it has at least so many octets.
func (w *Writer) flush(least int) error {
	n := len(w.chunk) - 4
	if n < least {
		return nil
	}
	binary.BigEndian.PutUint32(w.chunk, uint32(n))
	b := w.seal(w.chunk)
	w.chunk = w.chunk[:4]
	return w.write(b)
}

// seal appends the next digest.
func (w *Writer) seal(b []byte) []byte {
	w.h.Reset()
	w.h.Write(w.digest[:])
	w.h.Write(b)
	w.h.Sum(w.digest[:0])
	return append(b, w.digest[:]...)
}

// Close ends the backup and returns what it is. It does not close what it was
// written to.
func (w *Writer) Close() (*Backup, error) {
	if err := w.flush(1); err != nil {
		return nil, err
	}
	end := make([]byte, 4)
	for _, n := range []uint64{w.sum.Records, w.sum.Kept, w.sum.Octets} {
		end = binary.BigEndian.AppendUint64(end, n)
	}
	if err := w.write(w.seal(end)); err != nil {
		return nil, err
	}
	w.sum.Digest = w.digest
	return &w.sum, nil
}
