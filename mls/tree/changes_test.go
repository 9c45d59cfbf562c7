package tree_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls/tree"
)

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
