// Package fence keeps the small files by which a store is recognised as older
// than what it acknowledged. A fence holds a number, which grows with each
// acknowledgement before that is given, and a note: a store with a lower number
// was restored from a copy. It belongs in a directory, better on a disk, that is not
// restored together with the store.
//
// Whoever controls a fence can at most hide that a store is an older copy, or
// make a good one look like one.
package fence

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// A fence file is two slots, written in turn, so that one is whole whenever the
// machine stops. The valid slot with the higher number counts.
const (
	SlotSize = 4096
	fileSize = 2 * SlotSize
	magic    = "pdsfence\x00\x02"
)

// MaxNote is the octets of a note.
const MaxNote = 3 << 10

var (
	// Err: the fence is missing, damaged, or belongs to another store.
	Err = errors.New("fence: does not fit the store")
	// ErrNote: the note is over [MaxNote].
	ErrNote = errors.New("fence: note too large")
)

// File is an open fence file and what its newest slot says.
type File struct {
	file *os.File
	State
}

// State is what a slot says.
type State struct {
	ID [16]byte // of the store
	// Seq counts what was acknowledged, or was about to be.
	Seq uint64
	// Restores is how often the store was replaced by an older copy.
	Restores uint32
	Note     []byte
}

// Marshal returns the slot: magic, id, seq, restores, note<0..MaxNote>, zeros,
// and the SHA-256 of all that.
func (s *State) Marshal() ([]byte, error) {
	w := tlscodec.NewWriter(make([]byte, 0, SlotSize))
	w.Raw([]byte(magic))
	w.Raw(s.ID[:])
	w.Uint64(s.Seq)
	w.Uint32(s.Restores)
	w.Opaque16(s.Note)
	b, err := w.Bytes()
	if err != nil || len(s.Note) > MaxNote {
		return nil, fmt.Errorf("%w: %d octets", ErrNote, len(s.Note))
	}
	b = append(b, make([]byte, SlotSize-sha256.Size-len(b))...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// ParseSlot reads one slot.
func ParseSlot(b []byte) (s State, err error) {
	if len(b) != SlotSize {
		return s, fmt.Errorf("%w: slot size", Err)
	}
	body := b[:SlotSize-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return s, fmt.Errorf("%w: checksum", Err)
	}
	r := tlscodec.NewReader(body, tlscodec.Limits{})
	got := r.Fixed(len(magic))
	copy(s.ID[:], r.Fixed(len(s.ID)))
	s.Seq = r.Uint64()
	s.Restores = r.Uint32()
	s.Note = bytes.Clone(r.Opaque16())
	padding := r.Rest()
	if err := r.Finish(); err != nil {
		return s, fmt.Errorf("%w: %w", Err, err)
	}
	if string(got) != magic || len(s.Note) > MaxNote || len(bytes.TrimLeft(padding, "\x00")) > 0 {
		return s, fmt.Errorf("%w: slot", Err)
	}
	return s, nil
}

// Parse returns the newest valid slot of a whole fence file.
func Parse(b []byte) (newest State, err error) {
	if len(b) != fileSize {
		return newest, fmt.Errorf("%w: file size", Err)
	}
	first, err1 := ParseSlot(b[:SlotSize])
	second, err2 := ParseSlot(b[SlotSize:])
	switch {
	case err1 != nil && err2 != nil:
		return newest, err1
	case err1 != nil:
		return second, nil
	case err2 != nil || first.Seq >= second.Seq:
		return first, nil
	}
	return second, nil
}

// Open opens the file at path; a missing one gives fs.ErrNotExist.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, fileSize+1))
	if err == nil {
		var s State
		if s, err = Parse(b); err == nil {
			return &File{f, s}, nil
		}
	}
	f.Close()
	return nil, err
}

// Create writes a new file with number 0.
func Create(path string) (*File, error) {
	var s State
	rand.Read(s.ID[:])
	return CreateFrom(path, s)
}

// CreateFrom writes a new file that says the same as another one.
func CreateFrom(path string, s State) (*File, error) {
	slot, err := s.Marshal()
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
	return &File{f, s}, nil
}

// Advance makes seq and the present note durable.
func (f *File) Advance(seq uint64) error {
	f.Seq = seq
	slot, err := f.Marshal()
	if err != nil {
		return err
	}
	if _, err := f.file.WriteAt(slot, int64(seq%2)*SlotSize); err != nil {
		return err
	}
	return f.file.Sync()
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
