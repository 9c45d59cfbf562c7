package snapshot

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/pseudods/pseudods/storage/badger"
)

// plant returns the copy as it would be if the stores leaked what a feature looks
// at: things of one user have it in common. It is the feature's control.
func plant(c *Copy, things []*thing, f Feature) *Copy {
	owners := map[name]int{}
	for _, t := range things {
		if t.kind != Group {
			for u := range t.users {
				owners[t.name()] = u
			}
		}
	}
	out := &Copy{State: c.State, Stores: map[Store][]badger.Sighting{}}
	for s, all := range c.Stores {
		user := func(g badger.Sighting) (int, bool) {
			n, ok := owner(s, g.Key)
			u, known := owners[n]
			return u, ok && known
		}
		out.Stores[s] = leak(all, user, f)
	}
	return out
}

// leak plants a leak into the records of one store.
func leak(all []badger.Sighting, user func(badger.Sighting) (int, bool), f Feature) []badger.Sighting {
	out := slices.Clone(all)
	for i, g := range out {
		u, ok := user(g)
		if !ok {
			continue
		}
		mark := binary.BigEndian.AppendUint64(nil, 0x9e3779b97f4a7c15*uint64(u+1))
		switch f {
		case Value:
			out[i].Value = append(bytes.Clone(g.Value), mark...)
		case Size:
			out[i].Value = append(bytes.Clone(g.Value), make([]byte, int(30*math.Pow(1.5, float64(u))))...)
		case Version:
			if g.Batch == 0 {
				out[i].Version = 1 << 20 * uint64(u+1)
			}
		case Time:
			out[i].Value = binary.BigEndian.AppendUint64(bytes.Clone(g.Value), uint64(firstDay+1000)*86400+uint64(u)*3600)
		}
	}
	by := func(a, b badger.Sighting) int {
		u, ok := user(a)
		v, known := user(b)
		if !ok || !known {
			return cmp.Compare(btoi(ok), btoi(known))
		}
		return cmp.Compare(u, v)
	}
	journal := 0
	for journal < len(out) && out[journal].Batch != 0 {
		journal++
	}
	switch f {
	case Adjacency:
		slices.SortStableFunc(out[journal:], by)
	case Batch: // as if each user's records were written together
		slices.SortStableFunc(out[:journal], by)
		for i, g := range out[:journal] {
			if u, ok := user(g); ok {
				out[i].Batch = 1<<32 + uint64(u)
			}
		}
	case Order: // as if one batch had all, in the order of users
		slices.SortStableFunc(out[:journal], by)
		for i := range out[:journal] {
			out[i].Batch = 1
		}
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
