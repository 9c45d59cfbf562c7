package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/backup"
)

// RestoreConfig says what to restore where. Dir and Format must be set.
type RestoreConfig struct {
	// Dir is the directory that the database will be in. It must be empty, or
	// not exist.
	Dir    string
	Format Format
	// Key is that of [Config].
	Key secret.Bytes
	// FenceLost tells that the database's fence is lost too. Open then makes a
	// new one, and calls [Config.OnRollback] with the newest note that the
	// backup has, or refuses if the store needs its fence. Otherwise the fence
	// must be there, and tells whether anything happened since the backup was
	// made.
	FenceLost bool
	// Check, if set, is called with the restored database, opened for reading
	// alone. If it fails nothing is restored.
	Check func(context.Context, *DB) error
	// Now is for tests.
	Now func() time.Time
}

// Restore puts a database back from a full backup and the increments that follow
// it, in their order. Everything is read, verified, and written beside Dir, under
// its name with ".restoring" behind, before Dir appears; if anything fails it
// does not, or is as empty as it was. It fails with the errors of package backup,
// with [backup.ErrForeign] if a backup is of another kind of store, and with
// [ErrNotEmpty].
//
// The database knows itself as a copy: its fence, if it is older than that, and
// else what is said at FenceLost make the next Open call [Config.OnRollback],
// after which [DB.Restores] has grown. Increments of the time before do not fit
// it: begin with a full backup.
func Restore(ctx context.Context, cfg RestoreConfig, chain ...io.Reader) (*backup.Backup, error) {
	if err := errors.Join(cfg.Format.validate(), checkEncryptionKey(cfg.Key)); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := checkEmpty(cfg.Dir); err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: nothing to restore", backup.ErrChain)
	}
	work := filepath.Clean(cfg.Dir) + ".restoring"
	if err := os.RemoveAll(work); err != nil { // of a restore that a crash cut short
		return nil, fmt.Errorf("badger: restoring: %w", err)
	}
	defer os.RemoveAll(work) // it has another name if all went well
	last, err := restoreInto(ctx, &cfg, work, chain)
	if err == nil {
		err = checkRestored(ctx, &cfg, work, last)
	}
	if err != nil {
		return nil, err
	}
	if err := syncAll(work); err != nil {
		return nil, err
	}
	if err := os.Remove(cfg.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("badger: restoring: %w", err)
	}
	if err := os.Rename(work, cfg.Dir); err != nil {
		return nil, fmt.Errorf("badger: restoring: %w", err)
	}
	return last, syncDir(filepath.Dir(work))
}

func checkEmpty(dir string) error {
	files, err := os.ReadDir(dir)
	if err == nil && len(files) > 0 {
		return ErrNotEmpty
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("badger: restoring: %w", err)
	}
	return nil
}

// restoreInto applies the chain to a new database.
func restoreInto(ctx context.Context, cfg *RestoreConfig, dir string, chain []io.Reader) (last *backup.Backup, err error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	// Nothing of it counts before all of it is synced.
	e, err := engine.Open(encrypted(engineOptions(dir), cfg.Key).WithSyncWrites(false))
	if err != nil {
		return nil, fmt.Errorf("badger: opening the database: %w", err)
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	for _, r := range chain {
		if last, err = applyBackup(ctx, cfg, e, last, r); err != nil {
			return nil, err
		}
	}
	return last, writeKernel(cfg, e, &last.Manifest)
}

// applyBackup applies one backup to what was restored of those before, last
// being the one just before, nil for none.
func applyBackup(ctx context.Context, cfg *RestoreConfig, e *engine.DB, last *backup.Backup, r io.Reader) (*backup.Backup, error) {
	in, err := backup.NewReader(r)
	if err != nil {
		return nil, err
	}
	m := in.Manifest()
	if m.Format != cfg.Format.Name || m.Version != cfg.Format.Version {
		return nil, backup.ErrForeign
	}
	switch {
	case last == nil && !m.Full():
		return nil, backup.ErrChain
	case last != nil:
		if err := m.Follows(last); err != nil {
			return nil, err
		}
	}
	txn := e.NewTransaction(false) // what the backups before have left
	defer txn.Discard()
	base := txn.NewIterator(engine.IteratorOptions{})
	defer base.Close()
	base.Rewind()
	out := e.NewWriteBatch()
	defer out.Cancel()
	a := &applier{base: base, out: out, digest: m.Base}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		item, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = a.apply(&item)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := a.deleteUntil(func([]byte) bool { return false }); err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, fmt.Errorf("badger: restoring: %w", cause(err))
	}
	return in.Backup(), nil
}

// applier walks the records of the backups before beside the items of one.
type applier struct {
	base   *engine.Iterator
	out    *engine.WriteBatch
	digest backup.Digest // which fingerprints are made with
}

func (a *applier) apply(item *backup.Item) error {
	if item.Kept {
		if err := a.deleteUntil(func(key []byte) bool { return backup.Fingerprint(a.digest, key) == item.Fingerprint }); err != nil {
			return err
		}
		if !a.base.Valid() {
			return fmt.Errorf("%w: it names a record that is not there", backup.ErrChain)
		}
		a.base.Next()
		return nil
	}
	if checkKey(item.Key) != nil || len(item.Value) > MaxValue {
		return fmt.Errorf("%w: record", backup.ErrMalformed)
	}
	if err := a.deleteUntil(func(key []byte) bool { return bytes.Compare(key, item.Key) >= 0 }); err != nil {
		return err
	}
	if a.base.Valid() && bytes.Equal(a.base.Item().Key(), item.Key) {
		a.base.Next()
	}
	if err := a.out.Set(bytes.Clone(item.Key), bytes.Clone(item.Value)); err != nil {
		return fmt.Errorf("badger: restoring: %w", cause(err))
	}
	return nil
}

// deleteUntil deletes the records that the backup does not name.
func (a *applier) deleteUntil(found func(key []byte) bool) error {
	for ; a.base.Valid() && !found(a.base.Item().Key()); a.base.Next() {
		if err := a.out.Delete(a.base.Item().KeyCopy(nil)); err != nil {
			return fmt.Errorf("badger: restoring: %w", cause(err))
		}
	}
	return nil
}

// writeKernel writes the kernel's own records.
func writeKernel(cfg *RestoreConfig, e *engine.DB, m *backup.Manifest) error {
	format, err := cfg.Format.marshal()
	if err != nil {
		return err
	}
	lineage, err := fenceRecord(m.Fence, m.Note)
	if err != nil {
		return err
	}
	record, err := newLife(m.Restores)
	if err != nil {
		return err
	}
	l, err := parseLife(record)
	if err != nil {
		return err
	}
	if l.pending = cfg.FenceLost || !m.Fenced; l.pending {
		l.note = m.Note
		l.restores = max(l.restores, restoreDay(cfg.Now()))
	}
	if record, err = l.marshal(); err != nil {
		return err
	}
	return e.Update(func(txn *engine.Txn) error {
		err := errors.Join(txn.Set(formatKey, format), txn.Set(lifeKey, record), txn.Set(seqKey, marshalSeq(m.Batch)))
		if m.Fenced && !cfg.FenceLost {
			err = errors.Join(err, txn.Set(fenceKey, lineage))
		}
		return err
	})
}

// restoreDay counts days from 2026 on. It is the least that the number of
// restores is set to if no fence remembers it: the copy knows only of those
// before it was made.
func restoreDay(now time.Time) uint32 {
	return uint32(max(0, now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))/(24*time.Hour)))
}

// checkRestored verifies what was written, and counts it.
func checkRestored(ctx context.Context, cfg *RestoreConfig, dir string, last *backup.Backup) error {
	db, err := Open(Config{Dir: dir, Format: cfg.Format, Key: cfg.Key, ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.verify(); err != nil {
		return err
	}
	s, err := db.snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	var n uint64
	err = s.items(ctx, func(item *engine.Item) error {
		if item.Key()[0] != 0 {
			n++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n != last.Records+last.Kept {
		return fmt.Errorf("%w: %d records restored of %d", ErrDamaged, n, last.Records+last.Kept)
	}
	if cfg.Check != nil {
		return cfg.Check(ctx, db)
	}
	return nil
}

// syncAll syncs a directory and its files.
func syncAll(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("badger: restoring: %w", err)
	}
	for _, entry := range files {
		f, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			return fmt.Errorf("badger: restoring: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("badger: restoring: %w", err)
		}
	}
	return syncDir(dir)
}
