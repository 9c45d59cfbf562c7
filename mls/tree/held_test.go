package tree_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// checkHeld verifies the tree invariant (RFC 9420, Section 4.2) for one member:
// it holds the keys of exactly the nodes above it that are not blank and do not
// list it as unmerged, and they are the right ones.
func checkHeld(t testing.TB, e *tree.Edit, p *tree.Private) {
	t.Helper()
	held := p.Held()
	want := 0
	check := func(x mls.NodeIndex, public []byte) {
		want++
		got, err := e.Suite().HPKEPublicKey(held[x])
		if err != nil || !bytes.Equal(got, public) {
			t.Fatalf("leaf %d holds a wrong key of node %d: %v", p.Leaf(), x, err)
		}
	}
	leaf, err := e.Leaf(p.Leaf())
	if err != nil {
		t.Fatal(err)
	}
	check(p.Leaf().Node(), leaf.EncryptionKey)
	for x, root := p.Leaf().Node(), mls.Root(e.Size()); x != root; {
		x = x.Parent()
		n, err := e.Parent(x)
		if err != nil {
			t.Fatal(err)
		}
		if n != nil && !slices.Contains(n.Unmerged, p.Leaf()) {
			check(x, n.EncryptionKey)
		}
	}
	if len(held) != want {
		t.Fatalf("leaf %d holds %d keys, %d are its own", p.Leaf(), len(held), want)
	}
}
