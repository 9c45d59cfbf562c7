package ds

import (
	"encoding/binary"
	"errors"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Bounds of one generation of a roster. Members begin the next before they are
// reached, with one part for all that the present one says.
const (
	maxRosterParts  = 256
	maxRosterOctets = 1 << 20
)

// rosterGeneration is one generation of a group's roster, which lasts until the
// next one begins.
type rosterGeneration struct {
	number uint64
	from   uint64 // the epoch that it began with
	parts  uint32
	octets uint32
}

func (g *rosterGeneration) MarshalTLS(w *tlscodec.Writer) {
	w.Uint64(g.number)
	w.Uint64(g.from)
	w.Uint32(g.parts)
	w.Uint32(g.octets)
}

func (g *rosterGeneration) UnmarshalTLS(r *tlscodec.Reader) {
	*g = rosterGeneration{r.Uint64(), r.Uint64(), r.Uint32(), r.Uint32()}
}

func rosterKey(generation uint64, part uint32) []byte {
	return binary.BigEndian.AppendUint32(number64(keyRoster, generation), part)
}

func rosterPlace(generation uint64, part uint32) atrest.Place {
	return atrest.Place{Kind: atrest.KindRoster, Index: generation, Version: uint64(part)}
}

// presentRoster returns the generation that is not replaced yet, with its
// number of parts; there is none if that is 0.
func (s *session) presentRoster() (g rosterGeneration) {
	if n := len(s.header.rosters); n > 0 {
		g = s.header.rosters[n-1]
	}
	return g
}

// updateRoster follows a commit that is applied: it appends what comes with it,
// or begins a generation, and drops those that no newcomer is waiting for. Each
// part is a record of its own, so that an addition does not write what is there
// again.
func (s *session) updateRoster(p *wire.RosterPart) error {
	if p != nil {
		if err := s.addRosterPart(p); err != nil {
			return err
		}
	}
	s.dropRosters()
	return nil
}

func (s *session) addRosterPart(p *wire.RosterPart) error {
	switch now := s.presentRoster(); {
	case now.parts > 0 && p.Generation == now.number:
	case now.parts == 0 && p.Generation == 0, now.parts > 0 && p.Generation == now.number+1:
		s.header.rosters = append(s.header.rosters, rosterGeneration{number: p.Generation, from: s.header.group.Context.Epoch})
	default:
		return &wire.Error{Code: wire.CodeMalformed}
	}
	g := &s.header.rosters[len(s.header.rosters)-1]
	if g.parts == maxRosterParts || int(g.octets)+len(p.Part) > maxRosterOctets {
		return &wire.Error{Code: wire.CodeFull}
	}
	s.putOctets(rosterKey(g.number, g.parts), rosterPlace(g.number, g.parts), p.Part)
	g.parts, g.octets, s.rewrite = g.parts+1, g.octets+uint32(len(p.Part)), true
	return nil
}

// dropRosters removes the generations that were replaced and were not the
// present one in any epoch that newcomers wait for.
func (s *session) dropRosters() {
	all := s.header.rosters
	var keep []rosterGeneration
	for i, g := range all {
		needed := i == len(all)-1
		for _, epoch := range s.header.group.Retained {
			needed = needed || g.from <= epoch && epoch < all[i+1].from
		}
		if needed {
			keep = append(keep, g)
			continue
		}
		for part := range g.parts {
			s.delete(rosterKey(g.number, part))
		}
		s.rewrite = true
	}
	s.header.rosters = keep
}

// roster reads the first parts of a generation, nil if there are none.
func (s *session) roster(generation uint64, parts uint32) (*wire.Roster, error) {
	if parts == 0 {
		return nil, nil
	}
	lookups := make([]Lookup, parts)
	for i := range lookups {
		lookups[i].Key = rosterKey(generation, uint32(i))
	}
	found, err := s.read(lookups...)
	if err != nil {
		return nil, err
	}
	out := &wire.Roster{Generation: generation}
	for i, r := range found {
		part, err := s.keys.Open(rosterPlace(generation, uint32(i)), r.Value)
		if err != nil {
			return nil, errors.Join(errStore, err)
		}
		out.Parts = append(out.Parts, part)
	}
	return out, nil
}
