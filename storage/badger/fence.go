package badger

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// A fence file is two slots, written in turn, so that one is whole whenever the
// machine stops. The valid slot with the higher number counts.
const (
	slotSize   = 4096
	fenceSize  = 2 * slotSize
	fenceMagic = "pdsfence\x00\x02"
)

// fence is the open fence file and what its newest slot says.
type fence struct {
	file *os.File
	fenceState
}

type fenceState struct {
	id       [16]byte // of the database
	seq      uint64   // batches that were answered, or were about to be
	restores uint32
	note     []byte
}

// marshal returns the slot: magic, id, seq, restores, note<0..MaxNote>, zeros,
// and the SHA-256 of all that.
func (s *fenceState) marshal() ([]byte, error) {
	w := tlscodec.NewWriter(make([]byte, 0, slotSize))
	w.Raw([]byte(fenceMagic))
	w.Raw(s.id[:])
	w.Uint64(s.seq)
	w.Uint32(s.restores)
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
	s.restores = r.Uint32()
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
