package mls

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// ParentNode is an inner node of the ratchet tree (RFC 9420, Section 7.1).
type ParentNode struct {
	EncryptionKey []byte // HPKE public key
	ParentHash    []byte
	Unmerged      []LeafIndex // ascending
}

// MarshalTLS encodes p.
func (p *ParentNode) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(p.EncryptionKey)
	w.Opaque(p.ParentHash)
	w.Varint(4 * len(p.Unmerged))
	for _, l := range p.Unmerged {
		w.Uint32(uint32(l))
	}
}

// UnmarshalTLS decodes p. Unmerged leaves that are not in ascending order are
// refused.
func (p *ParentNode) UnmarshalTLS(r *tlscodec.Reader) {
	*p = ParentNode{EncryptionKey: r.Opaque(), ParentHash: r.Opaque()}
	b := tlscodec.NewReader(r.Opaque(), Limits{})
	for !b.Empty() {
		l := LeafIndex(b.Uint32())
		if n := len(p.Unmerged); n > 0 && p.Unmerged[n-1] >= l {
			r.Fail(fmt.Errorf("%w: unmerged leaves not in ascending order", tlscodec.ErrValue))
			return
		}
		p.Unmerged = append(p.Unmerged, l)
	}
	if b.Err() != nil {
		r.Fail(b.Err())
	}
}

// Node is a node of a [RatchetTree]: a leaf, a parent, or blank if both fields
// are nil.
type Node struct {
	Leaf   *LeafNode
	Parent *ParentNode
}

// IsBlank reports whether n holds nothing.
func (n *Node) IsBlank() bool { return n.Leaf == nil && n.Parent == nil }

const (
	nodeTypeLeaf   = 1
	nodeTypeParent = 2
)

// RatchetTree is the content of the ratchet_tree extension: the nodes of a tree
// from left to right, blanks at the end left out (RFC 9420, Section 12.4.3.3).
// It is not padded to a full tree, so a node may be missing.
type RatchetTree []Node

// MarshalTLS encodes t.
func (t *RatchetTree) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range *t {
			switch n := &(*t)[i]; {
			case n.Leaf != nil:
				w.Bool(true)
				w.Uint8(nodeTypeLeaf)
				n.Leaf.MarshalTLS(w)
			case n.Parent != nil:
				w.Bool(true)
				w.Uint8(nodeTypeParent)
				n.Parent.MarshalTLS(w)
			default:
				w.Bool(false)
			}
		}
	})
}

// UnmarshalTLS decodes t. It refuses a leaf where a parent belongs and the
// reverse, an empty tree, and a blank at the end.
func (t *RatchetTree) UnmarshalTLS(r *tlscodec.Reader) {
	// A blank takes one octet, a leaf hundreds: no estimate of the number of
	// nodes is good, and growing one slice would allocate several times its
	// final size. Chunks that are joined at the end take twice that size.
	const chunk = 1024
	var chunks [][]Node
	nodes := make([]Node, 0, min(chunk, r.Len()))
	r.Vector(func(r *tlscodec.Reader) {
		if len(nodes) == chunk {
			chunks = append(chunks, nodes)
			nodes = make([]Node, 0, min(chunk, r.Len()))
		}
		if !r.Bool() {
			nodes = append(nodes, Node{})
			return
		}
		even := len(nodes)%2 == 0 // chunks are even
		switch r.Uint8() {
		case nodeTypeLeaf:
			n := new(LeafNode)
			n.UnmarshalTLS(r)
			nodes = append(nodes, Node{Leaf: n})
			if !even {
				r.Fail(fmt.Errorf("%w: leaf at a parent's place", tlscodec.ErrValue))
			}
		case nodeTypeParent:
			n := new(ParentNode)
			n.UnmarshalTLS(r)
			nodes = append(nodes, Node{Parent: n})
			if even {
				r.Fail(fmt.Errorf("%w: parent at a leaf's place", tlscodec.ErrValue))
			}
		default:
			r.Fail(tlscodec.ErrValue)
		}
	})
	if len(chunks) > 0 {
		nodes = slices.Concat(append(chunks, nodes)...)
	}
	if r.Err() == nil && (len(nodes) == 0 || nodes[len(nodes)-1].IsBlank()) {
		r.Fail(fmt.Errorf("%w: tree ends in a blank", tlscodec.ErrValue))
	}
	*t = nodes
}

// Leaves returns the number of leaves of the full tree: a power of two.
func (t RatchetTree) Leaves() uint32 { return TreeSize(uint32(len(t)+1) / 2) }

// At returns node x, or a blank if the list ends before it.
func (t RatchetTree) At(x NodeIndex) Node {
	if int(x) < len(t) {
		return t[x]
	}
	return Node{}
}
