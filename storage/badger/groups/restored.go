package groups

import (
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/storage/badger"
)

// kindRestored is the key of one record: how often the database was replaced by
// an older copy, in 2 octets.
const kindRestored = 'n'

// OnRollback is for [badger.Config.OnRollback]: it counts that the database was
// replaced by an older copy of itself. The fence holds the count too, since the
// copy may be from before the last time.
func OnRollback(tx *badger.Tx, note []byte) error {
	count, err := restored(tx.Get)
	if err != nil {
		return err
	}
	noted, err := parseRestored(note)
	if err != nil {
		return err
	}
	value := binary.BigEndian.AppendUint16(nil, max(count, noted)+1)
	tx.Put([]byte{kindRestored}, value)
	tx.SetNote(value)
	return nil
}

// Restored returns how often the database was replaced by an older copy of
// itself: see ds.Config.Restored.
func (s *Store) Restored() (uint16, error) { return restored(s.db.Get) }

func restored(read func([]byte) ([]byte, error)) (uint16, error) {
	b, err := read([]byte{kindRestored})
	if errors.Is(err, badger.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return parseRestored(b)
}

func parseRestored(b []byte) (uint16, error) {
	switch len(b) {
	case 0:
		return 0, nil
	case 2:
		return binary.BigEndian.Uint16(b), nil
	}
	return 0, ErrCorrupt
}
