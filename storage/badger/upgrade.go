package badger

import (
	"context"
	"errors"
	"fmt"
)

// Upgrades are the steps from each older version of a format to the next one, by
// the older.
//
// A step changes records by requests as small as any, and may be cut short after
// each of them and begun again: it finds by the records what is left to do.
type Upgrades map[uint32]func(context.Context, *DB) error

// Upgrade brings a database, which nobody else has open, from an older version of
// its format to that of the configuration, and returns which one it found. One that is
// up to date stays as it is. A version that no step begins with gives [ErrFormat].
// After a crash or an error it is to be repeated: until it has ended [Open] fails
// with [ErrOutdated].
func Upgrade(ctx context.Context, cfg Config, steps Upgrades) (from uint32, err error) {
	if cfg.ReadOnly {
		return 0, ErrReadOnly
	}
	cfg.upgrades = steps
	if cfg.upgrades == nil {
		cfg.upgrades = Upgrades{}
	}
	db, err := Open(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if from = db.found; from == 0 {
		return cfg.Format.Version, nil
	}
	for v := from; v < cfg.Format.Version; v++ {
		if steps[v] == nil {
			return from, fmt.Errorf("%w: %q version %d cannot be upgraded", ErrFormat, cfg.Format.Name, v)
		}
	}
	for v := from; v < cfg.Format.Version; v++ {
		if err := steps[v](ctx, db); err != nil {
			return from, fmt.Errorf("badger: upgrading %q from version %d: %w", cfg.Format.Name, v, err)
		}
		if err := db.setVersion(ctx, v+1); err != nil {
			return from, err
		}
	}
	return from, nil
}

// setVersion notes a version of the format, after all that was submitted before. If it
// is in the tables, where [Open] looks, the journal has what is not yet there of the
// rest.
func (db *DB) setVersion(ctx context.Context, version uint32) error {
	f := db.cfg.Format
	f.Version = version
	b, err := f.marshal()
	if err != nil {
		return err
	}
	return db.Submit(ctx, func(tx *Tx) error {
		tx.batch.add(db.young().reserve(nil, formatKey), change{kind: changePut, value: b})
		return nil
	})
}
