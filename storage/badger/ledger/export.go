package ledger

import (
	"encoding/binary"
	"math"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/tokens"
)

// OnRollback is for [badger.Config.OnRollback], for who opens a ledger's database
// without the ledger: it closes every epoch that the older store or the newer fence
// had open.
var OnRollback = fenceAll

// maxCapacity is what the database holds at most as an epoch's capacity.
const maxCapacity = 1 << 62

// Export returns the database, opened with [Format] and [OnRollback], as rows of
// the tables of package storage/postgres/ledger. Epochs whose closing was cut short
// are closed there.
func Export(db *badger.DB) move.Source {
	e := &exported{}
	return &badger.Export{DB: db, Kinds: []byte{prefixRegistry, prefixTombstone, prefixNullifier}, Rows: e.rows}
}

// exported has the registry in mind, which does not change.
type exported struct{ open map[uint32]bool }

func (e *exported) rows(get func([]byte) ([]byte, error), key, value []byte) ([]move.Row, error) {
	if e.open == nil {
		g, err := readRegistry(get)
		if err != nil {
			return nil, err
		}
		e.open = map[uint32]bool{}
		for _, entry := range g.entries {
			e.open[entry.ordinal] = entry.state == stateOpen
		}
	}
	switch key[0] {
	case prefixRegistry:
		return registryRows(get, value)
	case prefixTombstone:
		s, err := parseTombstone(value)
		if err != nil || len(key) != 1+len(privacypass.KeyID{}) {
			return nil, tokens.ErrRecord
		}
		return []move.Row{{Table: "spent.closed", Values: []any{append([]byte{}, key[1:]...), s == stateFenced}}}, nil
	}
	if len(key) != len(partition(0))+len(tokens.Nullifier{}) || len(value) != len(tokens.Tag{}) {
		return nil, tokens.ErrRecord
	}
	ordinal := binary.BigEndian.Uint32(key[1:])
	if !e.open[ordinal] {
		return nil, nil // of an epoch that is closed
	}
	return []move.Row{{Table: "spent.nullifier", Values: []any{column(ordinal), append([]byte{}, key[5:]...), append([]byte{}, value...)}}}, nil
}

// column is an ordinal as the database has it: there they begin with 1.
func column(ordinal uint32) int64 { return int64(ordinal) + 1 }

func registryRows(get func([]byte) ([]byte, error), value []byte) ([]move.Row, error) {
	g, err := parseRegistry(value)
	if err != nil {
		return nil, err
	}
	check, err := get([]byte{prefixCheck})
	if err != nil || g.next >= math.MaxInt32 {
		return nil, tokens.ErrRecord
	}
	rows := []move.Row{{Table: "spent.registry", Values: []any{true, check, column(g.next)}}}
	for _, entry := range g.entries {
		if entry.state != stateOpen {
			continue
		}
		spent, err := readCount(get, countKey(entry.ordinal))
		if err != nil {
			return nil, err
		}
		rows = append(rows, move.Row{Table: "spent.epoch",
			Values: []any{append([]byte{}, entry.key[:]...), column(entry.ordinal), int64(min(entry.capacity, maxCapacity)), int64(spent), false}})
	}
	return rows, nil
}
