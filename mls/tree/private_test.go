package tree_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

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
