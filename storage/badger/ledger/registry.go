package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

// The keys of records begin with one of these octets.
const (
	prefixCheck     = 'k' // alone: the nullifier key's check value
	prefixRegistry  = 'e' // alone: the registry
	prefixCount     = 'c' // ordinal: spent tokens, 8 octets
	prefixNullifier = 'n' // ordinal, nullifier: tag
	prefixTombstone = 't' // key id: state
)

// state is where an epoch stands. The first two occur in the registry, the
// others in tombstones.
type state uint8

const (
	stateOpen    state = 1
	stateClosing state = 2 // tombstone written, partition to be dropped
	stateRetired state = 3
	stateFenced  state = 4
)

// entry is an epoch in the registry. Its ordinal is never used again, so that a
// partition's prefix is short and new.
type entry struct {
	ordinal  uint32
	state    state
	key      privacypass.KeyID
	capacity uint64
}

// registry lists the epochs that have partitions.
type registry struct {
	next    uint32 // the ordinal of the next epoch
	entries []entry
}

func (g *registry) find(key privacypass.KeyID) *entry {
	for i := range g.entries {
		if g.entries[i].key == key {
			return &g.entries[i]
		}
	}
	return nil
}

func (g *registry) open() (n int) {
	for _, e := range g.entries {
		if e.state == stateOpen {
			n++
		}
	}
	return n
}

// note lists the open keys, for the fence.
func (g *registry) note() (b []byte) {
	for _, e := range g.entries {
		if e.state == stateOpen {
			b = append(b, e.key[:]...)
		}
	}
	return b
}

func parseNote(b []byte) (keys []privacypass.KeyID, err error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	for !r.Empty() {
		var key privacypass.KeyID
		copy(key[:], r.Fixed(len(key)))
		keys = append(keys, key)
	}
	if err := r.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", tokens.ErrRecord, err)
	}
	return keys, nil
}

func (g *registry) marshal() ([]byte, error) {
	var w tlscodec.Writer
	w.Uint32(g.next)
	w.Vector(func(w *tlscodec.Writer) {
		for _, e := range g.entries {
			w.Uint32(e.ordinal)
			w.Uint8(uint8(e.state))
			w.Raw(e.key[:])
			w.Uint64(e.capacity)
		}
	})
	return w.Bytes()
}

func parseRegistry(b []byte) (*registry, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{MaxElements: 1 << 16})
	g := &registry{next: r.Uint32()}
	r.Vector(func(r *tlscodec.Reader) {
		e := entry{ordinal: r.Uint32(), state: state(r.Uint8())}
		copy(e.key[:], r.Fixed(len(e.key)))
		e.capacity = r.Uint64()
		known := e.state == stateOpen || e.state == stateClosing
		rising := len(g.entries) == 0 || g.entries[len(g.entries)-1].ordinal < e.ordinal
		if !known || !rising || e.ordinal >= g.next || e.capacity == 0 {
			r.Fail(tlscodec.ErrValue)
		}
		g.entries = append(g.entries, e)
	})
	if err := r.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", tokens.ErrRecord, err)
	}
	return g, nil
}

func parseTombstone(b []byte) (state, error) {
	if len(b) == 1 {
		if s := state(b[0]); s == stateRetired || s == stateFenced {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: tombstone", tokens.ErrRecord)
}

func parseCount(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: count", tokens.ErrRecord)
	}
	return binary.BigEndian.Uint64(b), nil
}

func partition(ordinal uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixNullifier}, ordinal)
}

func countKey(ordinal uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixCount}, ordinal)
}

func tombstoneKey(key privacypass.KeyID) []byte {
	return append([]byte{prefixTombstone}, key[:]...)
}
