package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/internal/secret"
)

// Sighting is one state of a record as the files of a database show it.
type Sighting struct {
	Key, Value []byte // the value is nil where the record was deleted
	// Batch numbers the batch that wrote it, for what is in a journal. It is 0 for
	// what is in the tables.
	Batch uint64
	// Version is the engine's, for what is in the tables. It is 0 for what is in a
	// journal.
	Version uint64
}

// Dissect calls f with everything that a copy of the files of a database shows
// beside its octets: what stands in the journals, in the order in which it does,
// and then what the tables hold, as [Walk] does, with the versions by which the
// engine tells what moved there together. Of a value that a batch extended, a
// journal has only what was added. The copy may be that of a database in use, and
// is no copy any more afterwards: the engine makes good what a crash left. The key is as
// in [Walk].
//
// Keys and values are f's until it returns.
func Dissect(ctx context.Context, copied string, key secret.Bytes, f func(Sighting) error) error {
	if err := DissectJournals(copied, key, f); err != nil {
		return err
	}
	e, err := openEngine(copied, key)
	if err != nil {
		return fmt.Errorf("badger: opening the database: %w", err)
	}
	txn := newTables(e).latest()
	it := txn.NewIterator(engine.IteratorOptions{AllVersions: true})
	for it.Rewind(); it.Valid() && err == nil; it.Next() {
		version := it.Item().Version()
		err = visit(ctx, it.Item(), func(key, value []byte) error { return f(Sighting{Key: key, Value: value, Version: version}) })
	}
	it.Close()
	txn.Discard()
	return errors.Join(err, e.Close())
}

// DissectJournals is the part of [Dissect] about journals. It changes nothing, and
// dir may be that of the database itself, also in use: a journal that is made or
// removed meanwhile may be missing, and so may the last batch.
func DissectJournals(dir string, key secret.Bytes, f func(Sighting) error) error {
	// The list of the tables' keys tells a wrong key; a journal in clear does not.
	if _, err := dataKeys(dir, key); err != nil {
		return err
	}
	numbers, err := journalNumbers(dir)
	if err != nil {
		return fmt.Errorf("badger: looking for journals: %w", err)
	}
	for _, n := range numbers {
		if err := dissectJournal(journalPath(dir, n), key, f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func dissectJournal(path string, key secret.Bytes, f func(Sighting) error) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("badger: reading a journal: %w", err)
	}
	if len(b) < journalBlock || isZero(b[:journalBlock]) {
		return nil
	}
	id, err := parseJournal(b[:journalBlock])
	if err != nil {
		return err
	}
	aead := journalCipher(key, id)
	return eachFrame(b[journalBlock:], id, func(fr frame) error {
		body, err := decryptFrame(aead, fr)
		if err != nil {
			return err
		}
		return eachChange(body, func(key []byte, c change) error {
			if c.kind != changeDelete && c.value == nil {
				c.value = []byte{}
			}
			return f(Sighting{Key: key, Value: c.value, Batch: fr.seq})
		})
	})
}
