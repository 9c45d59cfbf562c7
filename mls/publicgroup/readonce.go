package publicgroup

import (
	"fmt"
	"sync"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// readOnce remembers the node records of one version. Package epoch looks at
// some leaves more than once, and from several goroutines.
type readOnce struct {
	store tree.Store

	// mu guards nodes.
	mu    sync.Mutex
	nodes map[mls.NodeIndex]*tree.Record
}

// readManyOnce is readOnce of a [tree.BatchStore].
type readManyOnce struct {
	*readOnce
	batch tree.BatchStore
}

func newReadOnce(s tree.Store) tree.Store {
	once := &readOnce{store: s, nodes: map[mls.NodeIndex]*tree.Record{}}
	if batch, ok := s.(tree.BatchStore); ok {
		return &readManyOnce{once, batch}
	}
	return once
}

// Node implements [tree.Store].
func (s *readOnce) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.nodes[x]; ok {
		return r, nil
	}
	r, err := s.store.Node(x, v)
	if err != nil {
		return nil, err
	}
	s.nodes[x] = r
	return r, nil
}

// HasKey implements [tree.Store].
func (s *readOnce) HasKey(k tree.KeyHash) (bool, error) { return s.store.HasKey(k) }

// Nodes implements [tree.BatchStore].
func (s *readManyOnce) Nodes(xs []mls.NodeIndex, v tree.Version) ([]*tree.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unread []mls.NodeIndex
	for _, x := range xs {
		if _, ok := s.nodes[x]; !ok {
			unread = append(unread, x)
		}
	}
	if len(unread) > 0 {
		found, err := s.batch.Nodes(unread, v)
		if err != nil {
			return nil, err
		}
		if len(found) != len(unread) {
			return nil, fmt.Errorf("%w: number of answers", ErrInconsistent)
		}
		for i, x := range unread {
			s.nodes[x] = found[i]
		}
	}
	out := make([]*tree.Record, len(xs))
	for i, x := range xs {
		out[i] = s.nodes[x]
	}
	return out, nil
}

// HasKeys implements [tree.BatchStore].
func (s *readManyOnce) HasKeys(ks []tree.KeyHash) ([]bool, error) { return s.batch.HasKeys(ks) }
