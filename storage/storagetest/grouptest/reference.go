package grouptest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Reference is a store in memory that shows what a store does, and counts what
// is asked of it. It is safe for concurrent use.
type Reference struct {
	mu     sync.Mutex
	groups map[wire.GroupID]*partition
	// reads and writes count records and their octets.
	reads, writes Traffic
}

// Traffic is a number of records and of their octets.
type Traffic struct{ Records, Octets int }

func (t *Traffic) add(octets int) { t.Records, t.Octets = t.Records+1, t.Octets+octets }

type partition struct {
	version, sequence uint64
	records           map[string][]byte
	sorted            []string // the keys of records
	lanes             map[ds.Lane][]ds.Message
}

var _ ds.Store = (*Reference)(nil)

// NewReference returns a store that holds nothing.
func NewReference() *Reference { return &Reference{groups: map[wire.GroupID]*partition{}} }

// Traffic returns what was read and written since the last call.
func (r *Reference) Traffic() (reads, writes Traffic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reads, writes = r.reads, r.writes
	r.reads, r.writes = Traffic{}, Traffic{}
	return reads, writes
}

// Groups returns the groups that there are or were.
func (r *Reference) Groups() []wire.GroupID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.groups))
}

// Records returns a copy of a group's records.
func (r *Reference) Records(group wire.GroupID) map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string][]byte{}
	if p := r.groups[group]; p != nil {
		for k, v := range p.records {
			out[k] = bytes.Clone(v)
		}
	}
	return out
}

// Read implements [ds.Store].
func (r *Reference) Read(_ context.Context, group wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	if len(lookups) > ds.MaxLookups {
		panic("grouptest: too many lookups")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &ds.Snapshot{Records: make([]ds.Record, len(lookups))}
	p := r.groups[group]
	if p == nil {
		return s, nil
	}
	s.Version, s.Sequence = p.version, p.sequence
	for i, l := range lookups {
		at, found := slices.BinarySearch(p.sorted, string(l.Key))
		if !found && (l.Prefix == 0 || at == len(p.sorted) || len(p.sorted[at]) < l.Prefix || p.sorted[at][:l.Prefix] != string(l.Key[:l.Prefix])) {
			continue
		}
		v := p.records[p.sorted[at]]
		r.reads.add(len(v))
		s.Records[i] = ds.Record{Key: []byte(p.sorted[at]), Value: bytes.Clone(v)}
	}
	return s, nil
}

// Commit implements [ds.Store].
func (r *Reference) Commit(_ context.Context, group wire.GroupID, b *ds.Batch) error {
	checkBatch(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.groups[group]
	if p == nil {
		p = &partition{records: map[string][]byte{}, lanes: map[ds.Lane][]ds.Message{}}
	}
	if p.version != b.Base {
		return ds.ErrConflict
	}
	r.groups[group] = p
	p.version++
	for _, put := range b.Puts {
		r.writes.add(len(put.Value))
		if at, found := slices.BinarySearch(p.sorted, string(put.Key)); !found {
			p.sorted = slices.Insert(p.sorted, at, string(put.Key))
		}
		p.records[string(put.Key)] = bytes.Clone(put.Value)
	}
	for _, k := range b.Deletes {
		if at, found := slices.BinarySearch(p.sorted, string(k)); found {
			p.sorted = slices.Delete(p.sorted, at, at+1)
			delete(p.records, string(k))
		}
	}
	if len(b.Messages) > 0 {
		p.sequence++
	}
	for _, m := range b.Messages {
		m.Sequence, m.Parts = p.sequence, slices.Clone(m.Parts)
		p.lanes[m.Lane] = append(p.lanes[m.Lane], m)
		for _, part := range m.Parts {
			r.writes.add(len(part))
		}
	}
	return nil
}

// checkBatch panics if the caller breaks the contract.
func checkBatch(b *ds.Batch) {
	if writes, octets := b.Size(); writes > ds.MaxWrites || octets > ds.MaxBatch {
		panic("grouptest: batch over the limit")
	}
	seen, lanes := map[string]bool{}, map[ds.Lane]bool{}
	once := func(k []byte) {
		if len(k) == 0 || len(k) > ds.MaxKey || seen[string(k)] {
			panic("grouptest: key is written twice, or of a wrong size")
		}
		seen[string(k)] = true
	}
	for _, r := range b.Puts {
		once(r.Key)
		if len(r.Value) > ds.MaxValue {
			panic("grouptest: record over the limit")
		}
	}
	for _, k := range b.Deletes {
		once(k)
	}
	for _, m := range b.Messages {
		if lanes[m.Lane] || len(m.Parts) == 0 || len(lanes) == ds.MaxLanes {
			panic("grouptest: lane used twice, without parts, or one too many")
		}
		lanes[m.Lane] = true
	}
}

// First implements [ds.Store].
func (r *Reference) First(_ context.Context, group wire.GroupID, lane ds.Lane) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first(group, lane), nil
}

// first needs mu.
func (r *Reference) first(group wire.GroupID, lane ds.Lane) uint64 {
	if p := r.groups[group]; p != nil && len(p.lanes[lane]) > 0 {
		return p.lanes[lane][0].Sequence
	}
	return 0
}

// Message implements [ds.Store].
func (r *Reference) Message(_ context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (*ds.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.groups[group]; p != nil {
		for _, m := range p.lanes[lane] {
			if m.Sequence == sequence {
				return &m, nil
			}
		}
	}
	return nil, nil
}

// Done implements [ds.Store].
func (r *Reference) Done(_ context.Context, group wire.GroupID, lane ds.Lane, sequence uint64) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.groups[group]; p != nil {
		p.lanes[lane] = slices.DeleteFunc(p.lanes[lane], func(m ds.Message) bool { return m.Sequence <= sequence })
	}
	return r.first(group, lane), nil
}

// Waiting implements [ds.Store].
func (r *Reference) Waiting(_ context.Context, after ds.Ref, limit int) ([]ds.Ref, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []ds.Ref
	for g, p := range r.groups {
		for l, waiting := range p.lanes {
			if ref := (ds.Ref{Group: g, Lane: l}); len(waiting) > 0 && compareRefs(ref, after) > 0 {
				out = append(out, ref)
			}
		}
	}
	slices.SortFunc(out, compareRefs)
	return out[:min(limit, len(out))], nil
}

func compareRefs(a, b ds.Ref) int {
	if c := bytes.Compare(a.Group[:], b.Group[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Lane[:], b.Lane[:])
}

// Close implements [io.Closer].
func (r *Reference) Close() error { return nil }
