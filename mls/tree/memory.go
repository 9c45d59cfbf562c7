package tree

import (
	"slices"
	"sync"

	"github.com/pseudods/pseudods/mls"
)

var _ Store = (*Memory)(nil)

// Memory is a [Store] in memory. It keeps past versions until they are
// released: a version costs what its commit wrote. Its zero value holds
// nothing. It is safe for concurrent use.
type Memory struct {
	mu         sync.RWMutex
	nodes      []*entry // by node index, the newest version each
	keys       map[KeyHash]struct{}
	superseded []supersession // ascending by version
	version    Version
	filled     bool
}

// entry is one version of a node's record.
type entry struct {
	since Version
	rec   *Record // nil if deleted
	older *entry
}

// supersession lists the nodes of which version made an older record useless.
type supersession struct {
	version Version
	nodes   []mls.NodeIndex
}

// NewMemory returns a store that holds nothing.
func NewMemory() *Memory { return &Memory{keys: make(map[KeyHash]struct{})} }

// Version returns the newest version, 0 if m holds nothing.
func (m *Memory) Version() Version {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.version
}

// Node implements [Store].
func (m *Memory) Node(x mls.NodeIndex, v Version) (*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if int(x) >= len(m.nodes) {
		return nil, nil
	}
	for e := m.nodes[x]; e != nil; e = e.older {
		if e.since <= v {
			return e.rec, nil
		}
	}
	return nil, nil
}

// HasKey implements [Store].
func (m *Memory) HasKey(k KeyHash) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.keys[k]
	return ok, nil
}

// Apply makes the changes, or fails with [ErrVersion] and makes none if they
// are not made for the version that m holds.
func (m *Memory) Apply(c *Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Fresh == m.filled || (m.filled && (c.Base != m.version || c.Version <= c.Base)) {
		return ErrVersion
	}
	var replaced []mls.NodeIndex
	for _, w := range c.Nodes {
		if n := int(w.Index) + 1 - len(m.nodes); n > 0 {
			m.nodes = append(m.nodes, make([]*entry, n)...)
		}
		old := m.nodes[w.Index]
		if old == nil && w.Record == nil {
			continue
		}
		if old != nil {
			replaced = append(replaced, w.Index)
		}
		m.nodes[w.Index] = &entry{since: c.Version, rec: w.Record, older: old}
	}
	if m.keys == nil {
		m.keys = make(map[KeyHash]struct{})
	}
	for _, k := range c.KeysRemoved {
		delete(m.keys, k)
	}
	for _, k := range c.KeysAdded {
		m.keys[k] = struct{}{}
	}
	m.superseded = append(m.superseded, supersession{c.Version, replaced})
	m.version, m.filled = c.Version, true
	return nil
}

// Release drops what only versions before v need; they must not be read any
// more. It costs as much as was superseded since the last release.
func (m *Memory) Release(before Version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for ; n < len(m.superseded) && m.superseded[n].version <= before; n++ {
		for _, x := range m.superseded[n].nodes {
			m.cut(x, before)
		}
	}
	m.superseded = slices.Clone(m.superseded[n:])
	for n := len(m.nodes); n > 0 && m.nodes[n-1] == nil; n-- {
		m.nodes = m.nodes[:n-1]
	}
}

// cut drops the records of x that no version from v on shows.
func (m *Memory) cut(x mls.NodeIndex, v Version) {
	if int(x) >= len(m.nodes) {
		return
	}
	e := m.nodes[x]
	for e != nil && e.since > v {
		e = e.older
	}
	if e == nil {
		return
	}
	e.older = nil
	if e == m.nodes[x] && e.rec == nil {
		m.nodes[x] = nil
	}
}
