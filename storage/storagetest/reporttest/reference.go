package reporttest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/pseudods/pseudods/pseudods/moderation"
)

// Reference is a store in memory. Its zero value is ready for use.
type Reference struct {
	mu       sync.Mutex
	open     map[moderation.CaseID]moderation.Case
	decided  map[moderation.CaseID]moderation.Outcome
	verdicts map[moderation.CaseID][]byte
}

var _ moderation.Store = (*Reference)(nil)

// Add implements [moderation.Store].
func (r *Reference) Add(_ context.Context, id moderation.CaseID, c *moderation.Case, most int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, open := r.open[id]
	_, decided := r.decided[id]
	switch {
	case open || decided:
		return moderation.ErrKnown
	case len(r.open) >= most:
		return moderation.ErrFull
	}
	if r.open == nil {
		r.open = map[moderation.CaseID]moderation.Case{}
	}
	r.open[id] = cloneCase(*c)
	return nil
}

func cloneCase(c moderation.Case) moderation.Case {
	c.Sealed = bytes.Clone(c.Sealed)
	return c
}

// Look implements [moderation.Store].
func (r *Reference) Look(_ context.Context, id moderation.CaseID) (*moderation.Case, moderation.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.open[id]; ok {
		c = cloneCase(c)
		return &c, moderation.Outcome{}, nil
	}
	if o, ok := r.decided[id]; ok {
		return nil, o, nil
	}
	return nil, moderation.Outcome{}, moderation.ErrNoCase
}

// Decide implements [moderation.Store].
func (r *Reference) Decide(_ context.Context, id moderation.CaseID, o moderation.Outcome, verdict []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, ok := r.decided[id]; ok && was == o {
		return nil
	} else if ok {
		return moderation.ErrDecided
	}
	if _, ok := r.open[id]; !ok {
		return moderation.ErrNoCase
	}
	if r.decided == nil {
		r.decided, r.verdicts = map[moderation.CaseID]moderation.Outcome{}, map[moderation.CaseID][]byte{}
	}
	delete(r.open, id)
	r.decided[id] = o
	if verdict != nil {
		r.verdicts[id] = bytes.Clone(verdict)
	}
	return nil
}

// Sent implements [moderation.Store].
func (r *Reference) Sent(_ context.Context, id moderation.CaseID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.verdicts, id)
	return nil
}

// from returns the names that a list shows.
func from[T any](all map[moderation.CaseID]T, first moderation.CaseID) (ids []moderation.CaseID, more bool) {
	ids = slices.SortedFunc(maps.Keys(all), func(a, b moderation.CaseID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.DeleteFunc(ids, func(id moderation.CaseID) bool { return bytes.Compare(id[:], first[:]) < 0 })
	more = len(ids) > moderation.MaxList
	return ids[:min(len(ids), moderation.MaxList)], more
}

// OpenCases implements [moderation.Store].
func (r *Reference) OpenCases(_ context.Context, first moderation.CaseID) (list []moderation.Listed, more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids, more := from(r.open, first)
	for _, id := range ids {
		list = append(list, moderation.Listed{ID: id, Case: cloneCase(r.open[id])})
	}
	return list, more, nil
}

// Verdicts implements [moderation.Store].
func (r *Reference) Verdicts(_ context.Context, first moderation.CaseID) (list []moderation.Outgoing, more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids, more := from(r.verdicts, first)
	for _, id := range ids {
		list = append(list, moderation.Outgoing{ID: id, Verdict: bytes.Clone(r.verdicts[id])})
	}
	return list, more, nil
}

// Waiting implements [moderation.Store].
func (r *Reference) Waiting(context.Context) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open), nil
}
