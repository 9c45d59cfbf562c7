package tree_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls/tree"
)

func TestSliceRefuses(t *testing.T) {
	h := grown(t, 6)
	hash, err := h.tree.Hash()
	must(t, err)
	if _, err := h.tree.Slice(8); !errors.Is(err, tree.ErrNoMember) {
		t.Errorf("outside the tree: %v", err)
	}
	for name, spoil := range map[string]func(*tree.Slice){
		"index":        func(s *tree.Slice) { s.Index ^= 1 },
		"index beyond": func(s *tree.Slice) { s.Index += 8 },
		"leaf":         func(s *tree.Slice) { s.Leaf = h.people[0].leaf },
		"blank leaf":   func(s *tree.Slice) { s.Leaf = nil },
		"short":        func(s *tree.Slice) { s.Path = s.Path[:2] },
		"long":         func(s *tree.Slice) { s.Path = make([]tree.SliceStep, 40) },
		"sibling":      func(s *tree.Slice) { s.Path[1].Sibling = hash },
		"blank parent": func(s *tree.Slice) { s.Path[0].Node = nil },
	} {
		s, err := h.tree.Slice(4)
		must(t, err)
		must(t, s.Verify(h.suite, hash))
		spoil(s)
		if err := s.Verify(h.suite, hash); !errors.Is(err, tree.ErrSlice) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
