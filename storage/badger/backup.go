package badger

import (
	"context"
	"errors"
	"fmt"
	"io"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/storage/backup"
)

// Backup writes one durable state of the database, which may be in use, to w:
// all of it, or, if base is not nil, what was written since that backup was made.
// It fails with [backup.ErrChain] if base is not one of this database's, or is
// from before a restore; with [ErrDamaged] if the database is not whole, after
// which there is nothing to back up; and with the errors of w and ctx.
//
// It takes one buffer of memory, holds up no request, and reads the database
// twice. What has been deleted meanwhile stays on disk until it ends, and Close
// waits for it, so that w should not stand still: end ctx with the server.
func (db *DB) Backup(ctx context.Context, w io.Writer, base *backup.Backup) (*backup.Backup, error) {
	release, err := db.reading()
	if err != nil {
		return nil, err
	}
	defer release()
	if db.failed.Load() {
		return nil, ErrFailed // the last batch may not be durable
	}
	if db.life.lineage == (backup.Lineage{}) {
		return nil, fmt.Errorf("%w: nothing was ever written", ErrFormat)
	}
	s, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := db.verify(); err != nil {
		return nil, err
	}
	m, err := db.manifest(s)
	if err != nil {
		return nil, err
	}
	since := uint64(0)
	if base != nil {
		m.Base, since = base.Digest, base.Position
		if err := m.Follows(base); err != nil || base.Format != m.Format || base.Version != m.Version {
			return nil, backup.ErrChain
		}
	}
	out, err := backup.NewWriter(w, m)
	if err != nil {
		return nil, err
	}
	err = s.items(ctx, func(item *engine.Item) error {
		switch {
		case item.Key()[0] == 0:
			return nil // the kernel's, which are in the manifest
		case item.Version() <= since:
			return out.Keep(item.Key())
		}
		return visit(ctx, item, out.Record)
	})
	if err != nil {
		return nil, err
	}
	return out.Close()
}

// manifest says what a snapshot is of.
func (db *DB) manifest(s *snapshot) (m backup.Manifest, err error) {
	m = backup.Manifest{Format: db.cfg.Format.Name, Version: db.cfg.Format.Version,
		Lineage: db.life.lineage, Restores: db.life.restores, Position: s.txn.ReadTs()}
	if m.Batch, err = readSeq(s.txn); err != nil {
		return m, err
	}
	b, err := get(s.txn, fenceKey)
	if errors.Is(err, ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	m.Fenced = true
	if m.Fence, m.Note, err = parseFenceRecord(b); err != nil {
		return m, fmt.Errorf("badger: backing up: %w", err)
	}
	return m, nil
}
