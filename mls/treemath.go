package mls

import "math/bits"

// LeafIndex numbers the leaves of a ratchet tree from the left.
type LeafIndex uint32

// NodeIndex numbers the nodes of a ratchet tree in the array form of RFC 9420,
// Appendix C: leaf i is node 2i, and a parent stands between its subtrees.
type NodeIndex uint32

// MaxLeaves is the largest number of leaves a tree may have here. Node indices
// of larger trees would not fit their type.
const MaxLeaves = 1 << 30

// Node returns the node of leaf l.
func (l LeafIndex) Node() NodeIndex { return NodeIndex(2 * l) }

// IsLeaf reports whether x is a leaf.
func (x NodeIndex) IsLeaf() bool { return x&1 == 0 }

// Leaf returns the leaf that stands at x, which must be a leaf.
func (x NodeIndex) Leaf() LeafIndex {
	if !x.IsLeaf() {
		panic("mls: parent node taken for a leaf")
	}
	return LeafIndex(x / 2)
}

// Level returns the height of x above the leaves; 0 for a leaf.
func (x NodeIndex) Level() uint { return uint(bits.TrailingZeros32(^uint32(x))) }

// Left returns the left child of x, which must be a parent.
func (x NodeIndex) Left() NodeIndex {
	k := x.Level()
	if k == 0 {
		panic("mls: a leaf has no children")
	}
	return x ^ 1<<(k-1)
}

// Right returns the right child of x, which must be a parent.
func (x NodeIndex) Right() NodeIndex {
	k := x.Level()
	if k == 0 {
		panic("mls: a leaf has no children")
	}
	return x ^ 3<<(k-1)
}

// Parent returns the parent of x in a tree of unlimited size. The caller stops
// at the root.
func (x NodeIndex) Parent() NodeIndex {
	k := x.Level()
	b := x >> (k + 1) & 1
	return (x | 1<<k) ^ b<<(k+1)
}

// Sibling returns the other child of x's parent.
func (x NodeIndex) Sibling() NodeIndex {
	p := x.Parent()
	if x < p {
		return p.Right()
	}
	return p.Left()
}

// Leaves returns the half-open range of leaves below x.
func (x NodeIndex) Leaves() (first, end LeafIndex) {
	k := x.Level()
	first = LeafIndex((x + 1 - 1<<k) / 2)
	return first, first + 1<<k
}

// Covers reports whether leaf l stands below x or is x.
func (x NodeIndex) Covers(l LeafIndex) bool {
	first, end := x.Leaves()
	return first <= l && l < end
}

// Root returns the root of a tree of the given number of leaves, which must be
// a power of two.
func Root(leaves uint32) NodeIndex { return NodeIndex(leaves - 1) }

// TreeSize returns the smallest power of two that is at least n, 1 for n = 0.
func TreeSize(n uint32) uint32 {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len32(n-1)
}

// CommonAncestor returns the lowest node that covers both leaves.
func CommonAncestor(a, b LeafIndex) NodeIndex {
	x := a.Node()
	for !x.Covers(b) {
		x = x.Parent()
	}
	return x
}
