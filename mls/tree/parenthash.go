package tree

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// checkParents verifies that each parent that is not blank is linked to exactly
// one descendant by a parent hash (RFC 9420, Section 7.9.2). Since that holds
// for descendants that are parents too, every parent chains back to a leaf.
func (b *builder) checkParents() error {
	for i := 1; i < len(b.nodes); i += 2 {
		p := b.nodes[i].Parent
		if p == nil {
			continue
		}
		if err := b.suite.CheckHPKEPublicKey(p.EncryptionKey); err != nil {
			return fmt.Errorf("parent encryption key: %w", err)
		}
		x := mls.NodeIndex(i)
		left, err := b.linked(x, p, x.Left(), x.Right())
		if err != nil {
			return err
		}
		right, err := b.linked(x, p, x.Right(), x.Left())
		if err != nil {
			return err
		}
		if left == right {
			return ErrParentHash
		}
	}
	return nil
}

// linked reports whether a descendant of p, which stands at x, in the subtree
// of x's child c was set together with p; s is the other child.
func (b *builder) linked(x mls.NodeIndex, p *mls.ParentNode, c, s mls.NodeIndex) (bool, error) {
	hash, ok := b.descendant(c, p.Unmerged)
	if !ok || len(hash) == 0 {
		return false, nil
	}
	original, err := b.original(s, p.Unmerged)
	if err != nil {
		return false, err
	}
	want, err := parentHash(b.suite, p, original)
	return bytes.Equal(hash, want), err
}

// descendant finds the one node in the resolution of c that is not among the
// given unmerged leaves, and returns its parent hash. The unmerged leaves below
// a node are all in its resolution, as checkUnmerged made sure, so comparing
// sizes tells whether anything else is.
func (b *builder) descendant(c mls.NodeIndex, unmerged []mls.LeafIndex) (parentHash []byte, ok bool) {
	for {
		r := b.records[c]
		first, end := c.Leaves()
		if int(r.resolution()) != countRange(unmerged, first, end)+1 {
			return nil, false
		}
		switch {
		case r.Leaf != nil:
			return r.Leaf.ParentHash, r.Leaf.Source == mls.LeafNodeSourceCommit
		case r.Node != nil:
			return r.Node.ParentHash, true
		}
		left := c.Left()
		first, end = left.Leaves()
		if int(r.Left.Resolution) > countRange(unmerged, first, end) {
			c = left
		} else {
			c = c.Right()
		}
	}
}

// original computes the tree hash of x as if the given leaves were blank and
// unmerged nowhere (RFC 9420, Section 7.9). Below a node without any of them it
// is the stored hash, so that all parents of one level together visit each node
// below them at most once: O(N log N) hashes for a whole tree.
func (b *builder) original(x mls.NodeIndex, without []mls.LeafIndex) ([]byte, error) {
	first, end := x.Leaves()
	r := b.records[x]
	switch {
	case countRange(without, first, end) == 0:
		return b.hashAt(x)
	case x.IsLeaf():
		return leafHash(b.suite, x.Leaf(), nil)
	}
	left, err := b.original(x.Left(), without)
	if err != nil {
		return nil, err
	}
	right, err := b.original(x.Right(), without)
	if err != nil {
		return nil, err
	}
	var p *mls.ParentNode
	if r.Node != nil {
		q := *r.Node
		q.Unmerged = slices.DeleteFunc(slices.Clone(q.Unmerged), func(l mls.LeafIndex) bool { return contains(without, l) })
		p = &q
	}
	return nodeHash(b.suite, p, left, right)
}

// hashAt returns the tree hash of x, which the record above holds.
func (b *builder) hashAt(x mls.NodeIndex) ([]byte, error) {
	above := b.records[x.Parent()]
	switch {
	case above == nil:
		return blankHash(b.suite, x)
	case x < x.Parent():
		return above.Left.Hash, nil
	}
	return above.Right.Hash, nil
}
