package tree_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// TestKeysAreUniqueInTheEnd has keys collide, and return after being freed.
func TestKeysAreUniqueInTheEnd(t *testing.T) {
	h := grown(t, 6)
	with := func(f func(*mls.LeafNode)) *mls.LeafNode {
		l := h.person(t).leaf
		f(l)
		return l
	}
	old, err := h.tree.Leaf(2)
	must(t, err)
	parent, err := h.tree.Parent(3)
	must(t, err)
	for _, tc := range []struct {
		name string
		do   func(e *tree.Edit) error
		want error
	}{
		{"add a signature key in use", func(e *tree.Edit) error {
			_, err := e.AddLeaf(with(func(l *mls.LeafNode) { l.SignatureKey = old.SignatureKey }))
			return err
		}, tree.ErrDuplicateKey},
		{"add an encryption key in use", func(e *tree.Edit) error {
			_, err := e.AddLeaf(with(func(l *mls.LeafNode) { l.EncryptionKey = old.EncryptionKey }))
			return err
		}, tree.ErrDuplicateKey},
		{"add the key of a parent", func(e *tree.Edit) error {
			_, err := e.AddLeaf(with(func(l *mls.LeafNode) { l.EncryptionKey = parent.EncryptionKey }))
			return err
		}, tree.ErrDuplicateKey},
		{"add the same leaf twice", func(e *tree.Edit) error {
			l := h.person(t).leaf
			_, err := e.AddLeaf(l)
			must(t, err)
			_, err = e.AddLeaf(l)
			return err
		}, tree.ErrDuplicateKey},
		{"a signature key as encryption key", func(e *tree.Edit) error {
			_, err := e.AddLeaf(with(func(l *mls.LeafNode) { l.EncryptionKey = old.SignatureKey }))
			return err
		}, nil},
		{"remove, then add the same leaf", func(e *tree.Edit) error {
			must(t, e.RemoveLeaf(2))
			_, err := e.AddLeaf(old)
			return err
		}, nil},
		{"two members swap keys", func(e *tree.Edit) error {
			other, err := e.Leaf(3)
			must(t, err)
			must(t, e.UpdateLeaf(2, with(func(l *mls.LeafNode) { l.EncryptionKey = other.EncryptionKey })))
			return e.UpdateLeaf(3, with(func(l *mls.LeafNode) { l.EncryptionKey = old.EncryptionKey }))
		}, nil},
		{"a key of a parent that the update blanks", func(e *tree.Edit) error {
			return e.UpdateLeaf(2, with(func(l *mls.LeafNode) { l.EncryptionKey = parent.EncryptionKey }))
		}, nil},
	} {
		e := h.tree.Edit()
		must(t, tc.do(e))
		if err := e.CheckKeys(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if _, err := e.Changes(); !errors.Is(err, tc.want) {
			t.Errorf("%s: changes: %v, want %v", tc.name, err, tc.want)
		}
	}
}
