package badger

import (
	"bytes"
	"context"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/storage/move"
)

// Export goes over the records of a database, for [move.Copy]. Records are
// named by their keys.
type Export struct {
	DB *DB
	// Kinds are the first octets of the records, in the order in which they go.
	Kinds []byte
	// Rows makes rows of a record. It may read others by get. Key and value are its
	// own only until it returns.
	Rows func(get func(key []byte) ([]byte, error), key, value []byte) ([]move.Row, error)
}

var _ move.Source = (*Export)(nil)

// Each implements [move.Source].
func (e *Export) Each(ctx context.Context, after []byte, f func(record []byte, rows []move.Row) error) error {
	kinds := e.Kinds
	if after != nil {
		kinds = kinds[max(bytes.IndexByte(kinds, after[0]), 0):]
	}
	return e.reading(ctx, func(s *snapshot) error {
		read := func(key []byte) ([]byte, error) { return get(s.txn, key) }
		for _, kind := range kinds {
			err := s.after(ctx, kind, after, func(key, value []byte) error {
				rows, err := e.Rows(read, key, value)
				if err != nil {
					return err
				}
				return f(key, rows)
			})
			if err != nil {
				return err
			}
			after = nil
		}
		return nil
	})
}

// Count implements [move.Source].
func (e *Export) Count(ctx context.Context) (n uint64, err error) {
	err = e.reading(ctx, func(s *snapshot) error {
		return s.items(ctx, func(item *engine.Item) error {
			if bytes.IndexByte(e.Kinds, item.Key()[0]) >= 0 {
				n++
			}
			return nil
		})
	})
	return n, err
}

func (e *Export) reading(ctx context.Context, f func(*snapshot) error) error {
	release, err := e.DB.reading()
	if err != nil {
		return err
	}
	defer release()
	s, err := e.DB.snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return f(s)
}

// after calls f with the records of a kind that follow a key, as each does.
func (s *snapshot) after(ctx context.Context, kind byte, after []byte, f func(key, value []byte) error) error {
	it := s.txn.NewIterator(engine.IteratorOptions{Prefix: []byte{kind}})
	defer it.Close()
	from := []byte{kind}
	if after != nil {
		from = append(bytes.Clone(after), 0)
	}
	for it.Seek(from); it.Valid(); it.Next() {
		if err := visit(ctx, it.Item(), f); err != nil {
			return err
		}
	}
	return nil
}
