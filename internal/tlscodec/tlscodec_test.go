package tlscodec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func read(b []byte, f func(*Reader)) error {
	r := NewReader(b, Limits{})
	f(r)
	return r.Finish()
}

func TestVarint(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want uint32
		err  error
	}{
		{"00", 0, nil}, {"3f", 63, nil}, {"4040", 64, nil}, {"7fff", 16383, nil},
		{"80004000", 16384, nil}, {"9d7f3e7d", 494878333, nil}, {"bfffffff", MaxVector, nil},
		{"4000", 0, ErrLengthForm}, {"403f", 0, ErrLengthForm}, {"80000000", 0, ErrLengthForm}, {"80003fff", 0, ErrLengthForm},
		{"c000000000000000", 0, ErrLengthForm}, {"ff", 0, ErrLengthForm},
		{"", 0, ErrTruncated}, {"40", 0, ErrTruncated}, {"800040", 0, ErrTruncated},
		{"0000", 0, ErrTrailing},
	} {
		in, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		var got uint32
		err = read(in, func(r *Reader) { got = r.Varint() })
		if !errors.Is(err, tc.err) || (err == nil && got != tc.want) {
			t.Errorf("%s: got %d, %v; want %d, %v", tc.in, got, err, tc.want, tc.err)
		}
		if err == nil {
			var w Writer
			w.Varint(int(got))
			if b, err := w.Bytes(); err != nil || !bytes.Equal(b, in) {
				t.Errorf("%s: encodes as %x, %v", tc.in, b, err)
			}
		} else if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v is outside the family", tc.in, err)
		}
	}
}

func TestVectorRoundTripAtEverySizeClass(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 16383, 16384, 70000} {
		body := bytes.Repeat([]byte{0xab}, n)
		var nested, flat Writer
		flat.Opaque(body)
		nested.Vector(func(w *Writer) { w.Raw(body) })
		a, _ := flat.Bytes()
		b, err := nested.Bytes()
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("n=%d: Vector and Opaque differ", n)
		}
		write := func(w *Writer) {
			w.Vector(func(w *Writer) { w.Opaque(body); w.Vector16(func(w *Writer) { w.Uint64(1) }) })
		}
		room := Room(write)
		w := NewWriter(make([]byte, 0, room))
		write(w)
		if out, _ := w.Bytes(); cap(out) != room || len(out) != room-3 {
			t.Errorf("n=%d: %d octets written into room for %d, now %d", n, len(out), room, cap(out))
		}
		count := 0
		if err := read(b, func(r *Reader) { r.Vector(func(r *Reader) { r.Uint8(); count++ }) }); err != nil || count != n {
			t.Errorf("n=%d: read %d elements, %v", n, count, err)
		}
		if len(b) > 70 {
			continue
		}
		for i := range b {
			if err := read(b[:i], func(r *Reader) { r.Opaque() }); err == nil {
				t.Errorf("n=%d: prefix of %d octets accepted", n, i)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	elements := func(r *Reader) { r.Vector(func(r *Reader) { r.Uint8() }) }
	for _, tc := range []struct {
		name string
		lim  Limits
		in   string
		f    func(*Reader)
		want error
	}{
		{"bytes at limit", Limits{MaxBytes: 2}, "0101", elements, nil},
		{"bytes over limit", Limits{MaxBytes: 1}, "0101", elements, ErrTooLarge},
		{"elements at limit", Limits{MaxElements: 2}, "020101", elements, nil},
		{"elements over limit", Limits{MaxElements: 1}, "020101", elements, ErrTooLarge},
		{"depth at limit", Limits{MaxDepth: 2}, "020101", func(r *Reader) { r.Vector(elements) }, nil},
		{"depth over limit", Limits{MaxDepth: 1}, "020101", func(r *Reader) { r.Vector(elements) }, ErrTooDeep},
		{"element of no octets", Limits{}, "0101", func(r *Reader) { r.Vector(func(*Reader) {}) }, ErrValue},
		{"element over the vector's end", Limits{}, "0101ffff", func(r *Reader) { r.Vector(func(r *Reader) { r.Uint16() }) }, ErrTruncated},
		{"length over the input", Limits{}, "bfffffff00", elements, ErrTruncated},
		{"bool 2", Limits{}, "02", func(r *Reader) { r.Bool() }, ErrValue},
	} {
		in, _ := hex.DecodeString(tc.in)
		r := NewReader(in, tc.lim)
		tc.f(r)
		if err := r.Finish(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestWriterRefusesWhatHasNoEncoding(t *testing.T) {
	for name, f := range map[string]func(*Writer){
		"opaque8":  func(w *Writer) { w.Opaque8(make([]byte, 256)) },
		"opaque16": func(w *Writer) { w.Opaque16(make([]byte, 65536)) },
		"vector16": func(w *Writer) { w.Vector16(func(w *Writer) { w.Raw(make([]byte, 65536)) }) },
		"varint":   func(w *Writer) { w.Varint(MaxVector + 1) },
	} {
		var w Writer
		f(&w)
		w.Uint8(1)
		if _, err := w.Bytes(); !errors.Is(err, ErrEncode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
