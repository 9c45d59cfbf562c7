package tree

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
)

// source yields the records of one state of a tree.
type source interface {
	record(x mls.NodeIndex) (*Record, error)
}

// view answers questions about one state of a tree.
type view struct {
	suite  *mls.Suite
	src    source
	size   uint32
	census Census
}

// Suite returns the group's cipher suite.
func (v *view) Suite() *mls.Suite { return v.suite }

// Size returns the number of leaves of the full tree: a power of two.
func (v *view) Size() uint32 { return v.size }

// Members returns the number of leaves that are not blank.
func (v *view) Members() uint32 { return v.census.members }

// Census returns what the members support. It is valid until the next change.
func (v *view) Census() *Census { return &v.census }

func (v *view) root() mls.NodeIndex { return mls.Root(v.size) }

// Leaf returns member i, or [ErrNoMember]. The caller must not modify it.
func (v *view) Leaf(i mls.LeafIndex) (*mls.LeafNode, error) {
	if uint32(i) >= v.size {
		return nil, ErrNoMember
	}
	r, err := v.src.record(i.Node())
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, ErrNoMember
	}
	return r.Leaf, nil
}

// Parent returns the parent node at x, or nil if it is blank, outside the tree
// or a leaf. The caller must not modify it; it is valid until the next change.
func (v *view) Parent(x mls.NodeIndex) (*mls.ParentNode, error) {
	if x > 2*v.root() || x.IsLeaf() {
		return nil, nil
	}
	r, err := v.src.record(x)
	if err != nil || r == nil {
		return nil, err
	}
	return r.Node, nil
}

// EachNode calls f for every node that is not blank, from left to right, until
// f fails. It reads every record.
func (v *view) EachNode(f func(mls.NodeIndex, mls.Node) error) error {
	return v.eachBelow(v.root(), f)
}

func (v *view) eachBelow(x mls.NodeIndex, f func(mls.NodeIndex, mls.Node) error) error {
	r, err := v.src.record(x)
	if err != nil || r == nil {
		return err
	}
	if x.IsLeaf() {
		return f(x, mls.Node{Leaf: r.Leaf})
	}
	if err := v.eachBelow(x.Left(), f); err != nil {
		return err
	}
	if r.Node != nil {
		if err := f(x, mls.Node{Parent: r.Node}); err != nil {
			return err
		}
	}
	return v.eachBelow(x.Right(), f)
}

// EachLeaf calls f for every member, ascending, until f fails. It reads every
// record.
func (v *view) EachLeaf(f func(mls.LeafIndex, *mls.LeafNode) error) error {
	return v.EachNode(func(x mls.NodeIndex, n mls.Node) error {
		if n.Leaf == nil {
			return nil
		}
		return f(x.Leaf(), n.Leaf)
	})
}

// Export returns the nodes from left to right without the blanks at the end
// (RFC 9420, Section 12.4.3.3): nothing for a tree without members. It reads
// every record.
func (v *view) Export() (mls.RatchetTree, error) {
	var nodes mls.RatchetTree
	err := v.EachNode(func(x mls.NodeIndex, n mls.Node) error {
		for len(nodes) < int(x) {
			nodes = append(nodes, mls.Node{})
		}
		nodes = append(nodes, n)
		return nil
	})
	return nodes, err
}

// Resolution returns the resolution of x (RFC 9420, Section 4.1.1).
func (v *view) Resolution(x mls.NodeIndex) ([]mls.NodeIndex, error) {
	n, err := v.ResolutionSize(x)
	if err != nil || n == 0 {
		return nil, err
	}
	return v.resolve(make([]mls.NodeIndex, 0, n), x)
}

func (v *view) resolve(to []mls.NodeIndex, x mls.NodeIndex) ([]mls.NodeIndex, error) {
	r, err := v.src.record(x)
	switch {
	case err != nil || r == nil:
		return to, err
	case r.Leaf != nil:
		return append(to, x), nil
	case r.Node != nil:
		to = append(to, x)
		for _, l := range r.Node.Unmerged {
			to = append(to, l.Node())
		}
		return to, nil
	}
	if to, err = v.resolve(to, x.Left()); err != nil {
		return nil, err
	}
	return v.resolve(to, x.Right())
}

// ResolutionSize returns the number of nodes in the resolution of x, 0 outside
// the tree.
func (v *view) ResolutionSize(x mls.NodeIndex) (uint32, error) {
	if x > 2*v.root() {
		return 0, nil
	}
	r, err := v.src.record(x)
	return r.resolution(), err
}

// FilteredDirectPath returns the nodes above leaf i, upwards, whose child
// beside the path has someone below (RFC 9420, Section 4.1.2). The leaf may be
// blank; outside the tree it is [ErrNoMember].
func (v *view) FilteredDirectPath(i mls.LeafIndex) ([]mls.NodeIndex, error) {
	path, err := v.filteredPath(i)
	if err != nil {
		return nil, err
	}
	nodes := make([]mls.NodeIndex, len(path))
	for j, s := range path {
		nodes[j] = s.node
	}
	return nodes, nil
}

// step is one node on a leaf's direct path.
type step struct {
	node   mls.NodeIndex
	copath mls.NodeIndex // the child beside the path
	rec    *Record       // nil if everything below is blank
}

// sibling summarises the child beside the path.
func (s *step) sibling() *Child {
	switch {
	case s.rec == nil:
		return &Child{}
	case s.copath < s.node:
		return &s.rec.Left
	}
	return &s.rec.Right
}

// directPath returns the steps from leaf i to the root.
func (v *view) directPath(i mls.LeafIndex) ([]step, error) {
	if uint32(i) >= v.size {
		return nil, ErrNoMember
	}
	var path []step
	for x, root := i.Node(), v.root(); x != root; x = x.Parent() {
		p := x.Parent()
		r, err := v.src.record(p)
		if err != nil {
			return nil, err
		}
		path = append(path, step{node: p, copath: x.Sibling(), rec: r})
	}
	return path, nil
}

func (v *view) filteredPath(i mls.LeafIndex) ([]step, error) {
	path, err := v.directPath(i)
	if err != nil {
		return nil, err
	}
	kept := path[:0]
	for _, s := range path {
		if s.sibling().Resolution > 0 {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// checked refuses a record that does not belong at x.
func checked(x mls.NodeIndex, r *Record, err error) (*Record, error) {
	if err != nil {
		return nil, err
	}
	if r != nil && !r.fits(x) {
		return nil, fmt.Errorf("%w: record of the wrong kind", ErrInconsistent)
	}
	return r, nil
}
