package tree

import "github.com/pseudods/pseudods/mls"

// Hash returns the tree hash of the state so far (RFC 9420, Section 7.8).
func (e *Edit) Hash() ([]byte, error) {
	if e.hashed == nil {
		h, err := e.hash(e.root())
		if err != nil {
			return nil, err
		}
		e.hashed = h
	}
	return e.hashed, nil
}

// hash computes the tree hash of x from its record, and on the way those of
// children that changed.
func (e *Edit) hash(x mls.NodeIndex) ([]byte, error) {
	r, err := e.record(x)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return blankHash(e.suite, x)
	case x.IsLeaf():
		return leafHash(e.suite, x.Leaf(), r.Leaf)
	}
	if err := e.fill(&r.Left, x.Left()); err != nil {
		return nil, err
	}
	if err := e.fill(&r.Right, x.Right()); err != nil {
		return nil, err
	}
	return nodeHash(e.suite, r.Node, r.Left.Hash, r.Right.Hash)
}

// fill computes the hash of child x if it is not known. Only records of the
// Edit's own lack a hash.
func (e *Edit) fill(c *Child, x mls.NodeIndex) (err error) {
	switch {
	case c.Hash != nil:
	case c.Leaves == 0:
		c.Hash, err = blankHash(e.suite, x)
	default:
		c.Hash, err = e.hash(x)
	}
	return err
}
