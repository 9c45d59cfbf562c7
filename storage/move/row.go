package move

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

// Row is a row of one of the target's tables.
type Row struct {
	// Table is its full name, such as "groups.record".
	Table string
	// Values are in the order of the target's columns: int64, bool, []byte, [16]byte
	// for identifiers, and nil for what is not there.
	Values []any
	// Record is the number of the record that it comes of, from 1 in the source's order.
	// [Copy] sets it.
	Record uint64
}

// octets is about what a row takes in memory.
func (r *Row) octets() int {
	n := 64 + 24*len(r.Values)
	for _, v := range r.Values {
		if b, ok := v.([]byte); ok {
			n += len(b)
		}
	}
	return n
}

// ErrValue: a row has a value of a type that rows do not have.
var ErrValue = errors.New("move: type of a value")

// Digest is of some rows, in whatever order: their number, and the sum of their
// hashes modulo 2^256.
type Digest struct {
	Rows uint64
	Sum  Sum
}

// Sum is a number of 256 bits, the lowest first.
type Sum [4]uint64

// MarshalText implements [encoding.TextMarshaler].
func (s Sum) MarshalText() ([]byte, error) {
	var b []byte
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return []byte(hex.EncodeToString(b)), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sum) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != sha256.Size {
		return fmt.Errorf("%w: digest", ErrState)
	}
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}

// Join adds the rows of another digest.
func (d *Digest) Join(o Digest) {
	d.Rows += o.Rows
	d.Sum.add(o.Sum)
}

func (s *Sum) add(o Sum) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}

// Add adds a row. Integers count by their value, whatever their size.
func (d *Digest) Add(values []any) error {
	b := make([]byte, 0, 256)
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case bool:
			n := byte(0)
			if v {
				n = 1
			}
			b = append(b, 'b', n)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case int32:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(int64(v)))
		case int16:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(int64(v)))
		case []byte:
			b = binary.BigEndian.AppendUint64(append(b, 'o'), uint64(len(v)))
			b = append(b, v...)
		case [16]byte:
			b = append(append(b, 'u'), v[:]...)
		default:
			return fmt.Errorf("%w: %T", ErrValue, v)
		}
	}
	hash := sha256.Sum256(b)
	var one Sum
	for i := range one {
		one[i] = binary.LittleEndian.Uint64(hash[8*i:])
	}
	d.Join(Digest{1, one})
	return nil
}
