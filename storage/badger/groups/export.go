package groups

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
)

// Export returns the database, opened with [Format], as rows of the tables of
// package storage/postgres/groups.
func Export(db *badger.DB) move.Source {
	return &badger.Export{DB: db, Kinds: []byte{kindVersion, kindRecord, kindOutbox}, Rows: rows}
}

func rows(_ func([]byte) ([]byte, error), k, value []byte) ([]move.Row, error) {
	const start = 1 + wire.GroupIDSize
	if len(k) < start {
		return nil, ErrCorrupt
	}
	id := bytes.Clone(k[1:start])
	switch k[0] {
	case kindVersion:
		if len(k) != start || len(value) != 16 {
			return nil, ErrCorrupt
		}
		version, sequence := binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
		if version > math.MaxInt64 || sequence > version {
			return nil, ErrCorrupt
		}
		// No batch has the name of all zeros: they are drawn at random.
		return []move.Row{{Table: "groups.groups", Values: []any{id, int64(version), int64(sequence), make([]byte, 16)}}}, nil
	case kindRecord:
		return []move.Row{{Table: "groups.record", Values: []any{id, append([]byte{}, k[start:]...), append([]byte{}, value...)}}}, nil
	}
	sequence, part, err := sequenceOf(k)
	if err != nil || sequence > math.MaxInt64 || len(value) == 0 {
		return nil, ErrCorrupt
	}
	return []move.Row{{Table: "groups.message_part",
		Values: []any{id, bytes.Clone(k[start:laneSize]), int64(sequence), int64(part), append([]byte{}, value[1:]...)}}}, nil
}
