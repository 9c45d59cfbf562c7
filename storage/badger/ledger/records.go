package ledger

import (
	"errors"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/tokens"
)

// getter is the Get of a database or of a request.
type getter func(key []byte) ([]byte, error)

// read gets and parses a record; a missing one gives the zero value.
func read[T any](get getter, key []byte, parse func([]byte) (T, error)) (v T, err error) {
	b, err := get(key)
	if errors.Is(err, badger.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	return parse(b)
}

func readRegistry(get getter) (*registry, error) {
	g, err := read(get, []byte{prefixRegistry}, parseRegistry)
	if g == nil {
		g = &registry{}
	}
	return g, err
}

func readTombstone(get getter, key privacypass.KeyID) (state, error) {
	return read(get, tombstoneKey(key), parseTombstone)
}

func readCount(get getter, key []byte) (uint64, error) { return read(get, key, parseCount) }

func readTag(tx *badger.Tx, key []byte) (*tokens.Tag, error) {
	return read(tx.Get, key, func(b []byte) (*tokens.Tag, error) {
		tag, err := tokens.ParseTag(b)
		return &tag, err
	})
}

func writeRegistry(tx *badger.Tx, g *registry) error {
	b, err := g.marshal()
	if err != nil {
		return err
	}
	tx.Put([]byte{prefixRegistry}, b)
	tx.SetNote(g.note())
	return nil
}
