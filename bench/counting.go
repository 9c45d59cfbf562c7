package bench

import (
	"context"
	"sync"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// touched counts what requests read and write of groups.
type touched struct {
	records, octets int
	// pages are the recipients' lists, outbox the messages on their way: what
	// grows with the group.
	pages, outbox int // octets
}

// countingStore counts while it passes on.
type countingStore struct {
	ds.Store

	// mu guards sum.
	mu  sync.Mutex
	sum touched
}

// membersKey is the first octet of the keys of recipients' lists.
const membersKey = 'm'

func (s *countingStore) count(key byte, octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.records++
	if key == membersKey {
		s.sum.pages += octets
	} else {
		s.sum.octets += octets
	}
}

// Read implements [ds.Store].
func (s *countingStore) Read(ctx context.Context, group wire.GroupID, lookups []ds.Lookup) (*ds.Snapshot, error) {
	snapshot, err := s.Store.Read(ctx, group, lookups)
	if err == nil {
		for i, r := range snapshot.Records {
			s.count(lookups[i].Key[0], len(r.Key)+len(r.Value))
		}
	}
	return snapshot, err
}

// Commit implements [ds.Store].
func (s *countingStore) Commit(ctx context.Context, group wire.GroupID, b *ds.Batch) error {
	for _, r := range b.Puts {
		s.count(r.Key[0], len(r.Key)+len(r.Value))
	}
	for _, k := range b.Deletes {
		s.count(k[0], len(k))
	}
	s.mu.Lock()
	for _, m := range b.Messages {
		for _, p := range m.Parts {
			s.sum.outbox += len(p)
		}
	}
	s.mu.Unlock()
	return s.Store.Commit(ctx, group, b)
}

// take returns what was counted since the last call.
func (s *countingStore) take() touched {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.sum
	s.sum = touched{}
	return sum
}
