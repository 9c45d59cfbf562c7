package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/secret"
)

// Walk calls f with everything that the files of a closed database hold, of any
// format: the kernel's records, and versions that were replaced or deleted and
// are not compacted yet, too; a deletion has no value. It is for those who ask
// what a copy of the files shows. Nothing is changed. A database that a crash left
// must be opened and closed before, or Walk fails with [ErrUnclean]. The key is that of
// [Config.Key], zero for a database in clear; another shows nothing: [ErrEncryption].
//
// Keys and values are f's until it returns.
func Walk(ctx context.Context, dir string, key secret.Bytes, f func(key, value []byte) error) error {
	if numbers, err := journalNumbers(dir); err != nil || len(numbers) > 0 {
		return errors.Join(ErrUnclean, err)
	}
	if err := checkEncryptionKey(key); err != nil {
		return err
	}
	e, err := engine.Open(encrypted(engineOptions(dir), key).WithReadOnly(true))
	if err != nil && strings.Contains(err.Error(), engine.ErrTruncateNeeded.Error()) { // it is not wrapped
		return ErrUnclean
	}
	if err != nil {
		return fmt.Errorf("badger: opening the database: %w", keyError(err))
	}
	txn := e.NewTransaction(false)
	it := txn.NewIterator(engine.IteratorOptions{AllVersions: true})
	for it.Rewind(); it.Valid() && err == nil; it.Next() {
		err = visit(ctx, it.Item(), f)
	}
	it.Close()
	txn.Discard()
	return errors.Join(err, e.Close())
}

// Databases returns the directories of all databases at or below root.
func Databases(root string) (dirs []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == engine.ManifestFilename {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	return dirs, err
}
