package tree_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// grown returns a history of exactly n members, all of whom have committed.
func grown(t testing.TB, n int) *history {
	t.Helper()
	h := newHistory(t, byte(n))
	e := h.tree.Edit()
	for len(h.people) < n {
		p := h.person(t)
		i, err := e.AddLeaf(p.leaf)
		must(t, err)
		h.people[i] = p
	}
	h.apply(t, e)
	for i := range mls.LeafIndex(n) {
		h.refresh(t, i)
	}
	return h
}

func (h *history) apply(t testing.TB, e *tree.Edit) {
	t.Helper()
	c, err := e.Changes()
	must(t, err)
	h.tree = h.store.apply(t, h.suite, c)
}

// refresh commits an empty list with a path by member i.
func (h *history) refresh(t testing.TB, i mls.LeafIndex) {
	t.Helper()
	e := h.tree.Edit()
	_ = h.create(t, e, i)
	h.apply(t, e)
}

func (h *history) create(t testing.TB, e *tree.Edit, i mls.LeafIndex) *tree.OwnPath {
	t.Helper()
	p := h.people[i]
	own, err := e.CreatePath(h.source, i, p.leaf, p.signer, h.group)
	must(t, err)
	return own
}

// TestMergePathRefuses breaks one rule at a time in a path that is fine
// otherwise, and then merges the path as it was.
func TestMergePathRefuses(t *testing.T) {
	h := grown(t, 11)
	const sender = 4
	own := h.tree.Edit()
	path := bare(t, own, sender, h.create(t, own, sender), nil)
	resign := func(p *mls.UpdatePath) { must(t, p.LeafNode.Sign(h.people[sender].signer, h.group, sender)) }
	root, err := h.tree.Parent(mls.Root(h.tree.Size()))
	must(t, err)
	other, err := h.tree.Leaf(9)
	must(t, err)
	replaced, err := h.tree.Leaf(sender)
	must(t, err)
	for _, tc := range []struct {
		name  string
		spoil func(*mls.UpdatePath)
		want  error
	}{
		{"leaf source", func(p *mls.UpdatePath) { p.LeafNode.Source = mls.LeafNodeSourceUpdate }, tree.ErrPathSource},
		{"no nodes", func(p *mls.UpdatePath) { p.Nodes = nil }, tree.ErrPathLength},
		{"a node too few", func(p *mls.UpdatePath) { p.Nodes = p.Nodes[:len(p.Nodes)-1] }, tree.ErrPathLength},
		{"a node too many", func(p *mls.UpdatePath) { p.Nodes = append(p.Nodes, p.Nodes[0]) }, tree.ErrPathLength},
		{"a ciphertext too few", func(p *mls.UpdatePath) { p.Nodes[1].EncryptedPathSecret = nil }, tree.ErrPathCiphertexts},
		{"a ciphertext too many", func(p *mls.UpdatePath) {
			p.Nodes[0].EncryptedPathSecret = make([]mls.HPKECiphertext, len(p.Nodes[0].EncryptedPathSecret)+1)
		}, tree.ErrPathCiphertexts},
		{"malformed key", func(p *mls.UpdatePath) { p.Nodes[1].EncryptionKey = []byte{1, 2, 3} }, mls.ErrPublicKey},
		{"malformed leaf key", func(p *mls.UpdatePath) { p.LeafNode.EncryptionKey = nil }, mls.ErrPublicKey},
		{"same leaf key", func(p *mls.UpdatePath) { p.LeafNode.EncryptionKey = replaced.EncryptionKey }, tree.ErrKeyReused},
		{"another's leaf key", func(p *mls.UpdatePath) { p.Nodes[0].EncryptionKey = other.EncryptionKey }, tree.ErrDuplicateKey},
		{"the key it replaces", func(p *mls.UpdatePath) { p.Nodes[len(p.Nodes)-1].EncryptionKey = root.EncryptionKey }, tree.ErrDuplicateKey},
		{"twice in the path", func(p *mls.UpdatePath) { p.Nodes[0].EncryptionKey = p.Nodes[1].EncryptionKey }, tree.ErrDuplicateKey},
		{"the leaf's key in the path", func(p *mls.UpdatePath) { p.Nodes[0].EncryptionKey = p.LeafNode.EncryptionKey }, tree.ErrDuplicateKey},
		{"parent hash", func(p *mls.UpdatePath) { p.LeafNode.ParentHash = bytes.Repeat([]byte{1}, 32) }, tree.ErrParentHash},
		{"no parent hash", func(p *mls.UpdatePath) { p.LeafNode.ParentHash = nil }, tree.ErrParentHash},
		{"another key", func(p *mls.UpdatePath) { p.Nodes[2].EncryptionKey = bytes.Repeat([]byte{9}, 32) }, tree.ErrParentHash},
	} {
		spoiled := &mls.UpdatePath{LeafNode: *path.LeafNode.Clone(), Nodes: slices.Clone(path.Nodes)}
		tc.spoil(spoiled)
		resign(spoiled)
		if err := h.tree.Edit().MergePath(sender, spoiled); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if err := h.tree.Edit().MergePath(12, path); !errors.Is(err, tree.ErrNoMember) {
		t.Errorf("blank sender that is not the next leaf: %v", err)
	}
	if err := h.tree.Edit().MergePath(99, path); !errors.Is(err, tree.ErrNoMember) {
		t.Errorf("sender outside the tree: %v", err)
	}
	if err := h.tree.Edit().MergePath(sender+1, path); err == nil {
		t.Error("another member's path merged")
	}
	must(t, h.tree.Edit().MergePath(sender, path))
}
