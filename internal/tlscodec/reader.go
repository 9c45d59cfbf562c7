// Package tlscodec reads and writes the TLS presentation language as RFC 9420
// (MLS) and RFC 9578 (Privacy Pass) use it: fixed-width big-endian integers,
// vectors with the variable-size length header of RFC 9420, Section 2.1.2, and
// the fixed-width length headers of RFC 8446, Section 3.
//
// Decoding is strict. A length is compared with what remains before anything
// is allocated, a length header must have its minimum size, the 8-octet form
// (prefix 11) is refused, and [Reader.Finish] refuses trailing octets. Octet
// strings alias the input: whoever decodes must not modify the input afterwards.
//
// Errors stick: after the first one every read returns a zero value, so that a
// decoder reads a whole structure and checks once.
package tlscodec

import (
	"errors"
	"fmt"
)

// The decoding errors. All wrap [ErrMalformed].
var (
	// ErrMalformed is the family of all decoding errors.
	ErrMalformed = errors.New("malformed encoding")
	// ErrTruncated: the input ends inside a value.
	ErrTruncated = fmt.Errorf("%w: truncated", ErrMalformed)
	// ErrTrailing: octets follow the last value.
	ErrTrailing = fmt.Errorf("%w: trailing octets", ErrMalformed)
	// ErrLengthForm: a length header is not of minimum size or has prefix 11.
	ErrLengthForm = fmt.Errorf("%w: length header", ErrMalformed)
	// ErrTooLarge: the input or its element count exceeds the [Limits].
	ErrTooLarge = fmt.Errorf("%w: over the size limit", ErrMalformed)
	// ErrTooDeep: vectors are nested deeper than the [Limits] allow.
	ErrTooDeep = fmt.Errorf("%w: over the depth limit", ErrMalformed)
	// ErrValue: a field holds a value that its type does not have.
	ErrValue = fmt.Errorf("%w: invalid value", ErrMalformed)
)

// Limits bound what a [Reader] accepts. A zero field means the default.
type Limits struct {
	// MaxBytes is the longest input in octets. Default 64 MiB.
	MaxBytes int
	// MaxElements is the number of vector elements of one input, over all its
	// vectors; octet strings do not count. Default 1 << 18.
	MaxElements int
	// MaxDepth is how deep vectors nest. Default 16.
	MaxDepth int
}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = 64 << 20
	}
	if l.MaxElements == 0 {
		l.MaxElements = 1 << 18
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = 16
	}
	return l
}

// Reader decodes from a byte slice. Its zero value is an empty input.
type Reader struct {
	buf      []byte
	err      error
	elements int // how many more elements the input may hold
	depth    int // how many more levels may open
}

// NewReader returns a Reader over b. If b is longer than the limit the Reader
// starts out with [ErrTooLarge].
func NewReader(b []byte, l Limits) *Reader {
	l = l.withDefaults()
	r := &Reader{buf: b, elements: l.MaxElements, depth: l.MaxDepth}
	if len(b) > l.MaxBytes {
		r.Fail(ErrTooLarge)
	}
	return r
}

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Fail records err unless an earlier error stands. The rest of the input is
// dropped, so that loops over it end.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.buf = nil
}

// Len returns the number of octets not read yet.
func (r *Reader) Len() int { return len(r.buf) }

// Empty reports whether nothing is left, which is also so after an error.
func (r *Reader) Empty() bool { return len(r.buf) == 0 }

// Finish returns the first error, or [ErrTrailing] if octets are left.
func (r *Reader) Finish() error {
	if r.err == nil && len(r.buf) > 0 {
		r.Fail(ErrTrailing)
	}
	return r.err
}

// Fixed reads n octets. They alias the input. It returns nil after an error.
func (r *Reader) Fixed(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf) {
		r.Fail(ErrTruncated)
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Rest reads all that is left, which may be nothing.
func (r *Reader) Rest() []byte { return r.Fixed(len(r.buf)) }

func (r *Reader) uint(n int) (v uint64) {
	for _, o := range r.Fixed(n) {
		v = v<<8 | uint64(o)
	}
	return v
}

// Uint8 reads one octet.
func (r *Reader) Uint8() uint8 { return uint8(r.uint(1)) }

// Uint16 reads a 2-octet integer.
func (r *Reader) Uint16() uint16 { return uint16(r.uint(2)) }

// Uint32 reads a 4-octet integer.
func (r *Reader) Uint32() uint32 { return uint32(r.uint(4)) }

// Uint64 reads an 8-octet integer.
func (r *Reader) Uint64() uint64 { return r.uint(8) }

// Bool reads the presence octet of an optional value: 0 or 1, else [ErrValue].
func (r *Reader) Bool() bool {
	switch r.Uint8() {
	case 0:
		return false
	case 1:
		return true
	}
	r.Fail(ErrValue)
	return false
}

// Varint reads a length header of RFC 9420, Section 2.1.2: at most 30 bits, in
// 1, 2 or 4 octets, of minimum size.
func (r *Reader) Varint() uint32 {
	first := r.Uint8()
	n := 1 << (first >> 6)
	if n == 8 {
		r.Fail(ErrLengthForm)
		return 0
	}
	v := uint32(first & 0x3f)
	for _, o := range r.Fixed(n - 1) {
		v = v<<8 | uint32(o)
	}
	if r.err == nil && n != varintSize(v) {
		r.Fail(ErrLengthForm)
		return 0
	}
	return v
}

// Opaque reads an octet string with a variable-size length header (opaque<V>).
// The result aliases the input.
func (r *Reader) Opaque() []byte { return r.Fixed(int(r.Varint())) }

// Opaque8 reads an octet string with a 1-octet length header.
func (r *Reader) Opaque8() []byte { return r.Fixed(int(r.Uint8())) }

// Opaque16 reads an octet string with a 2-octet length header.
func (r *Reader) Opaque16() []byte { return r.Fixed(int(r.Uint16())) }

// within runs f over a vector body of n octets, which f must use up.
func (r *Reader) within(body []byte, f func(*Reader)) {
	if r.err != nil {
		return
	}
	if r.depth == 0 {
		r.Fail(ErrTooDeep)
		return
	}
	rest := r.buf
	r.buf, r.depth = body, r.depth-1
	f(r)
	if r.Finish() == nil {
		r.buf = rest
	}
	r.depth++
}

// Vector reads a vector with a variable-size length header: f is called until
// the body is used up, once per element.
func (r *Reader) Vector(f func(*Reader)) { r.within(r.Opaque(), r.each(f)) }

// Vector16 is Vector with a 2-octet length header.
func (r *Reader) Vector16(f func(*Reader)) { r.within(r.Opaque16(), r.each(f)) }

func (r *Reader) each(f func(*Reader)) func(*Reader) {
	return func(r *Reader) {
		for !r.Empty() {
			if r.elements == 0 {
				r.Fail(ErrTooLarge)
				return
			}
			r.elements--
			before := len(r.buf)
			f(r)
			if r.err == nil && len(r.buf) == before {
				r.Fail(ErrValue) // an element of no octets would never end
			}
		}
	}
}
