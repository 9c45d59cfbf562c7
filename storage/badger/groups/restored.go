package groups

import (
	"math"

	"github.com/pseudods/pseudods/storage/badger"
)

// OnRollback is for [badger.Config.OnRollback]. Nothing needs to be closed in an
// older copy: the database counts that it is one, for [Store.Restored].
func OnRollback(*badger.Tx, []byte) error { return nil }

// Restored returns how often the database was replaced by an older copy of
// itself, for ds.Config.Restored. See [badger.DB.Restores].
func (s *Store) Restored() uint16 { return uint16(min(s.db.Restores(), math.MaxUint16)) }
