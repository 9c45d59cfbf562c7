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

func TestEditRefuses(t *testing.T) {
	h := grown(t, 5)
	leaf, err := h.tree.Leaf(1)
	must(t, err)
	e := h.tree.Edit()
	if err := e.UpdateLeaf(1, leaf); !errors.Is(err, tree.ErrKeyReused) {
		t.Error(err)
	}
	for _, i := range []mls.LeafIndex{5, 7, 8, 1 << 31} {
		if err := e.RemoveLeaf(i); !errors.Is(err, tree.ErrNoMember) {
			t.Errorf("remove %d: %v", i, err)
		}
		if err := e.UpdateLeaf(i, h.person(t).leaf); !errors.Is(err, tree.ErrNoMember) {
			t.Errorf("update %d: %v", i, err)
		}
		if _, err := e.Leaf(i); !errors.Is(err, tree.ErrNoMember) {
			t.Errorf("leaf %d: %v", i, err)
		}
	}
	if _, err := e.FilteredDirectPath(8); !errors.Is(err, tree.ErrNoMember) {
		t.Error(err)
	}
	e.LimitLeaves(6)
	if _, err := e.AddLeaf(h.person(t).leaf); err != nil {
		t.Error(err)
	}
	if _, err := e.AddLeaf(h.person(t).leaf); !errors.Is(err, tree.ErrFull) {
		t.Error(err)
	}
	many := h.person(t).leaf
	for v := range mls.ExtensionType(tree.MaxTypes + 1) {
		many.Capabilities.Extensions = append(many.Capabilities.Extensions, 0x1000+v)
	}
	if _, err := h.tree.Edit().AddLeaf(many); !errors.Is(err, tree.ErrCensus) {
		t.Error(err)
	}
}

// TestChangesStay makes sure that what Changes returned is not touched by later
// changes to the same edit.
func TestChangesStay(t *testing.T) {
	h := grown(t, 9)
	e := h.tree.Edit()
	_, err := e.AddLeaf(h.person(t).leaf)
	must(t, err)
	c, err := e.Changes()
	must(t, err)
	before := written(t, c)
	for range 4 {
		_, err := e.AddLeaf(h.person(t).leaf)
		must(t, err)
	}
	must(t, e.RemoveLeaf(0))
	h.create(t, e, 3)
	if _, err := e.Changes(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, written(t, c)) {
		t.Error("changes were changed")
	}
	dropped := h.tree.Edit()
	must(t, dropped.RemoveLeaf(7))
	if _, err := h.tree.Leaf(7); err != nil {
		t.Error("an edit that was dropped shows in the tree")
	}
}

// written encodes all that changes write.
func written(t testing.TB, c *tree.Changes) []byte {
	t.Helper()
	out := marshal(t, &c.Header)
	for _, w := range c.Nodes {
		if w.Record != nil {
			out = append(out, marshal(t, w.Record)...)
		}
	}
	return out
}

func TestOpenPathRefuses(t *testing.T) {
	h := grown(t, 7)
	h.members = make(map[mls.LeafIndex]*tree.Private)
	e := h.tree.Edit()
	own := h.create(t, e, 0)
	path, err := own.Seal([]byte("context"))
	must(t, err)
	merged := h.tree.Edit()
	must(t, merged.MergePath(0, path))
	// Leaf 1 opens node 0 of the path with its leaf key alone.
	p := tree.NewPrivate(1, h.people[1].key)
	if _, commit, err := p.OpenPath(merged, 0, path, []byte("context")); err == nil || !commit.IsZero() {
		t.Error("opened with the key of a leaf that was replaced since")
	}
	h.people[1] = h.renew(t, h.people[1], 1)
	up := h.tree.Edit()
	must(t, up.UpdateLeaf(1, h.people[1].leaf))
	h.apply(t, up)
	p = tree.NewPrivate(1, h.people[1].key)
	e = h.tree.Edit()
	own = h.create(t, e, 0)
	path, err = own.Seal([]byte("context"))
	must(t, err)
	merged = h.tree.Edit()
	must(t, merged.MergePath(0, path))
	if _, commit, err := p.OpenPath(merged, 0, path, []byte("context")); err != nil || !commit.Equal(own.CommitSecret()) {
		t.Fatal(err)
	}
	if _, _, err := p.OpenPath(merged, 0, path, []byte("another")); !errors.Is(err, mls.ErrDecrypt) {
		t.Errorf("other context: %v", err)
	}
	if _, _, err := tree.NewPrivate(9, h.people[1].key).OpenPath(merged, 0, path, []byte("context")); !errors.Is(err, tree.ErrNoPathKey) {
		t.Errorf("no member: %v", err)
	}
	if _, _, err := tree.NewPrivate(5, h.people[1].key).OpenPath(merged, 0, path, []byte("context")); !errors.Is(err, tree.ErrNoPathKey) {
		t.Errorf("key of the node above not held: %v", err)
	}
	spoiled := &mls.UpdatePath{LeafNode: path.LeafNode, Nodes: slices.Clone(path.Nodes)}
	spoiled.Nodes[2].EncryptionKey = bytes.Repeat([]byte{7}, 32)
	if _, _, err := p.OpenPath(merged, 0, spoiled, []byte("context")); !errors.Is(err, tree.ErrPathSecret) {
		t.Errorf("secret of other keys: %v", err)
	}
	spoiled.Nodes = spoiled.Nodes[:1]
	if _, _, err := p.OpenPath(merged, 0, spoiled, []byte("context")); !errors.Is(err, tree.ErrPathLength) {
		t.Errorf("short path: %v", err)
	}
	if _, err := own.PathSecret(1); !errors.Is(err, tree.ErrNoMember) {
		t.Errorf("path secret for one who was not added: %v", err)
	}
	if _, err := p.Join(h.tree, 0, own.CommitSecret()); !errors.Is(err, tree.ErrPathSecret) {
		t.Errorf("join with a wrong secret: %v", err)
	}
}
