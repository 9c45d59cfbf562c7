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

// First implements [ds.Store].
func (s *Store) First(ctx context.Context, group wire.GroupID, lane ds.Lane) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ref := ds.Ref{Group: group, Lane: lane}
	for after := uint64(0); ; {
		e, known, from := s.lanes.next(ref, after)
		if !known {
			return s.search(ref, from)
		}
		if e == nil {
			return 0, nil
		}
		_, err := s.db.Get(partKey(group, lane, e.sequence, 0))
		switch {
		case err == nil:
			return e.sequence, nil
		case !errors.Is(err, badger.ErrNotFound):
			return 0, err
		case !e.durable: // nor are those that follow
			return 0, nil
		}
		after = e.sequence
	}
}

// search looks for the first message in the database.
func (s *Store) search(r ds.Ref, from look) (sequence uint64, err error) {
	found, _, err := s.db.Scan(key(kindOutbox, r.Group, r.Lane[:]), partKey(r.Group, r.Lane, from.removed+1, 0), 1)
	if err == nil && len(found) > 0 {
		sequence, _, err = sequenceOf(found[0].Key)
	}
	if err != nil {
		return 0, err
	}
	s.lanes.found(r, sequence, from)
	return sequence, nil
}

// Message implements [ds.Store].
func (s *Store) Message(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (*ds.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &ds.Message{Lane: lane, Sequence: sequence}
	for {
		value, err := s.db.Get(partKey(group, lane, sequence, uint16(len(m.Parts))))
		switch {
		case errors.Is(err, badger.ErrNotFound) && len(m.Parts) == 0:
			return nil, nil
		case errors.Is(err, badger.ErrNotFound): // all parts go in one step
			if _, err := s.db.Get(partKey(group, lane, sequence, 0)); !errors.Is(err, badger.ErrNotFound) {
				return nil, errors.Join(ErrCorrupt, err)
			}
			return nil, nil
		case err != nil:
			return nil, err
		case len(value) == 0:
			return nil, ErrCorrupt
		}
		if m.Parts = append(m.Parts, value[1:]); value[0] == 1 {
			return m, nil
		}
	}
}

// Done implements [ds.Store]. All parts go in one step, so that a crash leaves no
// half of a message.
func (s *Store) Done(ctx context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	ref := ds.Ref{Group: group, Lane: lane}
	var remove [][]byte
	if waiting, known, from := s.lanes.upTo(ref, sequence); known {
		for _, e := range waiting {
			for i := range e.parts {
				remove = append(remove, partKey(group, lane, e.sequence, i))
			}
		}
	} else {
		var err error
		if remove, err = s.upTo(group, lane, from.removed+1, sequence); err != nil {
			return 0, err
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
			return 0, err
		}
	}
	s.lanes.done(ref, sequence)
	return s.First(ctx, group, lane)
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
