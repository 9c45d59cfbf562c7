package reports

import (
	"bytes"

	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
)

// Export returns the database, opened with [Format], as rows of the table of
// package storage/postgres/reports.
func Export(db *badger.DB) move.Source {
	return &badger.Export{DB: db, Kinds: []byte{kindOpen, kindDecided}, Rows: rows}
}

func rows(read func([]byte) ([]byte, error), key, value []byte) ([]move.Row, error) {
	if len(key) != 1+len(moderation.CaseID{}) {
		return nil, ErrCorrupt
	}
	id := bytes.Clone(key[1:])
	if key[0] == kindOpen {
		c, err := parseCase(bytes.Clone(value))
		if err != nil {
			return nil, err
		}
		return []move.Row{{Table: "reports.report",
			Values: []any{id, int64(moderation.Open), int64(0), int64(c.Day), c.Commitment[:], append([]byte{}, c.Sealed...), nil}}}, nil
	}
	o, err := parseOutcome(value)
	if err != nil {
		return nil, err
	}
	row := move.Row{Table: "reports.report", Values: []any{id, int64(o.State), int64(o.Weight), nil, nil, nil, nil}}
	verdict, err := get(read, caseKey(kindVerdict, moderation.CaseID(id)))
	if verdict != nil {
		row.Values[6] = verdict
	}
	return []move.Row{row}, err
}
