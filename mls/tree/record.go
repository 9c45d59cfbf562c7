package tree

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Record is what a store keeps of one node. It is immutable once it has left
// [Edit.Changes]. A node whose subtree is wholly blank has no record.
//
// Encoded, a leaf is one octet more than its [mls.LeafNode]; a parent is about
// 75 octets and two hashes, plus one to four octets per unmerged leaf.
type Record struct {
	// Leaf is set at a leaf, and then nothing else is.
	Leaf *mls.LeafNode
	// Node is nil at a blank parent.
	Node *mls.ParentNode
	// Left and Right summarise the subtrees below a parent.
	Left, Right Child
}

// Child summarises a subtree for the record above it.
type Child struct {
	Hash       []byte // tree hash, HashSize octets
	Leaves     uint32 // members below
	Resolution uint32 // nodes in the resolution
}

// fits reports whether r may stand at x.
func (r *Record) fits(x mls.NodeIndex) bool {
	if x.IsLeaf() {
		return r.Leaf != nil
	}
	half := uint32(1) << (x.Level() - 1)
	return r.Leaf == nil && r.Left.Leaves <= half && r.Right.Leaves <= half
}

// members and resolution describe the subtree of r, which may be nil.
func (r *Record) members() uint32 {
	switch {
	case r == nil:
		return 0
	case r.Leaf != nil:
		return 1
	}
	return r.Left.Leaves + r.Right.Leaves
}

func (r *Record) resolution() uint32 {
	switch {
	case r == nil:
		return 0
	case r.Leaf != nil:
		return 1
	case r.Node != nil:
		return 1 + uint32(len(r.Node.Unmerged))
	}
	return r.Left.Resolution + r.Right.Resolution
}

const (
	recordLeaf   = 1
	recordParent = 2
	recordBlank  = 3
)

// MarshalTLS encodes r.
func (r *Record) MarshalTLS(w *tlscodec.Writer) {
	switch {
	case r.Leaf != nil:
		w.Uint8(recordLeaf)
		r.Leaf.MarshalTLS(w)
		return
	case r.Node != nil:
		w.Uint8(recordParent)
		w.Opaque(r.Node.EncryptionKey)
		w.Opaque(r.Node.ParentHash)
		marshalUnmerged(w, r.Node.Unmerged)
	default:
		w.Uint8(recordBlank)
	}
	r.Left.MarshalTLS(w)
	r.Right.MarshalTLS(w)
}

// UnmarshalTLS decodes r. Octet strings alias the input.
func (r *Record) UnmarshalTLS(d *tlscodec.Reader) {
	*r = Record{}
	switch d.Uint8() {
	case recordLeaf:
		r.Leaf = new(mls.LeafNode)
		r.Leaf.UnmarshalTLS(d)
		return
	case recordParent:
		r.Node = &mls.ParentNode{EncryptionKey: d.Opaque(), ParentHash: d.Opaque(), Unmerged: unmarshalUnmerged(d)}
	case recordBlank:
	default:
		d.Fail(tlscodec.ErrValue)
	}
	r.Left.UnmarshalTLS(d)
	r.Right.UnmarshalTLS(d)
	if d.Err() == nil && r.members() == 0 {
		d.Fail(fmt.Errorf("%w: record of a blank subtree", tlscodec.ErrValue))
	}
}

// MarshalTLS encodes c.
func (c *Child) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(c.Hash)
	w.Varint(int(c.Leaves))
	w.Varint(int(c.Resolution))
}

// UnmarshalTLS decodes c.
func (c *Child) UnmarshalTLS(d *tlscodec.Reader) {
	*c = Child{Hash: d.Opaque(), Leaves: d.Varint(), Resolution: d.Varint()}
	switch {
	case d.Err() != nil:
	case len(c.Hash) == 0:
		d.Fail(fmt.Errorf("%w: no tree hash", tlscodec.ErrValue))
	case (c.Leaves == 0) != (c.Resolution == 0):
		d.Fail(fmt.Errorf("%w: members and resolution disagree", tlscodec.ErrValue))
	}
}

// marshalUnmerged writes the first leaf and then, for each further one, how
// many leaves it skips: neighbours take an octet each, and every encoding is an
// ascending list.
func marshalUnmerged(w *tlscodec.Writer, leaves []mls.LeafIndex) {
	w.Vector(func(w *tlscodec.Writer) {
		next := mls.LeafIndex(0)
		for _, l := range leaves {
			w.Varint(int(l) - int(next))
			next = l + 1
		}
	})
}

func unmarshalUnmerged(d *tlscodec.Reader) (leaves []mls.LeafIndex) {
	// A sub-reader of its own, since the limit on elements is for structures.
	b := tlscodec.NewReader(d.Opaque(), tlscodec.Limits{})
	next := uint32(0)
	for !b.Empty() {
		next += b.Varint()
		if next >= mls.MaxLeaves {
			b.Fail(fmt.Errorf("%w: unmerged leaf out of range", tlscodec.ErrValue))
		}
		if b.Err() != nil {
			d.Fail(b.Err())
			return nil
		}
		leaves = append(leaves, mls.LeafIndex(next))
		next++
	}
	return leaves
}
