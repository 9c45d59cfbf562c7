package groups

import (
	"context"
	"crypto/rand"
	"embed"
	"sync/atomic"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
)

//go:embed migrations
var files embed.FS

// Schema is the schema of the databases that [New] takes.
var Schema = postgres.Schema{Name: "groups", Migrations: files, Routing: routing}

// Store is a [ds.Store] on a database.
type Store struct {
	db       *postgres.DB
	process  [16]byte
	attended atomic.Bool
}

var _ ds.Store = (*Store)(nil)

// New returns the store on a database opened with [Schema]. The caller closes
// the database.
func New(db *postgres.DB) *Store {
	s := &Store{db: db}
	rand.Read(s.process[:])
	return s
}

// Read implements [ds.Store].
func (s *Store) Read(ctx context.Context, group wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	if len(lookups) > ds.MaxLookups {
		panic("groups: too many lookups")
	}
	keys, prefixes := make([][]byte, len(lookups)), make([]int32, len(lookups))
	for i, l := range lookups {
		keys[i], prefixes[i] = l.Key, int32(l.Prefix)
	}
	var snapshot *ds.Snapshot
	err := s.db.Read(ctx, "select * from groups.read($1, $2, $3)", []any{group[:], keys, prefixes}, func(r postgres.Rows) error {
		snapshot = &ds.Snapshot{Records: make([]ds.Record, len(lookups))}
		for r.Next() {
			var ordinal int
			var record ds.Record
			var version, sequence *int64
			if err := r.Scan(&ordinal, &record.Key, &record.Value, &version, &sequence); err != nil {
				return err
			}
			if ordinal == 0 {
				snapshot.Version, snapshot.Sequence = uint64(*version), uint64(*sequence)
			} else {
				snapshot.Records[ordinal-1] = record
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return snapshot, nil
}

// Commit implements [ds.Store].
func (s *Store) Commit(ctx context.Context, group wire.GroupID, b *ds.Batch) error {
	var name [16]byte
	rand.Read(name[:])
	keys, values := make([][]byte, len(b.Puts)), make([][]byte, len(b.Puts))
	for i, r := range b.Puts {
		if keys[i], values[i] = r.Key, r.Value; values[i] == nil {
			values[i] = []byte{} // nil would be NULL
		}
	}
	deletes := b.Deletes
	if deletes == nil {
		deletes = [][]byte{}
	}
	lanes, parts, contents := [][]byte{}, []int32{}, [][]byte{}
	for _, m := range b.Messages {
		for i, part := range m.Parts {
			lanes, parts, contents = append(lanes, m.Lane[:]), append(parts, int32(i)), append(contents, part)
		}
	}
	return s.db.Write(ctx, "select groups.commit($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		[]any{group[:], int64(b.Base), name[:], keys, values, deletes, lanes, parts, contents}, func(r postgres.Rows) error {
			var in bool
			if err := postgres.One(&in)(r); err != nil {
				return err
			}
			if !in {
				return postgres.IfSure(ds.ErrConflict)
			}
			return nil
		})
}

// First implements [ds.Store].
func (s *Store) First(ctx context.Context, group wire.GroupID, lane ds.Lane) (uint64, error) {
	var first int64
	err := s.db.Read(ctx, "select groups.first($1, $2)", []any{group[:], lane[:]}, postgres.One(&first))
	return uint64(first), err
}

// Message implements [ds.Store].
func (s *Store) Message(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (*ds.Message, error) {
	var m *ds.Message
	err := s.db.Read(ctx, "select * from groups.message($1, $2, $3)", []any{group[:], lane[:], int64(sequence)}, func(r postgres.Rows) error {
		m = nil
		for r.Next() {
			if m == nil {
				m = &ds.Message{Lane: lane, Sequence: sequence}
			}
			var part []byte
			if err := r.Scan(&part); err != nil {
				return err
			}
			m.Parts = append(m.Parts, part)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Done implements [ds.Store].
func (s *Store) Done(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	var next int64
	err := s.db.Write(ctx, "select groups.done($1, $2, $3)", []any{group[:], lane[:], int64(sequence)}, postgres.One(&next))
	return uint64(next), err
}

// Waiting implements [ds.Store].
func (s *Store) Waiting(ctx context.Context, after ds.Ref, limit int) ([]ds.Ref, error) {
	var out []ds.Ref
	from, lane := after.Group[:], after.Lane[:]
	if after == (ds.Ref{}) {
		from, lane = []byte{}, []byte{} // the first lane may be all zeros
	}
	err := s.db.Read(ctx, "select * from groups.waiting($1, $2, $3)", []any{from, lane, limit}, func(r postgres.Rows) error {
		out = nil
		for r.Next() {
			var group, lane []byte
			if err := r.Scan(&group, &lane); err != nil {
				return err
			}
			out = append(out, ds.Ref{Group: wire.GroupID(group), Lane: ds.Lane(lane)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
