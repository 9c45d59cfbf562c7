package postgres

import (
	"encoding/binary"
	"math"
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
		switch value.(type) {
		case [][16]byte:
			if c.element == pgtype.UUIDOID {
				return encodeUUIDs{}
			}
		case [][]byte:
			if c.element == pgtype.ByteaOID {
				return encodeOctets{}
			}
		case []int32:
			if c.element == pgtype.Int4OID {
				return encodeInt4s{}
			}
		case []int64:
			if c.element == pgtype.Int8OID {
				return encodeInt8s{}
			}
		case []*int64:
			if c.element == pgtype.Int8OID {
				return encodeInt8sOrNull{}
			}
		}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// appendArray begins an array of one dimension, as array_recv of the server takes it:
// dimensions, whether there are nulls, type, length and first subscript. Each element
// follows behind its length. The buffer has room then for so many octets more.
func appendArray(buf []byte, element uint32, n, octets int, nulls uint32) []byte {
	buf = slices.Grow(buf, 20+octets)
	for _, field := range [...]uint32{1, nulls, element, uint32(n), 1} {
		buf = binary.BigEndian.AppendUint32(buf, field)
	}
	return buf
}

// null is the length of an element that is NULL.
const null = math.MaxUint32

type encodeUUIDs struct{}

func (encodeUUIDs) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([][16]byte)
	if values == nil {
		return nil, nil
	}
	buf = appendArray(buf, pgtype.UUIDOID, len(values), 20*len(values), 0)
	for i := range values {
		buf = append(binary.BigEndian.AppendUint32(buf, 16), values[i][:]...)
	}
	return buf, nil
}

// encodeOctets passes nil as NULL.
type encodeOctets struct{}

func (encodeOctets) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([][]byte)
	if values == nil {
		return nil, nil
	}
	size, nulls := 4*len(values), uint32(0)
	for _, v := range values {
		if size += len(v); v == nil {
			nulls = 1
		}
	}
	buf = appendArray(buf, pgtype.ByteaOID, len(values), size, nulls)
	for _, v := range values {
		if v == nil {
			buf = binary.BigEndian.AppendUint32(buf, null)
			continue
		}
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...)
	}
	return buf, nil
}

type encodeInt4s struct{}

func (encodeInt4s) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([]int32)
	if values == nil {
		return nil, nil
	}
	buf = appendArray(buf, pgtype.Int4OID, len(values), 8*len(values), 0)
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(buf, 4), uint32(v))
	}
	return buf, nil
}

type encodeInt8s struct{}

func (encodeInt8s) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([]int64)
	if values == nil {
		return nil, nil
	}
	buf = appendArray(buf, pgtype.Int8OID, len(values), 12*len(values), 0)
	for _, v := range values {
		buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(v))
	}
	return buf, nil
}

type encodeInt8sOrNull struct{}

func (encodeInt8sOrNull) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([]*int64)
	if values == nil {
		return nil, nil
	}
	nulls := uint32(0)
	for _, v := range values {
		if v == nil {
			nulls = 1
		}
	}
	buf = appendArray(buf, pgtype.Int8OID, len(values), 12*len(values), nulls)
	for _, v := range values {
		if v == nil {
			buf = binary.BigEndian.AppendUint32(buf, null)
			continue
		}
		buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(*v))
	}
	return buf, nil
}
