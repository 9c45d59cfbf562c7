package tree

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// draft is a record in an Edit. Before its first change it is the store's own.
type draft struct {
	rec      *Record
	stored   bool // the store has a record of this node
	dirty    bool // rec is the Edit's own
	ownsNode bool // rec.Node is the Edit's own
}

func (e *Edit) draft(x mls.NodeIndex) (*draft, error) {
	if d, ok := e.nodes[x]; ok {
		return d, nil
	}
	r, err := e.base.record(x)
	if err != nil {
		return nil, err
	}
	d := &draft{rec: r, stored: r != nil}
	e.nodes[x] = d
	return d, nil
}

// prefetch reads leaf i and its direct path with one question to the store, if
// the store takes such questions.
func (e *Edit) prefetch(i mls.LeafIndex) error {
	batch, ok := e.base.store.(BatchStore)
	if !ok || uint32(i) >= e.size {
		return nil
	}
	var unread []mls.NodeIndex
	for x, root := i.Node(), e.root(); ; x = x.Parent() {
		if _, read := e.nodes[x]; !read {
			unread = append(unread, x)
		}
		if x == root {
			break
		}
	}
	if len(unread) < 2 {
		return nil
	}
	recs, err := batch.Nodes(unread, e.base.version)
	if err != nil {
		return err
	}
	if len(recs) != len(unread) {
		return fmt.Errorf("%w: number of answers", ErrInconsistent)
	}
	for j, x := range unread {
		r, err := checked(x, recs[j], nil)
		if err != nil {
			return err
		}
		e.nodes[x] = &draft{rec: r, stored: r != nil}
	}
	return nil
}

func (e *Edit) record(x mls.NodeIndex) (*Record, error) {
	d, err := e.draft(x)
	if err != nil {
		return nil, err
	}
	return d.rec, nil
}

// own returns the draft of parent x with a record that may be modified.
func (e *Edit) own(x mls.NodeIndex) (*draft, error) {
	d, err := e.draft(x)
	if err != nil {
		return nil, err
	}
	if !d.dirty || d.rec == nil {
		r := new(Record)
		if d.rec != nil {
			*r = *d.rec
		}
		d.rec, d.dirty = r, true
	}
	return d, nil
}
