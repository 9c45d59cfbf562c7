package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Item is one item of a backup. Its octets are valid until the next one is
// read.
type Item struct {
	// Kept tells that the item only names a record, by Fingerprint.
	Kept        bool
	Fingerprint [8]byte
	Key, Value  []byte
}

// Reader reads a backup and verifies each part of it before it gives it out. It
// holds one chunk in memory. After an error it is of no more use.
type Reader struct {
	r      io.Reader
	digest Digest
	buffer []byte
	chunk  []byte // what is left of it
	last   []byte // the key that came last
	sum    Backup
	ended  bool
}

// NewReader reads the manifest. It fails with [ErrMalformed], [ErrTruncated] or
// [ErrDamaged], as all of a Reader's methods do.
func NewReader(r io.Reader) (*Reader, error) {
	out := &Reader{r: r}
	head := make([]byte, len(magic)+2, 512)
	if err := out.full(head); err != nil {
		return nil, err
	}
	if string(head[:len(magic)]) != magic {
		return nil, ErrMalformed
	}
	b := make([]byte, binary.BigEndian.Uint16(head[len(magic):]))
	if err := out.full(b); err != nil {
		return nil, err
	}
	out.digest = sha256.Sum256(append(head, b...))
	if err := out.verify(); err != nil {
		return nil, err
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, err
	}
	out.sum.Manifest = *m
	return out, nil
}

// Manifest returns what the backup says it is of.
func (r *Reader) Manifest() *Manifest { return &r.sum.Manifest }

func (r *Reader) full(b []byte) error {
	switch _, err := io.ReadFull(r.r, b); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	case err != nil:
		return fmt.Errorf("backup: reading: %w", err)
	}
	return nil
}

// verify compares the digest that follows with the one that should.
func (r *Reader) verify() error {
	var d Digest
	if err := r.full(d[:]); err != nil {
		return err
	}
	if d != r.digest {
		return ErrDamaged
	}
	return nil
}

// Next returns the next item. It returns [io.EOF] after the last one, when all
// of the backup was read and is whole.
func (r *Reader) Next() (Item, error) {
	for len(r.chunk) == 0 {
		if r.ended {
			return Item{}, io.EOF
		}
		if err := r.nextChunk(); err != nil {
			return Item{}, err
		}
	}
	return r.item()
}

func (r *Reader) nextChunk() error {
	var length [4]byte
	if err := r.full(length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 {
		return r.end()
	}
	if n > maxChunk {
		return ErrDamaged // its digest is not reached
	}
	if cap(r.buffer) < 4+int(n) {
		r.buffer = make([]byte, 4+n, 4+max(n, chunkSize+chunkSize/2))
	}
	r.buffer = append(r.buffer[:0], length[:]...)[:4+n]
	if err := r.full(r.buffer[4:]); err != nil {
		return err
	}
	if err := r.verifyChunk(r.buffer); err != nil {
		return err
	}
	r.chunk = r.buffer[4:]
	return nil
}

func (r *Reader) verifyChunk(b []byte) error {
	h := sha256.New()
	h.Write(r.digest[:])
	h.Write(b)
	h.Sum(r.digest[:0])
	return r.verify()
}

// end reads what follows the last chunk.
func (r *Reader) end() error {
	b := make([]byte, 4+3*8)
	if err := r.full(b[4:]); err != nil {
		return err
	}
	if err := r.verifyChunk(b); err != nil {
		return err
	}
	records, kept, octets := binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:]), binary.BigEndian.Uint64(b[20:])
	if records != r.sum.Records || kept != r.sum.Kept || octets != r.sum.Octets {
		return fmt.Errorf("%w: counts", ErrMalformed)
	}
	if n, err := io.ReadFull(r.r, b[:1]); n != 0 {
		return fmt.Errorf("%w: octets behind the end", ErrMalformed)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("backup: reading: %w", err)
	}
	r.ended, r.sum.Digest = true, r.digest
	return nil
}

// take cuts n octets off the chunk.
func (r *Reader) take(n int) ([]byte, bool) {
	if n < 0 || n > len(r.chunk) {
		return nil, false
	}
	b := r.chunk[:n]
	r.chunk = r.chunk[n:]
	return b, true
}

func (r *Reader) item() (Item, error) {
	kind, _ := r.take(1)
	switch kind[0] {
	case itemKept:
		f, ok := r.take(8)
		if !ok || r.sum.Full() {
			return Item{}, fmt.Errorf("%w: item", ErrMalformed)
		}
		r.sum.Kept++
		return Item{Kept: true, Fingerprint: [8]byte(f)}, nil
	case itemRecord:
		var key, value []byte
		size, ok := r.take(2)
		if ok {
			key, ok = r.take(int(binary.BigEndian.Uint16(size)))
		}
		if ok {
			size, ok = r.take(4)
		}
		if ok {
			value, ok = r.take(int(binary.BigEndian.Uint32(size)))
		}
		if !ok || bytes.Compare(key, r.last) <= 0 {
			return Item{}, fmt.Errorf("%w: item", ErrMalformed)
		}
		r.last = append(r.last[:0], key...)
		r.sum.Records++
		r.sum.Octets += uint64(len(key) + len(value))
		return Item{Key: key, Value: value}, nil
	}
	return Item{}, fmt.Errorf("%w: item", ErrMalformed)
}

// Backup returns what the backup is. It may be called after Next returned
// [io.EOF].
func (r *Reader) Backup() *Backup {
	if !r.ended {
		panic("backup: not read to its end")
	}
	return &r.sum
}

// Verify reads a whole backup and returns what it is.
func Verify(r io.Reader) (*Backup, error) {
	in, err := NewReader(r)
	for err == nil {
		_, err = in.Next()
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return in.Backup(), nil
}
