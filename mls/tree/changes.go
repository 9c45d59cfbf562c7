package tree

import (
	"cmp"
	"slices"
)

// Changes returns what leads from the tree that was opened to the one as it
// stands, with all hashes computed. It fails with [ErrDuplicateKey]. The Edit
// may be changed further; what it returned stays as it is.
func (e *Edit) Changes() (*Changes, error) {
	if err := e.CheckKeys(); err != nil {
		return nil, err
	}
	hash, err := e.Hash()
	if err != nil {
		return nil, err
	}
	c := &Changes{
		Base: e.base.version, Version: e.base.version + 1, Fresh: e.base.fresh,
		Header: Header{Size: e.size, Hash: hash, Census: e.census},
	}
	if c.Fresh {
		c.Version = c.Base
	}
	for x, d := range e.nodes {
		if !d.dirty {
			continue
		}
		// From here on the record and the node belong to the changes, too.
		d.ownsNode = false
		if d.rec == nil && !d.stored {
			continue
		}
		c.Nodes = append(c.Nodes, NodeWrite{Index: x, Record: d.rec})
		if d.rec != nil && d.rec.Leaf == nil {
			r := *d.rec
			d.rec = &r
		}
	}
	e.ownsCensus = false
	slices.SortFunc(c.Nodes, func(a, b NodeWrite) int { return cmp.Compare(a.Index, b.Index) })
	c.KeysAdded, c.KeysRemoved = e.keys.changes()
	return c, nil
}
