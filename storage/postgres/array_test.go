package postgres

import (
	"bytes"
	"math"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrays are arguments by their types, empty, null and with elements at their bounds.
var arrays = map[uint32][]any{
	pgtype.UUIDArrayOID:  {[][16]byte(nil), [][16]byte{}, [][16]byte{{}}, [][16]byte{{1, 2}, {15: 3}}},
	pgtype.ByteaArrayOID: {[][]byte(nil), [][]byte{}, [][]byte{{}}, [][]byte{nil}, [][]byte{{1}, nil, {}, make([]byte, 70_000)}},
	pgtype.Int4ArrayOID:  {[]int32(nil), []int32{}, []int32{0}, []int32{math.MinInt32, -1, math.MaxInt32}},
	pgtype.Int8ArrayOID: {[]int64(nil), []int64{}, []int64{0}, []int64{math.MinInt64, -1, math.MaxInt64},
		[]*int64(nil), []*int64{}, []*int64{nil}, []*int64{new(int64)}, []*int64{nil, new(int64), nil}},
}

// TestArrays: arguments are the same octets as the client's own codec makes, behind
// whatever the buffer has.
func TestArrays(t *testing.T) {
	own, theirs := pgtype.NewMap(), pgtype.NewMap()
	registerArrays(own)
	for oid, values := range arrays {
		for _, v := range values {
			want, err := theirs.Encode(oid, pgtype.BinaryFormatCode, v, []byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := own.Encode(oid, pgtype.BinaryFormatCode, v, []byte("before"))
			if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%T of type %d: %x, %v, want %x", v, oid, got, err, want)
			}
		}
	}
}

// TestArraysOfOthers: what is not encoded here, the client does: other slices, text,
// and answers.
func TestArraysOfOthers(t *testing.T) {
	m := pgtype.NewMap()
	registerArrays(m)
	b, err := m.Encode(pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, []int16{1, 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var back []*int64
	if err := m.Scan(pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, b, &back); err != nil || len(back) != 2 || *back[0] != 1 || *back[1] != 2 {
		t.Errorf("%v, %v", back, err)
	}
	if b, err = m.Encode(pgtype.Int8ArrayOID, pgtype.TextFormatCode, []int64{-1, 2}, nil); err != nil || string(b) != "{-1,2}" {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := m.Encode(pgtype.UUIDArrayOID, pgtype.BinaryFormatCode, []int64{1}, nil); err == nil {
		t.Error("numbers became UUIDs")
	}
}

// BenchmarkArrays encodes what an append of 100 entries has.
func BenchmarkArrays(b *testing.B) {
	for _, c := range []struct {
		name     string
		register func(*pgtype.Map)
	}{{"own", registerArrays}, {"client", func(*pgtype.Map) {}}} {
		b.Run(c.name, func(b *testing.B) {
			m := pgtype.NewMap()
			c.register(m)
			ids, texts, numbers, small, nulls := make([][16]byte, 100), make([][]byte, 100), make([]int64, 100), make([]int32, 100), make([]*int64, 100)
			for i := range texts {
				texts[i] = make([]byte, 300)
			}
			b.ReportAllocs()
			for b.Loop() {
				var buf []byte
				for oid, values := range map[uint32][]any{
					pgtype.UUIDArrayOID: {ids, ids, ids}, pgtype.ByteaArrayOID: {texts, texts},
					pgtype.Int8ArrayOID: {numbers, numbers, numbers, nulls}, pgtype.Int4ArrayOID: {small, small},
				} {
					for _, v := range values {
						var err error
						if buf, err = m.Encode(oid, pgtype.BinaryFormatCode, v, buf[:0]); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}
