package mls

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Marshaler is a structure of this package that can be encoded.
type Marshaler interface {
	MarshalTLS(*tlscodec.Writer)
}

// Unmarshaler is a structure of this package that can be decoded.
type Unmarshaler interface {
	UnmarshalTLS(*tlscodec.Reader)
}

// Limits bound what [Limits.Unmarshal] accepts: octets, vector elements, depth
// of nesting. A zero field means the default.
type Limits = tlscodec.Limits

// ErrMalformed is the family of all decoding errors: truncation, trailing
// octets, length headers that are not of minimum size, values no type has, and
// inputs over the limits.
var ErrMalformed = tlscodec.ErrMalformed

// ErrEncode: a structure has no encoding, for example a union without content.
var ErrEncode = errors.New("mls: structure has no encoding")

// Unmarshal decodes data, all of it, into v under the default limits. Octet
// strings in v alias data. Errors wrap [ErrMalformed]; v is then undefined.
func Unmarshal(data []byte, v Unmarshaler) error { return unmarshal(data, v, Limits{}) }

// UnmarshalWithin is [Unmarshal] under limits of the caller.
func UnmarshalWithin(l Limits, data []byte, v Unmarshaler) error { return unmarshal(data, v, l) }

func unmarshal(data []byte, v Unmarshaler, l Limits) error {
	r := tlscodec.NewReader(data, l)
	v.UnmarshalTLS(r)
	if err := r.Finish(); err != nil {
		return fmt.Errorf("mls: %T: %w", v, err)
	}
	return nil
}

// Marshal encodes v, or fails with [ErrEncode]. It allocates the encoding and
// nothing else.
func Marshal(v Marshaler) ([]byte, error) {
	w := tlscodec.NewWriter(make([]byte, 0, tlscodec.Room(v.MarshalTLS)))
	v.MarshalTLS(w)
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrEncode, v, err)
	}
	return b, nil
}

// mustMarshal encodes what was decoded or made by this package, so that a
// failure is a broken invariant.
func mustMarshal(v Marshaler) []byte {
	b, err := Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// readVector reads the elements of a vector<V>. It makes room for as many as
// there would be if all were as long as the first, which is usually exact; but
// for no more at once than twice the octets that are left, since the first may be
// the only short one.
func readVector[T any, P interface {
	*T
	Unmarshaler
}](r *tlscodec.Reader) []T {
	return readVectorUpTo[T, P](r, math.MaxInt)
}

// readVectorUpTo is readVector for at most limit elements.
func readVectorUpTo[T any, P interface {
	*T
	Unmarshaler
}](r *tlscodec.Reader, limit int) (out []T) {
	r.Vector(func(r *tlscodec.Reader) {
		if len(out) == limit {
			r.Fail(tlscodec.ErrTooLarge)
			return
		}
		if out == nil {
			var first T
			before := r.Len()
			P(&first).UnmarshalTLS(r)
			alike, fitting := r.Len()/max(1, before-r.Len()), 2*r.Len()/int(unsafe.Sizeof(first))
			out = make([]T, 0, min(1+min(alike, fitting), limit))
			out = append(out, first)
			return
		}
		// In place, or each element would be allocated once by itself.
		var zero T
		out = append(out, zero)
		P(&out[len(out)-1]).UnmarshalTLS(r)
	})
	return out
}

// writeVector writes a vector<V>.
func writeVector[T any, P interface {
	*T
	Marshaler
}](w *tlscodec.Writer, vs []T) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range vs {
			P(&vs[i]).MarshalTLS(w)
		}
	})
}

// maxTypes bounds the lists of types that a structure may hold, and its list of
// extensions. Nobody supports more; lists are searched, and a message of a few
// megabytes could otherwise make its readers search for minutes.
const maxTypes = 1024

// readUint16s reads a vector<V> of at most maxTypes 2-octet values.
func readUint16s[T ~uint16](r *tlscodec.Reader) []T {
	b := tlscodec.NewReader(r.Opaque(), Limits{})
	if b.Len() > 2*maxTypes {
		r.Fail(tlscodec.ErrTooLarge)
		return nil
	}
	var out []T
	if b.Len() > 0 {
		out = make([]T, 0, b.Len()/2)
	}
	for !b.Empty() {
		out = append(out, T(b.Uint16()))
	}
	if b.Err() != nil {
		r.Fail(b.Err())
	}
	return out
}

func writeUint16s[T ~uint16](w *tlscodec.Writer, vs []T) {
	w.Varint(2 * len(vs))
	for _, v := range vs {
		w.Uint16(uint16(v))
	}
}
