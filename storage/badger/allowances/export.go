package allowances

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
)

// Export returns the database, opened with [Format], as rows of the tables of
// package storage/postgres/allowances. Epochs whose dropping was cut short are
// dropped there.
func Export(db *badger.DB) move.Source {
	return &badger.Export{DB: db, Kinds: []byte{kindEpoch, kindDropped, kindStanding, kindCharge}, Rows: rows}
}

func rows(get func([]byte) ([]byte, error), key, value []byte) ([]move.Row, error) {
	switch key[0] {
	case kindStanding:
		return standingRow(key, value)
	case kindCharge:
		return chargeRow(get, key, value)
	}
	if len(key) != 1+8 {
		return nil, ErrCorrupt
	}
	epoch, err := epochColumn(key[1:])
	if err != nil {
		return nil, err
	}
	dropped := key[0] == kindDropped
	if !dropped {
		if gone, err := has(get, epochKey(kindDropped, attester.Epoch(epoch))); err != nil || gone {
			return nil, err
		}
	}
	return []move.Row{{Table: "allowances.epoch", Values: []any{epoch, dropped, dropped}}}, nil
}

func has(get func([]byte) ([]byte, error), key []byte) (bool, error) {
	_, err := get(key)
	if errors.Is(err, badger.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// epochColumn reads an epoch. The database has none beyond what its numbers are.
func epochColumn(b []byte) (int64, error) {
	n := binary.BigEndian.Uint64(b)
	if n > math.MaxInt64 {
		return 0, ErrCorrupt
	}
	return int64(n), nil
}

func standingRow(key, value []byte) ([]move.Row, error) {
	s, err := parseStanding(value)
	if err != nil || len(key) != 1+len(attester.Account{}) {
		return nil, ErrCorrupt
	}
	number := func(e attester.Epoch) int64 { return int64(min(uint64(e), math.MaxInt64)) }
	c := s.Cut
	return []move.Row{{Table: "allowances.standing", Values: []any{append([]byte{}, key[1:]...), s.Seen, number(s.First),
		int64(c.Percent), number(c.From), number(c.Full), number(c.Until), int64(c.Strikes), number(c.Last)}}}, nil
}

func chargeRow(get func([]byte) ([]byte, error), key, value []byte) ([]move.Row, error) {
	const account, tag = 1 + 8, 1 + 8 + len(attester.Account{})
	if len(key) <= tag {
		return nil, ErrCorrupt
	}
	epoch, err := epochColumn(key[1:account])
	if err != nil {
		return nil, err
	}
	known, err := has(get, epochKey(kindEpoch, attester.Epoch(epoch)))
	if err != nil {
		return nil, err
	}
	gone, err := has(get, epochKey(kindDropped, attester.Epoch(epoch)))
	if err != nil || gone || !known {
		return nil, err
	}
	key = bytes.Clone(key)
	owner, rest := key[account:tag], key[tag+1:]
	switch key[tag] {
	case 'v':
		return []move.Row{{Table: "allowances.verdict", Values: []any{owner, epoch, rest}}}, nil
	case 's':
		spent, err := parseUint64(value)
		if err != nil || spent > math.MaxInt64 {
			return nil, ErrCorrupt
		}
		return []move.Row{{Table: "allowances.slot", Values: []any{owner, epoch, rest, int64(spent)}}}, nil
	case 'r':
		if n := len(attester.Digest{}); len(rest) > n {
			return []move.Row{{Table: "allowances.charge", Values: []any{owner, epoch, rest[n:], rest[:n], append([]byte{}, value...)}}}, nil
		}
	}
	return nil, ErrCorrupt
}
