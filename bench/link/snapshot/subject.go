package snapshot

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// subject is what a copy shows of a thing.
type subject struct {
	*thing
	store    Store
	grams    map[uint64]bool  // eight octets of values
	octets   map[byte]float64 // of values, by kind of record
	records  map[byte]float64
	counters []float64       // in clear
	places   []int           // in the order of keys in the tables
	batches  map[int]float64 // by place among the store's batches
	messages map[int]float64 // by place among those batches that have messages
	spots    map[int][]int   // in each batch
	versions map[uint64]int  // of the engine
	times    []float64       // seconds
	group    *subject        // of a member
}

// name is what a subject's records are found by.
type name struct {
	kind Kind
	id   string
	leaf uint32
}

func (t *thing) name() name { return name{t.kind, t.id, t.leaf} }

// evidence is what the auditor has made of a copy.
type evidence struct {
	subjects []*subject
	stores   map[Store]*extent
}

// extent is how much there is in a store.
type extent struct{ records, batches, messages int }

// owner names whose record it is: an identifier, and for the leaf of a group's
// tree its number.
func owner(s Store, key []byte) (n name, ok bool) {
	at, size := 1, wire.GroupIDSize // accounts' names have as many octets
	switch {
	case s.Role == server.QS:
		size = len(wire.QueueID{}) // and pools'
	case s.Role == server.Issuer && len(key) > 0 && key[0] == 'c':
		at += 8 // behind the epoch
	}
	if len(key) < at+size {
		return name{}, false
	}
	id, rest := string(key[at:at+size]), key[at+size:]
	switch {
	case s == Store{server.DS, "groups"} && key[0] == 'r' && len(rest) >= 5 && rest[0] == 'n' && rest[4]%2 == 0:
		return name{Member, id, binary.BigEndian.Uint32(rest[1:]) / 2}, true
	case s == Store{server.DS, "groups"}:
		return name{Group, id, 0}, true
	case s == Store{server.QS, "queues"}:
		switch key[0] {
		case 'q', 'h', 'e', 's', 'm', 'x':
			return name{Queue, id, 0}, true
		case 'o', 'k', 'c', 't', 'y':
			return name{Pool, id, 0}, true
		}
	case s.Role == server.Issuer:
		return name{Account, id, 0}, true
	}
	return name{}, false
}

// hasMessage reports whether a change in the journal is that of a message on its
// way: into the outbox of a group, or into a queue.
func hasMessage(s Store, g badger.Sighting) bool {
	return g.Value != nil && (s == Store{server.DS, "groups"} && g.Key[0] == 'o' || s == Store{server.QS, "queues"} && g.Key[0] == 'e')
}

// examine makes subjects of what the copy of the given stores shows of things.
func examine(c *Copy, things []*thing) *evidence {
	e := &evidence{stores: map[Store]*extent{}}
	by := map[name]*subject{}
	for _, t := range things {
		s := &subject{thing: t, grams: map[uint64]bool{}, octets: map[byte]float64{}, records: map[byte]float64{}, batches: map[int]float64{},
			messages: map[int]float64{}, spots: map[int][]int{}, versions: map[uint64]int{}}
		e.subjects, by[t.name()] = append(e.subjects, s), s
	}
	for store, all := range c.Stores {
		x := &extent{}
		e.stores[store] = x
		batch, spot, counted := uint64(0), 0, false
		for _, g := range all {
			if g.Batch == 0 {
				x.records++
			} else if g.Batch != batch {
				batch, spot, counted = g.Batch, 0, false
				x.batches++
			}
			spot++
			if g.Batch != 0 && !counted && hasMessage(store, g) {
				counted = true
				x.messages++
			}
			n, ok := owner(store, g.Key)
			if !ok {
				continue
			}
			if s := by[n]; s != nil {
				s.add(store, x, spot, g)
			}
			if s := by[name{Group, n.id, 0}]; n.kind == Member && s != nil { // it is the group's record, too
				s.add(store, x, spot, g)
			}
		}
		for _, s := range e.subjects {
			if s.store == store {
				s.settle()
			}
		}
	}
	for _, s := range e.subjects {
		if s.kind == Member { // a message of the group is one that the member gets
			s.group = by[name{Group, s.id, 0}]
			s.messages = s.group.messages
		}
	}
	e.subjects = slices.DeleteFunc(e.subjects, func(s *subject) bool { return s.store == Store{} })
	return e
}

// add takes notice of a sighting of one of the subject's records.
func (s *subject) add(store Store, x *extent, spot int, g badger.Sighting) {
	s.store = store
	kind := g.Key[0]
	if kind == 'r' && len(g.Key) > 1+wire.GroupIDSize {
		kind = g.Key[1+wire.GroupIDSize]
	}
	s.octets[kind] += float64(len(g.Value))
	s.records[kind]++
	for i := 0; i+8 <= len(g.Value); i++ {
		s.grams[binary.BigEndian.Uint64(g.Value[i:])] = true
	}
	s.times = append(s.times, times(g.Value)...)
	if c := counters(store, g); c != nil {
		s.counters = c
	}
	if g.Batch == 0 {
		s.places = append(s.places, x.records)
		s.versions[g.Version]++
		return
	}
	s.batches[x.batches] = 1
	s.spots[x.batches] = append(s.spots[x.batches], spot)
	s.messages[-x.batches] = float64(x.messages) // see settle
}

// settle keeps of the batches those with messages, by their place among them.
func (s *subject) settle() {
	out := map[int]float64{}
	for _, place := range s.messages {
		out[int(place)] = 1
	}
	s.messages = out
}

// counters reads what a record counts in clear: of a queue, entries, octets and
// addresses; of a group, changes and messages. The formats are those of
// storage/badger/queues and storage/badger/groups.
func counters(store Store, g badger.Sighting) []float64 {
	at := func(i int) float64 { return float64(binary.BigEndian.Uint64(g.Value[i:])) }
	switch {
	case store == Store{server.QS, "queues"} && g.Key[0] == 'h' && len(g.Value) >= 44:
		return []float64{at(4), at(20), float64(binary.BigEndian.Uint32(g.Value[40:]))}
	case store == Store{server.DS, "groups"} && g.Key[0] == 'v' && len(g.Value) == 16:
		return []float64{at(8), at(0), 0}
	}
	return nil
}

// The days that are taken for the present: 2020 to 2040.
const firstDay, lastDay = 18262, 25567

// times reads octets as times of the present: days in four octets, seconds and
// milliseconds in eight.
func times(b []byte) (out []float64) {
	const day = 86400
	for i := 0; i+4 <= len(b); i++ {
		if d := binary.BigEndian.Uint32(b[i:]); d >= firstDay && d <= lastDay {
			out = append(out, float64(d)*day)
		}
		if i+8 > len(b) {
			continue
		}
		switch s := binary.BigEndian.Uint64(b[i:]); {
		case s >= firstDay*day && s <= lastDay*day:
			out = append(out, float64(s))
		case s >= firstDay*day*1000 && s <= lastDay*day*1000:
			out = append(out, float64(s)/1000)
		}
	}
	return out
}

// shape is sizes and counters as a vector, in logarithms.
func (s *subject) shape() map[int]float64 {
	out := map[int]float64{}
	for k, v := range s.octets {
		out[int(k)] = math.Log1p(v)
		out[1000+int(k)] = math.Log1p(s.records[k])
	}
	for i, v := range s.counters {
		out[2000+i] = math.Log1p(v)
	}
	return out
}

// volume is one number for how much there is: what it counts if it does, else its
// octets. That of a member is the group's.
func (s *subject) volume() float64 {
	if s.group != nil {
		s = s.group
	}
	if len(s.counters) > 0 {
		return s.counters[0]
	}
	sum := 0.0
	for _, v := range s.octets {
		sum += v
	}
	return sum
}
