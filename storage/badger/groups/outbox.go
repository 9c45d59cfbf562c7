package groups

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

func partKey(group wire.GroupID, lane ds.Lane, sequence uint64, part uint16) []byte {
	k := binary.BigEndian.AppendUint64(key(kindOutbox, group, lane[:]), sequence)
	return binary.BigEndian.AppendUint16(k, part)
}

const laneSize = 1 + wire.GroupIDSize + len(ds.Lane{}) // of a message's key

// sequenceOf reads the key of a part.
func sequenceOf(k []byte) (sequence uint64, part uint16, err error) {
	if len(k) != laneSize+8+2 {
		return 0, 0, ErrCorrupt
	}
	return binary.BigEndian.Uint64(k[laneSize:]), binary.BigEndian.Uint16(k[laneSize+8:]), nil
}

// lanes remembers of each lane that is being delivered where its messages begin,
// so that a read does not go over those that were removed, and a removal does not
// read what it removes. No other process uses the database.
type lanes struct {
	// mu guards known.
	mu    sync.Mutex
	known map[ds.Ref]lane
}

type lane struct {
	done   uint64 // no message up to this one is there
	oldest uint64 // zero if it is not known
	parts  uint16 // of the oldest
}

// maxLanes are remembered at a time.
const maxLanes = 1 << 16

func (l *lanes) get(r ds.Ref) lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[r]
}

func (l *lanes) set(r ds.Ref, v lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLanes {
		l.known = map[ds.Ref]lane{}
	}
	l.known[r] = v
}

// Oldest implements [ds.Store].
func (s *Store) Oldest(ctx context.Context, group wire.GroupID, name ds.Lane) (*ds.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ref := ds.Ref{Group: group, Lane: name}
	l := s.lanes.get(ref)
	found, _, err := s.db.Scan(key(kindOutbox, group, name[:]), partKey(group, name, l.done+1, 0), 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	m := &ds.Message{Lane: name}
	value := found[0].Value
	for {
		sequence, part, err := sequenceOf(found[0].Key)
		if err != nil || part != 0 || len(value) == 0 {
			return nil, ErrCorrupt
		}
		m.Sequence = sequence
		if m.Parts = append(m.Parts, value[1:]); value[0] == 1 {
			s.lanes.set(ref, lane{l.done, sequence, uint16(len(m.Parts))})
			return m, nil
		}
		value, err = s.db.Get(partKey(group, name, sequence, uint16(len(m.Parts))))
		if errors.Is(err, badger.ErrNotFound) {
			err = ErrCorrupt
		}
		if err != nil {
			return nil, err
		}
	}
}

// Done implements [ds.Store]. All parts go in one step, so that a crash leaves no
// half of a message.
func (s *Store) Done(ctx context.Context, group wire.GroupID, name ds.Lane, sequence uint64) error {
	ref := ds.Ref{Group: group, Lane: name}
	l := s.lanes.get(ref)
	var remove [][]byte
	if l.oldest == sequence {
		for i := range l.parts {
			remove = append(remove, partKey(group, name, sequence, i))
		}
	} else {
		var err error
		if remove, err = s.upTo(group, name, l.done+1, sequence); err != nil {
			return err
		}
	}
	if len(remove) > 0 {
		err := s.db.Submit(ctx, func(tx *badger.Tx) error {
			for _, k := range remove {
				tx.Delete(k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.lanes.set(ref, lane{done: max(l.done, sequence)})
	return nil
}

// upTo returns the keys of the messages from one to another.
func (s *Store) upTo(group wire.GroupID, name ds.Lane, first, last uint64) (keys [][]byte, err error) {
	from := partKey(group, name, first, 0)
	for {
		found, next, err := s.db.Scan(key(kindOutbox, group, name[:]), from, 0)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if at, _, err := sequenceOf(e.Key); err != nil {
				return nil, err
			} else if at > last {
				return keys, nil
			}
			keys = append(keys, e.Key)
		}
		if from = next; next == nil {
			return keys, nil
		}
	}
}

// Waiting implements [ds.Store].
func (s *Store) Waiting(ctx context.Context, after ds.Ref, limit int) ([]ds.Ref, error) {
	var out []ds.Ref
	var from []byte
	if after != (ds.Ref{}) {
		from = laneEnd(after)
	}
	for len(out) < limit {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, _, err := s.db.Scan([]byte{kindOutbox}, from, 1)
		if err != nil || len(found) == 0 {
			return out, err
		}
		if _, _, err := sequenceOf(found[0].Key); err != nil {
			return nil, err
		}
		var r ds.Ref
		copy(r.Group[:], found[0].Key[1:])
		copy(r.Lane[:], found[0].Key[1+len(r.Group):])
		out, from = append(out, r), laneEnd(r)
	}
	return out, nil
}

// laneEnd is a key after all of a lane's and before the next lane's.
func laneEnd(r ds.Ref) []byte {
	return append(key(kindOutbox, r.Group, r.Lane[:]), bytes.Repeat([]byte{0xff}, 11)...)
}
