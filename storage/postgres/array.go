package postgres

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrayCodec encodes the slices that the stores pass in one piece. The client's own
// codec takes each element through an interface, which costs several allocations for
// each entry of a message.
type arrayCodec struct {
	pgtype.Codec // of the array type, for all else
	element      uint32
}

// registerArrays has a connection use [arrayCodec].
func registerArrays(m *pgtype.Map) {
	for array, element := range map[uint32]uint32{
		pgtype.UUIDArrayOID: pgtype.UUIDOID, pgtype.ByteaArrayOID: pgtype.ByteaOID,
		pgtype.Int4ArrayOID: pgtype.Int4OID, pgtype.Int8ArrayOID: pgtype.Int8OID,
	} {
		t, ok := m.TypeForOID(array)
		if !ok {
			panic("postgres: array type unknown to the client")
		}
		m.RegisterType(&pgtype.Type{Name: t.Name, OID: array, Codec: arrayCodec{t.Codec, element}})
	}
}

// PlanEncode implements [pgtype.Codec].
func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		for _, p := range plans[c.element] {
			if p.takes(value) {
				return p
			}
		}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// plans are the ways to encode arrays, by type of element.
var plans = map[uint32][]interface {
	pgtype.EncodePlan
	takes(value any) bool
}{
	pgtype.UUIDOID: {arrayPlan[[16]byte]{
		pgtype.UUIDOID,
		func([16]byte) int { return 16 },
		func(buf []byte, v [16]byte) []byte { return append(buf, v[:]...) },
	}},
	pgtype.ByteaOID: {arrayPlan[[]byte]{
		pgtype.ByteaOID,
		func(v []byte) int {
			if v == nil {
				return null
			}
			return len(v)
		},
		func(buf []byte, v []byte) []byte { return append(buf, v...) },
	}},
	pgtype.Int4OID: {arrayPlan[int32]{
		pgtype.Int4OID,
		func(int32) int { return 4 },
		func(buf []byte, v int32) []byte { return binary.BigEndian.AppendUint32(buf, uint32(v)) },
	}},
	pgtype.Int8OID: {arrayPlan[int64]{
		pgtype.Int8OID,
		func(int64) int { return 8 },
		func(buf []byte, v int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(v)) },
	}, arrayPlan[*int64]{
		pgtype.Int8OID,
		func(v *int64) int {
			if v == nil {
				return null
			}
			return 8
		},
		func(buf []byte, v *int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(*v)) },
	}},
}

// null is the size of an element that is NULL.
const null = -1

// arrayPlan encodes slices of T.
type arrayPlan[T any] struct {
	element uint32
	size    func(T) int // octets, or null
	put     func(buf []byte, v T) []byte
}

func (arrayPlan[T]) takes(value any) bool {
	_, ok := value.([]T)
	return ok
}

// Encode appends an array of one dimension, as array_recv of the server takes it:
// dimensions, whether there are nulls, type, length and first subscript, and then each
// element behind its size.
func (p arrayPlan[T]) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([]T)
	if values == nil {
		return nil, nil
	}
	octets, nulls := 20, uint32(0)
	for _, v := range values {
		if n := p.size(v); n == null {
			nulls, octets = 1, octets+4
		} else {
			octets += 4 + n
		}
	}
	buf = slices.Grow(buf, octets)
	for _, field := range [...]uint32{1, nulls, p.element, uint32(len(values)), 1} {
		buf = binary.BigEndian.AppendUint32(buf, field)
	}
	for _, v := range values {
		n := p.size(v)
		if buf = binary.BigEndian.AppendUint32(buf, uint32(n)); n != null {
			buf = p.put(buf, v)
		}
	}
	return buf, nil
}
