package tree

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Slice is one leaf with what proves its place in the tree: the parents above
// and the tree hashes beside the path. It has one step per level, so a client
// that needs one member does not need the tree.
type Slice struct {
	Index mls.LeafIndex
	Leaf  *mls.LeafNode // nil if blank
	Path  []SliceStep   // from the leaf's parent to the root
}

// SliceStep is a node above the leaf.
type SliceStep struct {
	Node    *mls.ParentNode // nil if blank
	Sibling []byte          // tree hash of the child beside the path
}

// maxSteps is the height of a tree of [mls.MaxLeaves].
const maxSteps = 30

// Slice returns the slice of leaf i, which may be blank, or [ErrNoMember] if it
// is outside the tree.
func (t *Tree) Slice(i mls.LeafIndex) (*Slice, error) {
	path, err := t.directPath(i)
	if err != nil {
		return nil, err
	}
	leaf, err := t.record(i.Node())
	if err != nil {
		return nil, err
	}
	s := &Slice{Index: i, Path: make([]SliceStep, len(path))}
	if leaf != nil {
		s.Leaf = leaf.Leaf
	}
	for j := range path {
		if path[j].rec != nil {
			s.Path[j] = SliceStep{Node: path[j].rec.Node, Sibling: path[j].sibling().Hash}
			continue
		}
		h, err := blankHash(t.suite, path[j].copath)
		if err != nil {
			return nil, err
		}
		s.Path[j].Sibling = h
	}
	return s, nil
}

// Verify fails with [ErrSlice] unless s is a part of the tree with the given
// tree hash, which the receiver takes from a GroupContext it trusts.
func (s *Slice) Verify(suite *mls.Suite, treeHash []byte) error {
	if len(s.Path) > maxSteps || uint64(s.Index)>>len(s.Path) != 0 {
		return fmt.Errorf("%w: leaf outside the tree", ErrSlice)
	}
	hash, err := leafHash(suite, s.Index, s.Leaf)
	if err != nil {
		return err
	}
	for level, step := range s.Path {
		left, right := hash, step.Sibling
		if s.Index>>level&1 == 1 {
			left, right = right, left
		}
		if hash, err = nodeHash(suite, step.Node, left, right); err != nil {
			return err
		}
	}
	if !bytes.Equal(hash, treeHash) {
		return ErrSlice
	}
	return nil
}

// MarshalTLS encodes s.
func (s *Slice) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(uint32(s.Index))
	w.Bool(s.Leaf != nil)
	if s.Leaf != nil {
		s.Leaf.MarshalTLS(w)
	}
	w.Vector(func(w *tlscodec.Writer) {
		for i := range s.Path {
			w.Bool(s.Path[i].Node != nil)
			if s.Path[i].Node != nil {
				s.Path[i].Node.MarshalTLS(w)
			}
			w.Opaque(s.Path[i].Sibling)
		}
	})
}

// UnmarshalTLS decodes s. Octet strings alias the input.
func (s *Slice) UnmarshalTLS(r *tlscodec.Reader) {
	*s = Slice{Index: mls.LeafIndex(r.Uint32())}
	if r.Bool() {
		s.Leaf = new(mls.LeafNode)
		s.Leaf.UnmarshalTLS(r)
	}
	r.Vector(func(r *tlscodec.Reader) {
		var step SliceStep
		if r.Bool() {
			step.Node = new(mls.ParentNode)
			step.Node.UnmarshalTLS(r)
		}
		step.Sibling = r.Opaque()
		s.Path = append(s.Path, step)
		if len(s.Path) > maxSteps {
			r.Fail(fmt.Errorf("%w: slice of an impossible height", tlscodec.ErrValue))
		}
	})
}
