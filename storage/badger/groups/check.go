package groups

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

var kinds = []badger.Kind{
	{First: kindVersion, Name: "group"},
	{First: kindRecord, Name: "record"},
	{First: kindOutbox, Name: "message part"},
}

// Check goes over a database opened with [Format] and reports what cannot be
// right: groups whose counters do not decode, records and messages of no group,
// messages ahead of their group, with parts missing or too large, and what
// [ds.CheckGroup] finds in a group's records.
func Check(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return inspect(ctx, db, report, ds.CheckGroup)
}

type checkGroup func(ds.GroupRecords, func(kind, problem string)) error

func inspect(ctx context.Context, db *badger.DB, report func(badger.Finding), records checkGroup) (badger.Summary, error) {
	return db.Inspect(ctx, kinds, report, func(i *badger.Inspection) error {
		return i.Visit([]byte{kindVersion}, func(key, value []byte) error {
			g := &group{Inspection: i}
			if len(key) != 1+len(g.id) || len(value) != 16 {
				i.Problem(kindVersion, "does not decode")
				return nil
			}
			copy(g.id[:], key[1:])
			g.version, g.sequence = binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
			if g.version == 0 || g.sequence > g.version {
				i.Problem(kindVersion, "more messages than batches")
			}
			err := records(g, func(kind, problem string) {
				i.Report(badger.Finding{Kind: kind, Problem: problem, Ordinal: i.Visited(kindRecord), Count: 1})
			})
			if err != nil {
				return err
			}
			return g.messages()
		})
	})
}

// group shows one group to package ds.
type group struct {
	*badger.Inspection
	id                wire.GroupID
	version, sequence uint64
}

var _ ds.GroupRecords = (*group)(nil)

// Version implements [ds.GroupRecords].
func (g *group) Version() uint64 { return g.version }

// Get implements [ds.GroupRecords].
func (g *group) Get(k []byte) ([]byte, error) {
	b, err := g.Inspection.Get(key(kindRecord, g.id, k))
	if errors.Is(err, badger.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// Each implements [ds.GroupRecords].
func (g *group) Each(f func(key, value []byte) error) error {
	prefix := key(kindRecord, g.id)
	return g.Visit(prefix, func(k, value []byte) error {
		if k = k[len(prefix):]; len(k) > ds.MaxKey || len(value) > ds.MaxValue {
			g.Problem(kindRecord, "size")
		}
		return f(k, value)
	})
}

// messages checks the parts of the group's messages, which pass by lane after
// lane and in each in their order.
func (g *group) messages() error {
	var message []byte // key of the one whose parts pass by, without the part
	var next uint16
	whole := true
	unfinished := func() {
		if !whole {
			g.Report(badger.Finding{Kind: "message part", Problem: "the last of a message is missing", Count: 1})
		}
	}
	err := g.Visit(key(kindOutbox, g.id), func(k, value []byte) error {
		sequence, part, err := sequenceOf(k)
		if err != nil {
			g.Problem(kindOutbox, "key")
			return nil
		}
		if this := k[:len(k)-2]; !bytes.Equal(message, this) {
			unfinished()
			message, next, whole = bytes.Clone(this), 0, false
		} else if whole {
			g.Problem(kindOutbox, "follows the last of its message")
		}
		if part != next {
			g.Problem(kindOutbox, "not the next of its message")
		}
		next = part + 1
		switch {
		case len(value) < 1 || len(value) > 1+ds.MaxValue || value[0] > 1:
			g.Problem(kindOutbox, "does not decode")
		case sequence == 0 || sequence > g.sequence:
			g.Problem(kindOutbox, "ahead of the group")
		default:
			whole = value[0] == 1
		}
		return nil
	})
	unfinished()
	return err
}
