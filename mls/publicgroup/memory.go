package publicgroup

import (
	"sync"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

var _ Store = (*Memory)(nil)

// Memory is a [Store] in memory. It is safe for concurrent use.
type Memory struct {
	mu        sync.RWMutex
	header    *Header
	tree      *tree.Memory
	proposals map[string]*Pending
	retained  map[uint64]*Retained
	released  tree.Version
}

// NewMemory returns a store that holds no group.
func NewMemory() *Memory {
	return &Memory{tree: tree.NewMemory(), proposals: map[string]*Pending{}, retained: map[uint64]*Retained{}}
}

// Header implements [Store].
func (m *Memory) Header() (*Header, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.header, nil
}

// Node implements [tree.Store]. It fails with [ErrReleased] for a version that
// is not kept any more.
func (m *Memory) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if v < m.released {
		return nil, ErrReleased
	}
	return m.tree.Node(x, v)
}

// HasKey implements [tree.Store].
func (m *Memory) HasKey(k tree.KeyHash) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.tree.HasKey(k)
}

// Proposal implements [Store].
func (m *Memory) Proposal(ref mls.ProposalRef) (*Pending, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.proposals[string(ref)], nil
}

// Retained implements [Store].
func (m *Memory) Retained(epoch uint64) (*Retained, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.retained[epoch], nil
}

// Apply implements [Store].
func (m *Memory) Apply(c *Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var revision uint64
	if m.header != nil {
		revision = m.header.Revision
	}
	if c.Base != revision {
		return ErrStale
	}
	if c.Tree != nil {
		if err := m.tree.Apply(c.Tree); err != nil {
			return err
		}
	}
	m.header = c.Header
	for _, w := range c.Proposals {
		if w.Record == nil {
			delete(m.proposals, string(w.Ref))
		} else {
			m.proposals[string(w.Ref)] = w.Record
		}
	}
	for _, w := range c.Retained {
		if w.Record == nil {
			delete(m.retained, w.Epoch)
		} else {
			m.retained[w.Epoch] = w.Record
		}
	}
	if c.Release > m.released {
		m.tree.Release(c.Release)
		m.released = c.Release
	}
	return nil
}
