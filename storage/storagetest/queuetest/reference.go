package queuetest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Reference is a [qs.Store] in memory. It shows what a store does, for tests and
// for programs that keep nothing.
type Reference struct {
	// mu guards all that follows.
	mu       sync.Mutex
	queues   map[wire.QueueID]*queue
	payloads map[wire.PayloadID]*payload
	pools    map[wire.PoolID]*pool
}

var _ qs.Together = (*Reference)(nil)

type queue struct {
	qs.Queue
	used    qs.Day
	last    uint64
	entries []entry
	marks   map[qs.Mark]*mark
}

type entry struct {
	qs.Append
	seq, start uint64
	day        qs.Day
}

type mark struct {
	used    qs.Day
	revoked bool
	brief   bool
	number  uint64
	claim   qs.Mark
}

type payload struct {
	octets []byte
	needed map[uint16]bool
}

type pool struct {
	key            [32]byte
	kind           wire.PoolKind
	active, staged batch
	contacts       map[wire.ContactHash]bool
	claims         map[[32]byte]claim
}

type batch struct {
	id         uint64
	received   int
	left       []qs.KeyPackage
	lastResort *qs.KeyPackage
}

type claim struct {
	day     qs.Day
	encoded []byte
}

// NewReference returns an empty store.
func NewReference() *Reference {
	return &Reference{queues: map[wire.QueueID]*queue{}, payloads: map[wire.PayloadID]*payload{}, pools: map[wire.PoolID]*pool{}}
}

// CreateQueue implements [qs.Queues].
func (r *Reference) CreateQueue(_ context.Context, id wire.QueueID, today qs.Day, q qs.Queue) (qs.Queue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queues[id] == nil {
		r.queues[id] = &queue{Queue: q, used: today, marks: map[qs.Mark]*mark{}}
	}
	return r.queues[id].Queue, nil
}

// Queue implements [qs.Queues].
func (r *Reference) Queue(_ context.Context, id wire.QueueID) (qs.Queue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.queues[id]; q != nil {
		return q.Queue, nil
	}
	return qs.Queue{}, qs.ErrNotFound
}

// ConfigureQueue implements [qs.Queues].
func (r *Reference) ConfigureQueue(_ context.Context, id wire.QueueID, s wire.QueueSettings) (wire.QueueSettings, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[id]
	if q == nil {
		return s, qs.ErrNotFound
	}
	if s.Version > q.Settings.Version {
		q.Settings = s
	}
	return q.Settings, nil
}

// DeleteQueue implements [qs.Queues].
func (r *Reference) DeleteQueue(_ context.Context, id wire.QueueID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queues, id)
	return nil
}

// Append implements [qs.Queues].
func (r *Reference) Append(_ context.Context, today qs.Day, entries []qs.Append) ([]qs.Appended, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]qs.Appended, len(entries))
	for i, a := range entries {
		if q := r.queues[a.Queue]; q != nil {
			out[i] = q.append(today, a)
		} else {
			out[i].Outcome = wire.UnknownAddress
		}
	}
	return out, nil
}

func (q *queue) append(today qs.Day, a qs.Append) qs.Appended {
	m, parent := q.marks[a.Mark], q.marks[a.Parent]
	switch {
	case m != nil && m.revoked, parent != nil && parent.revoked:
		return qs.Appended{Outcome: wire.Revoked}
	case m != nil && m.claim != a.Claim:
		return qs.Appended{Outcome: wire.UnknownAddress}
	case m != nil && a.Number <= m.number:
		return qs.Appended{Outcome: wire.Delivered}
	case m == nil && len(q.marks) >= qs.MaxMarks:
		return qs.Appended{Outcome: wire.Full}
	}
	q.expire(today)
	for !q.fits(a) {
		if q.Settings.Overflow != wire.OverflowDropOldest || len(q.entries) == 0 {
			return qs.Appended{Outcome: wire.Full}
		}
		q.entries = q.entries[1:]
	}
	q.last++
	e := entry{Append: a, seq: q.last, start: q.last, day: today}
	e.Ciphertext = bytes.Clone(a.Ciphertext)
	if n := len(q.entries); n > 0 && q.entries[n-1].Segment == a.Segment {
		e.start, e.KEMOutput = q.entries[n-1].start, q.entries[n-1].KEMOutput
	}
	q.entries = append(q.entries, e)
	q.marks[a.Mark] = &mark{used: today, number: a.Number, claim: a.Claim, brief: a.Brief}
	return qs.Appended{Outcome: wire.Delivered, Fresh: true, Push: len(q.Settings.Push) > 0}
}

func (q *queue) expire(today qs.Day) {
	for len(q.entries) > 0 && uint64(q.entries[0].day)+uint64(q.Settings.TTLDays) < uint64(today) {
		q.entries = q.entries[1:]
	}
}

func (q *queue) fits(a qs.Append) bool {
	bytes := uint64(len(a.Ciphertext)) + qs.EntryOverhead
	for _, e := range q.entries {
		bytes += uint64(len(e.Ciphertext)) + qs.EntryOverhead
	}
	return len(q.entries) < int(q.Settings.MaxEntries) && bytes <= q.Settings.MaxBytes
}

// ReadQueue implements [qs.Queues].
func (r *Reference) ReadQueue(_ context.Context, id wire.QueueID, today qs.Day, after uint64, limit int) (*wire.QueuePage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[id]
	if q == nil {
		return nil, qs.ErrNotFound
	}
	q.used = max(q.used, today)
	q.expire(today)
	page := &wire.QueuePage{Empty: true}
	for _, e := range q.entries {
		if e.seq <= after {
			continue
		}
		if len(page.Entries) == min(max(limit, 1), qs.MaxPage) {
			page.Empty = false
			break
		}
		if n := len(page.Segments); n == 0 || page.Segments[n-1].Start != e.start {
			page.Segments = append(page.Segments, wire.Segment{Start: e.start, ID: e.Segment, KEMOutput: e.KEMOutput})
		}
		page.Entries = append(page.Entries, wire.QueueEntry{Seq: e.seq, Segment: e.start, Counter: e.Counter, Ciphertext: e.Ciphertext})
	}
	return page, nil
}

// AckQueue implements [qs.Queues].
func (r *Reference) AckQueue(_ context.Context, id wire.QueueID, today qs.Day, upto uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[id]
	if q == nil {
		return qs.ErrNotFound
	}
	q.used = max(q.used, today)
	for len(q.entries) > 0 && q.entries[0].seq <= upto {
		q.entries = q.entries[1:]
	}
	return nil
}

// Revoke implements [qs.Queues].
func (r *Reference) Revoke(_ context.Context, id wire.QueueID, today qs.Day, m qs.Mark) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[id]
	switch {
	case q == nil:
		return qs.ErrNotFound
	case q.marks[m] == nil && len(q.marks) >= qs.MaxMarks:
		return qs.ErrLimit
	case q.marks[m] == nil:
		q.marks[m] = &mark{}
	}
	q.marks[m].revoked, q.marks[m].brief, q.marks[m].used = true, false, today
	return nil
}

// PutPayload implements [qs.Payloads].
func (r *Reference) PutPayload(_ context.Context, id wire.PayloadID, octets []byte, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &payload{octets: bytes.Clone(octets), needed: map[uint16]bool{}}
	for i := range n {
		p.needed[uint16(i)] = true
	}
	r.payloads[id] = p
	return nil
}

// AppendPayload implements [qs.Together].
func (r *Reference) AppendPayload(ctx context.Context, today qs.Day, id wire.PayloadID, octets []byte, n int, entries []qs.Append) ([]qs.Appended, error) {
	if err := r.PutPayload(ctx, id, octets, n); err != nil {
		return nil, err
	}
	return r.Append(ctx, today, entries)
}

// Payload implements [qs.Payloads].
func (r *Reference) Payload(_ context.Context, id wire.PayloadID) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.payloads[id]; p != nil {
		return p.octets, nil
	}
	return nil, qs.ErrNotFound
}

// Release implements [qs.Payloads].
func (r *Reference) Release(_ context.Context, id wire.PayloadID, recipients []uint16) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.payloads[id]; p != nil {
		for _, i := range recipients {
			delete(p.needed, i)
		}
		if len(p.needed) == 0 {
			delete(r.payloads, id)
		}
	}
	return nil
}

// Expire implements [qs.Store].
func (r *Reference) Expire(_ context.Context, e qs.Expiry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.queues, func(_ wire.QueueID, q *queue) bool { return q.used < e.Queues })
	for _, q := range r.queues {
		q.expire(e.Entries)
		maps.DeleteFunc(q.marks, func(_ qs.Mark, m *mark) bool { return m.used < e.Marks || m.brief && m.used < e.Claims })
	}
	maps.DeleteFunc(r.payloads, func(id wire.PayloadID, _ *payload) bool { return qs.PayloadDay(id) < e.Payloads })
	for _, p := range r.pools {
		maps.DeleteFunc(p.claims, func(_ [32]byte, c claim) bool { return c.day < e.Claims })
	}
	return nil
}

// Publish implements [qs.Pools].
func (r *Reference) Publish(_ context.Context, id wire.PoolID, part qs.Part) (status wire.PoolStatus, err error) {
	if err := qs.CheckPart(&part); err != nil {
		return status, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[id]
	if p == nil {
		p = &pool{key: part.Key, kind: part.Kind, contacts: map[wire.ContactHash]bool{}, claims: map[[32]byte]claim{}}
	}
	if p.kind != part.Kind {
		return status, qs.ErrBatch
	}
	if part.Batch > p.active.id && part.Batch >= p.staged.id {
		if err := p.stage(part); err != nil {
			return status, err
		}
	}
	r.pools[id] = p
	return wire.PoolStatus{Batch: p.active.id, Left: uint32(len(p.active.left)), Staged: uint32(p.staged.received)}, nil
}

func (p *pool) stage(part qs.Part) error {
	b := p.staged
	if part.Batch > b.id {
		b = batch{id: part.Batch}
	}
	if n := len(part.KeyPackages); n > 0 && !part.Last && int(part.First)+n <= b.received {
		return nil
	}
	if int(part.First) != b.received {
		return qs.ErrBatch
	}
	b.left = slices.Clone(b.left)
	for _, k := range part.KeyPackages {
		switch {
		case !k.LastResort:
			b.left = append(b.left, k)
		case b.lastResort != nil:
			return qs.ErrBatch
		default:
			b.lastResort = &k
		}
		b.received++
	}
	if p.staged = b; part.Last {
		p.active, p.staged = b, batch{}
	}
	return nil
}

// PoolKey implements [qs.Pools].
func (r *Reference) PoolKey(_ context.Context, id wire.PoolID) ([32]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.pools[id]; p != nil {
		return p.key, nil
	}
	return [32]byte{}, qs.ErrNotFound
}

// Allow implements [qs.Pools].
func (r *Reference) Allow(_ context.Context, id wire.PoolID, contact wire.ContactHash, allow bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[id]
	if p == nil {
		return qs.ErrNotFound
	}
	_, known := p.contacts[contact]
	if !known && len(p.contacts) >= qs.MaxContacts {
		return qs.ErrLimit
	}
	if !known || !allow {
		p.contacts[contact] = allow
	}
	return nil
}

// Take implements [qs.Pools].
func (r *Reference) Take(_ context.Context, id wire.PoolID, today qs.Day, c qs.Claim) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[id]
	if p == nil || p.kind != c.Kind || c.Kind == wire.PoolGroup && (c.Contact == nil || !p.contacts[*c.Contact]) {
		return nil, qs.ErrExhausted
	}
	if old, ok := p.claims[c.Request]; ok {
		return old.encoded, nil
	}
	for len(p.active.left) > 0 {
		k := p.active.left[0]
		p.active.left = p.active.left[1:]
		if k.LastDay >= today {
			p.claims[c.Request] = claim{today, k.Encoded}
			return k.Encoded, nil
		}
	}
	if k := p.active.lastResort; k != nil && k.LastDay >= today {
		return k.Encoded, nil
	}
	return nil, qs.ErrExhausted
}

// DeletePool implements [qs.Pools].
func (r *Reference) DeletePool(_ context.Context, id wire.PoolID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pools, id)
	return nil
}
