package tree_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

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
