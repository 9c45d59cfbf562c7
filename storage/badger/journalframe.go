package badger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// A journal file is a header block and frames, one for each batch, each from the
// beginning of a block on. What follows the last frame is zeros, or what a crash
// left of the next one. A block is never written twice, so that a write which is
// cut short damages no frame that was answered.
const (
	journalBlock   = 4096
	journalMagic   = "pdsjournal\x00\x02"
	journalIDSize  = 16
	frameHeader    = 4 + 4 + 8 + 8                        // length of the body, checksum, numbers of the batch before and of the batch
	maxFrame       = maxBatch + 2*LargeRequest + frameTag // of the body: the last request goes in whole
	changeOverhead = 1 + 2 + 4 + 4
)

// castagnoli is the polynomial with hardware support.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journalID is random for each file, and part of every checksum in it: frames of
// an earlier use of the same blocks are none.
type journalID [journalIDSize]byte

// marshalJournal returns the header block: magic, id, checksum, zeros. All but the
// zeros is in one sector, which a disk that loses power has written or has not.
func marshalJournal(id journalID) []byte {
	b := append(make([]byte, 0, journalBlock), journalMagic...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:journalBlock]
}

func parseJournal(b []byte) (id journalID, err error) {
	if len(b) != journalBlock || string(b[:len(journalMagic)]) != journalMagic {
		return id, fmt.Errorf("%w: journal", ErrFormat)
	}
	copy(id[:], b[len(journalMagic):])
	if !bytes.Equal(b, marshalJournal(id)) {
		return id, fmt.Errorf("%w: journal", ErrFormat)
	}
	return id, nil
}

// changeKind says what a batch does to a record.
type changeKind uint8

const (
	changePut    changeKind = 1
	changeDelete changeKind = 2
	changeExtend changeKind = 3
)

// change is what a batch does to one record. The value is the whole new one, nil
// for a deletion; the journal gets what follows kept of it.
type change struct {
	kind  changeKind
	value []byte
	kept  int // octets of the value that an earlier frame of the same journal has
}

func appendChange(b []byte, key string, c change) []byte {
	b = append(b, byte(c.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	switch c.kind {
	case changeDelete:
		return b
	case changeExtend:
		b = binary.BigEndian.AppendUint32(b, uint32(c.kept))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.value)-c.kept))
	return append(b, c.value[c.kept:]...)
}

// sealFrame fills in the header of a frame, which b begins with.
func sealFrame(b []byte, id journalID, before, seq uint64) {
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameHeader))
	binary.BigEndian.PutUint64(b[8:], before)
	binary.BigEndian.PutUint64(b[16:], seq)
	binary.BigEndian.PutUint32(b[4:], frameSum(b, id))
}

func frameSum(b []byte, id journalID) uint32 {
	sum := crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b[:4])
	return crc32.Update(sum, castagnoli, b[8:])
}

// frame is a batch as a journal has it.
type frame struct {
	before, seq uint64 // numbers of the batch before, and of this one
	body        []byte
}

// frameAt returns the frame at the beginning of b, or false if there is none that
// is whole.
func frameAt(b []byte, id journalID) (f frame, ok bool) {
	if len(b) < frameHeader {
		return f, false
	}
	n := int(binary.BigEndian.Uint32(b))
	if n > maxFrame || n > len(b)-frameHeader {
		return f, false
	}
	b = b[:frameHeader+n]
	if binary.BigEndian.Uint32(b[4:]) != frameSum(b, id) {
		return f, false
	}
	return frame{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), b[frameHeader:]}, true
}

// blocks rounds n up to whole blocks.
func blocks(n int) int { return (n + journalBlock - 1) / journalBlock * journalBlock }

// eachFrame calls f with the frames of a journal that are whole. b is what follows
// its header.
func eachFrame(b []byte, id journalID, f func(frame) error) error {
	for len(b) > 0 {
		fr, ok := frameAt(b, id)
		if ok {
			if err := f(fr); err != nil {
				return err
			}
		}
		b = b[min(len(b), max(journalBlock, blocks(frameHeader+len(fr.body)))):]
	}
	return nil
}

// eachChange calls f with the changes in a frame's body. The value is what the
// journal has of it, and aliases body.
func eachChange(body []byte, f func(key []byte, c change) error) error {
	r := tlscodec.NewReader(body, tlscodec.Limits{MaxBytes: maxFrame})
	for r.Err() == nil && r.Len() > 0 {
		c := change{kind: changeKind(r.Uint8())}
		key := r.Fixed(int(r.Uint16()))
		switch c.kind {
		case changePut:
			c.value = r.Fixed(int(r.Uint32()))
		case changeExtend:
			c.kept = int(r.Uint32())
			c.value = r.Fixed(int(r.Uint32()))
		case changeDelete:
		default:
			r.Fail(tlscodec.ErrValue)
		}
		if r.Err() != nil {
			break
		}
		if err := f(key, c); err != nil {
			return err
		}
	}
	if err := r.Finish(); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return nil
}
