package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var (
	// ErrRoster: a part of a roster does not open under the key, or is malformed,
	// or is not of this group and generation.
	ErrRoster = errors.New("identity: roster does not open")
	// ErrNotInRoster: the roster has no link key for the member.
	ErrNotInRoster = errors.New("identity: member is not in the roster")
)

// Roster holds the link keys of a group's members, by client pseudonym. The
// delivery service keeps it as a list of parts, each sealed under the roster
// key: an addition appends a part with the newcomers alone, a removal begins a
// new generation with a fresh key and one part for all who stay. So a former
// member, even with a copy of the store, opens nothing of those who join later.
// What it could open before it left, it may have kept.
//
// A Roster is not safe for concurrent use.
type Roster struct {
	groupID    []byte
	generation uint64
	key        secret.Bytes
	parts      uint32
	links      map[wire.Pseudonym]LinkKey
}

// NewRoster begins generation 0 of a group's roster under a key of the first
// epoch, see [wire.RosterKeyLabel].
func NewRoster(groupID []byte, key secret.Bytes) *Roster {
	return &Roster{groupID: bytes.Clone(groupID), key: key, links: map[wire.Pseudonym]LinkKey{}}
}

// OpenRoster reads the parts of a generation, in their order, under the key that
// a newcomer's join info carries. It fails with [ErrRoster].
func OpenRoster(groupID []byte, generation uint64, key secret.Bytes, parts [][]byte) (*Roster, error) {
	r := &Roster{groupID: bytes.Clone(groupID), generation: generation, key: key, links: map[wire.Pseudonym]LinkKey{}}
	for _, p := range parts {
		if err := r.Append(p); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Key returns what a newcomer needs besides the parts.
func (r *Roster) Key() (generation uint64, key secret.Bytes) { return r.generation, r.key }

// Len returns the number of members in the roster.
func (r *Roster) Len() int { return len(r.links) }

// LinkKey returns a member's link key, or [ErrNotInRoster].
func (r *Roster) LinkKey(client wire.Pseudonym) (LinkKey, error) {
	k, ok := r.links[client]
	if !ok {
		return LinkKey{}, ErrNotInRoster
	}
	return k, nil
}

// aad says where a part belongs: it opens in no other group, generation or
// place.
func (r *Roster) aad(part uint32) []byte {
	var w tlscodec.Writer
	w.Opaque([]byte("pseudods 1.0 Roster"))
	w.Opaque(r.groupID)
	w.Uint64(r.generation)
	w.Uint32(part)
	b, err := w.Bytes()
	if err != nil {
		panic("identity: roster context has no encoding")
	}
	return b
}

// Add seals a part with newcomers for the delivery service to append. The
// Roster itself changes with [Roster.Append], once the commit is accepted.
func (r *Roster) Add(rand io.Reader, newcomers map[wire.Pseudonym]LinkKey) (part []byte, err error) {
	return r.seal(rand, r.parts, newcomers)
}

func (r *Roster) seal(rand io.Reader, part uint32, links map[wire.Pseudonym]LinkKey) ([]byte, error) {
	var w tlscodec.Writer
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range slices.SortedFunc(maps.Keys(links), func(a, b wire.Pseudonym) int { return bytes.Compare(a[:], b[:]) }) {
			if links[p].Len() != LinkKeySize {
				w.Fail(tlscodec.ErrEncode)
			}
			w.Raw(p[:])
			w.Raw(links[p].Reveal())
		}
	})
	plain, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: roster: %w", mls.ErrEncode, err)
	}
	defer clear(plain)
	return seal.SealNonced(rand, r.key, plain, r.aad(part))
}

// Append takes the next part into the roster. It fails with [ErrRoster] and then
// changes nothing.
func (r *Roster) Append(part []byte) error {
	plain, err := seal.OpenNonced(r.key, part, r.aad(r.parts))
	if err != nil {
		return ErrRoster
	}
	links := map[wire.Pseudonym]LinkKey{}
	d := tlscodec.NewReader(plain, tlscodec.Limits{})
	var last *wire.Pseudonym
	d.Vector(func(d *tlscodec.Reader) {
		var p wire.Pseudonym
		copy(p[:], d.Fixed(len(p)))
		if last != nil && bytes.Compare(last[:], p[:]) >= 0 {
			d.Fail(tlscodec.ErrValue)
		}
		last = &p
		links[p] = LinkKey{Bytes: secret.Clone(d.Fixed(LinkKeySize))}
	})
	if err := d.Finish(); err != nil {
		return fmt.Errorf("%w: %w", ErrRoster, err)
	}
	// Who adds a member cannot replace the link keys of others.
	for p, k := range links {
		if _, ok := r.links[p]; !ok {
			r.links[p] = k
		}
	}
	r.parts++
	return nil
}

// Next returns the roster of the next generation, without the members that were
// removed, and its first part. It must be used with every commit that removes
// anyone, and key be of the epoch that the commit begins, see
// [wire.RosterKeyLabel]. The caller keeps the old roster until the commit is
// accepted.
func (r *Roster) Next(rand io.Reader, key secret.Bytes, removed []wire.Pseudonym, newcomers map[wire.Pseudonym]LinkKey) (next *Roster, part []byte, err error) {
	next = &Roster{groupID: r.groupID, generation: r.generation + 1, key: key, links: maps.Clone(r.links)}
	for _, p := range removed {
		delete(next.links, p)
	}
	maps.Copy(next.links, newcomers)
	if part, err = next.seal(rand, 0, next.links); err != nil {
		return nil, nil, err
	}
	next.parts = 1
	return next, part, nil
}
