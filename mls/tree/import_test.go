package tree_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// withUnmerged returns a tree with blank leaves and parents, members who have
// not committed, and, last at leaf 11, one who joined after the last path.
func withUnmerged(t testing.TB) *history {
	t.Helper()
	h := grown(t, 10)
	e := h.tree.Edit()
	must(t, e.RemoveLeaf(2))
	must(t, e.RemoveLeaf(5))
	h.apply(t, e)
	for _, i := range []mls.LeafIndex{0, 3, 7, 9, 1} {
		h.refresh(t, i)
	}
	e = h.tree.Edit()
	for range 3 {
		_, err := e.AddLeaf(h.person(t).leaf)
		must(t, err)
	}
	must(t, e.RemoveLeaf(5))
	h.create(t, e, 8)
	h.apply(t, e)
	e = h.tree.Edit()
	must(t, e.RemoveLeaf(6))
	for range 3 {
		_, err := e.AddLeaf(h.person(t).leaf)
		must(t, err)
	}
	h.apply(t, e)
	return h
}

// TestImportRefuses breaks one rule at a time in a tree that is fine otherwise.
func TestImportRefuses(t *testing.T) {
	h := withUnmerged(t)
	good, err := h.tree.Export()
	must(t, err)
	unmerged := func(n mls.RatchetTree, x mls.NodeIndex, l ...mls.LeafIndex) {
		p := *n[x].Parent
		p.Unmerged = l
		n[x].Parent = &p
	}
	leaf := func(n mls.RatchetTree, i mls.LeafIndex, f func(*mls.LeafNode)) {
		l := n[i.Node()].Leaf.Clone()
		f(l)
		n[i.Node()].Leaf = l
	}
	parent := func(n mls.RatchetTree, x mls.NodeIndex, f func(*mls.ParentNode)) {
		p := *n[x].Parent
		f(&p)
		n[x].Parent = &p
	}
	if p := good[3].Parent; p == nil || !slices.Equal(p.Unmerged, []mls.LeafIndex{2}) || good[1].Parent == nil || good[7].Parent != nil {
		t.Fatalf("not the tree that the cases below are made for: %+v", good[3].Parent)
	}
	cfg := tree.ImportConfig{Suite: h.suite, GroupID: h.group}
	for _, tc := range []struct {
		name  string
		spoil func(n mls.RatchetTree) mls.RatchetTree
		want  error
	}{
		{"empty", func(n mls.RatchetTree) mls.RatchetTree { return nil }, tree.ErrShape},
		{"blank at the end", func(n mls.RatchetTree) mls.RatchetTree { return append(n, mls.Node{}) }, tree.ErrShape},
		{"leaf at a parent's place", func(n mls.RatchetTree) mls.RatchetTree { n[1] = n[0]; return n }, tree.ErrShape},
		{"parent at a leaf's place", func(n mls.RatchetTree) mls.RatchetTree { n[10] = n[1]; return n }, tree.ErrShape},
		{"parent of nobody", func(n mls.RatchetTree) mls.RatchetTree {
			n[0], n[2] = mls.Node{}, mls.Node{}
			return n
		}, tree.ErrShape},
		{"unmerged leaf is blank", func(n mls.RatchetTree) mls.RatchetTree { n[4] = mls.Node{}; return n }, tree.ErrUnmerged},
		{"unmerged leaf beside", func(n mls.RatchetTree) mls.RatchetTree { unmerged(n, 3, 2, 4); return n }, tree.ErrUnmerged},
		{"unmerged leaves out of order", func(n mls.RatchetTree) mls.RatchetTree { unmerged(n, 3, 2, 1); return n }, tree.ErrUnmerged},
		{"unmerged leaf twice", func(n mls.RatchetTree) mls.RatchetTree { unmerged(n, 3, 2, 2); return n }, tree.ErrUnmerged},
		{"unmerged leaf not known between", func(n mls.RatchetTree) mls.RatchetTree { unmerged(n, 3, 0, 2); return n }, tree.ErrUnmerged},
		{"unmerged leaf left out", func(n mls.RatchetTree) mls.RatchetTree { unmerged(n, 3); return n }, tree.ErrParentHash},
		{"another parent key", func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 3, func(p *mls.ParentNode) { p.EncryptionKey = bytes.Repeat([]byte{5}, 32) })
			return n
		}, tree.ErrParentHash},
		{"malformed parent key", func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 3, func(p *mls.ParentNode) { p.EncryptionKey = []byte{5} })
			return n
		}, mls.ErrPublicKey},
		{"another parent hash", func(n mls.RatchetTree) mls.RatchetTree {
			parent(n, 1, func(p *mls.ParentNode) { p.ParentHash = bytes.Repeat([]byte{5}, 32) })
			return n
		}, tree.ErrParentHash},
		{"a parent that nobody set", func(n mls.RatchetTree) mls.RatchetTree {
			n[7].Parent = &mls.ParentNode{EncryptionKey: bytes.Repeat([]byte{6}, 32)}
			return n
		}, tree.ErrParentHash},
		{"leaf below is another", func(n mls.RatchetTree) mls.RatchetTree {
			n[6].Leaf = h.person(t).leaf
			return n
		}, tree.ErrParentHash},
		{"signature key twice", func(n mls.RatchetTree) mls.RatchetTree {
			leaf(n, 2, func(l *mls.LeafNode) { l.SignatureKey = n[0].Leaf.SignatureKey })
			return n
		}, tree.ErrDuplicateKey},
		{"encryption key twice", func(n mls.RatchetTree) mls.RatchetTree {
			leaf(n, 2, func(l *mls.LeafNode) { l.EncryptionKey = n[3].Parent.EncryptionKey })
			return n
		}, tree.ErrDuplicateKey},
		{"signature", func(n mls.RatchetTree) mls.RatchetTree {
			leaf(n, 11, func(l *mls.LeafNode) { l.Lifetime.NotAfter++ })
			return n
		}, mls.ErrSignature},
		{"version not supported", func(n mls.RatchetTree) mls.RatchetTree {
			leaf(n, 11, func(l *mls.LeafNode) { l.Capabilities.Versions = nil })
			return n
		}, mls.ErrLeafNode},
		{"credential not supported by others", func(n mls.RatchetTree) mls.RatchetTree {
			leaf(n, 2, func(l *mls.LeafNode) {
				l.Credential = mls.Credential{Type: 77}
				l.Capabilities.Credentials = []mls.CredentialType{mls.CredentialTypeBasic, 77}
			})
			return n
		}, tree.ErrUnsupported},
	} {
		_, err := tree.Import(cfg, tc.spoil(slices.Clone(good)))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	other := cfg
	other.GroupID = []byte("another")
	if _, err := tree.Import(other, good); !errors.Is(err, mls.ErrSignature) {
		t.Errorf("leaves of another group: %v", err)
	}
	small := cfg
	small.MaxLeaves = uint32(len(good)) / 2
	if _, err := tree.Import(small, good); !errors.Is(err, tree.ErrFull) {
		t.Errorf("too many leaves: %v", err)
	}
	c, err := tree.Import(cfg, good)
	must(t, err)
	must(t, tree.NewMemory().Apply(c))
}
