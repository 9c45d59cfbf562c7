package tlscodec

import (
	"encoding/binary"
	"errors"
)

// MaxVector is the longest body a variable-size length header can announce.
const MaxVector = 1<<30 - 1

// ErrEncode is the error of a [Writer] asked to encode what has no encoding,
// such as a vector longer than its length header can say.
var ErrEncode = errors.New("value has no encoding")

// Writer encodes into a growing byte slice. Its zero value is ready for use.
// Errors stick, as with [Reader].
type Writer struct {
	buf []byte
	err error

	counting bool // write nothing, add up the size
	size     int
}

// NewWriter returns a Writer that appends to b.
func NewWriter(b []byte) *Writer { return &Writer{buf: b} }

// Room returns the capacity in octets with which what f writes fits into a
// Writer's slice: its length, and what Vector needs to move a body. f runs once
// and nothing is written.
func Room(f func(*Writer)) int {
	w := Writer{counting: true}
	f(&w)
	return w.size + 3
}

// Bytes returns what was written, or the first error.
func (w *Writer) Bytes() ([]byte, error) { return w.buf, w.err }

// Err returns the first error, or nil.
func (w *Writer) Err() error { return w.err }

// Fail records err unless an earlier error stands.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Raw appends b as it is.
func (w *Writer) Raw(b []byte) {
	if w.counting {
		w.size += len(b)
		return
	}
	w.buf = append(w.buf, b...)
}

// Uint8 appends one octet.
func (w *Writer) Uint8(v uint8) {
	if w.counting {
		w.size += 1
		return
	}
	w.buf = append(w.buf, v)
}

// Uint16 appends a 2-octet integer.
func (w *Writer) Uint16(v uint16) {
	if w.counting {
		w.size += 2
		return
	}
	w.buf = binary.BigEndian.AppendUint16(w.buf, v)
}

// Uint32 appends a 4-octet integer.
func (w *Writer) Uint32(v uint32) {
	if w.counting {
		w.size += 4
		return
	}
	w.buf = binary.BigEndian.AppendUint32(w.buf, v)
}

// Uint64 appends an 8-octet integer.
func (w *Writer) Uint64(v uint64) {
	if w.counting {
		w.size += 8
		return
	}
	w.buf = binary.BigEndian.AppendUint64(w.buf, v)
}

// Bool appends the presence octet of an optional value.
func (w *Writer) Bool(v bool) {
	if v {
		w.Uint8(1)
	} else {
		w.Uint8(0)
	}
}

func varintSize(v uint32) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	}
	return 4
}

// Varint appends a length header of RFC 9420, Section 2.1.2.
func (w *Writer) Varint(n int) {
	switch {
	case n < 0 || n > MaxVector:
		w.Fail(ErrEncode)
	case n < 1<<6:
		w.Uint8(uint8(n))
	case n < 1<<14:
		w.Uint16(uint16(n) | 0x4000)
	default:
		w.Uint32(uint32(n) | 0x8000_0000)
	}
}

// Opaque appends an octet string with a variable-size length header.
func (w *Writer) Opaque(b []byte) {
	w.Varint(len(b))
	w.Raw(b)
}

// Opaque8 appends an octet string with a 1-octet length header.
func (w *Writer) Opaque8(b []byte) {
	if len(b) > 0xff {
		w.Fail(ErrEncode)
	}
	w.Uint8(uint8(len(b)))
	w.Raw(b)
}

// Opaque16 appends an octet string with a 2-octet length header.
func (w *Writer) Opaque16(b []byte) {
	if len(b) > 0xffff {
		w.Fail(ErrEncode)
	}
	w.Uint16(uint16(len(b)))
	w.Raw(b)
}

// Vector appends what f writes, with a variable-size length header in front.
func (w *Writer) Vector(f func(*Writer)) {
	if w.counting {
		before := w.size
		f(w)
		w.size += varintSize(uint32(w.size - before))
		return
	}
	// The usual vector is shorter than 64 octets or not much longer than a
	// few: one octet is left free, and the body moves only if that is too few.
	start := len(w.buf)
	w.buf = append(w.buf, 0)
	f(w)
	n := len(w.buf) - start - 1
	if n < 1<<6 {
		w.buf[start] = uint8(n)
		return
	}
	if n > MaxVector {
		w.Fail(ErrEncode)
		return
	}
	extra := varintSize(uint32(n)) - 1
	w.buf = append(w.buf, 0, 0, 0)[:len(w.buf)+extra]
	copy(w.buf[start+1+extra:], w.buf[start+1:])
	head := Writer{buf: w.buf[start:start]}
	head.Varint(n)
}

// Vector16 appends what f writes, with a 2-octet length header in front.
func (w *Writer) Vector16(f func(*Writer)) {
	if w.counting {
		w.size += 2
		f(w)
		return
	}
	start := len(w.buf)
	w.Uint16(0)
	f(w)
	n := len(w.buf) - start - 2
	if n > 0xffff {
		w.Fail(ErrEncode)
		return
	}
	binary.BigEndian.PutUint16(w.buf[start:], uint16(n))
}
