package tree_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// faulty is a store that answers with one record whatever is asked.
type faulty struct {
	*tree.Memory
	rec *tree.Record
	err error
}

func (f faulty) Node(mls.NodeIndex, tree.Version) (*tree.Record, error) { return f.rec, f.err }

func TestFaultyStore(t *testing.T) {
	h := grown(t, 4)
	broken := errors.New("disk on fire")
	leaf := &tree.Record{Leaf: h.people[0].leaf}
	many := tree.Child{Hash: []byte{1}, Leaves: 1 << 20, Resolution: 1}
	for name, tc := range map[string]struct {
		store faulty
		want  error
	}{
		"error":           {faulty{nil, nil, broken}, broken},
		"only leaves":     {faulty{nil, leaf, nil}, tree.ErrInconsistent},
		"too many below":  {faulty{nil, &tree.Record{Left: many, Right: many}, nil}, tree.ErrInconsistent},
		"parents as leaf": {faulty{nil, &tree.Record{Node: &mls.ParentNode{}}, nil}, tree.ErrInconsistent},
	} {
		tr := tree.New(h.suite, tc.store, h.tree.Version(), h.tree.Header())
		if _, err := tr.Edit().AddLeaf(h.people[1].leaf); name == "error" && !errors.Is(err, tc.want) {
			t.Errorf("%s: add: %v", name, err)
		}
		if err := tr.Edit().RemoveLeaf(1); !errors.Is(err, tc.want) {
			t.Errorf("%s: remove: %v", name, err)
		}
		if _, err := tr.Export(); !errors.Is(err, tc.want) {
			t.Errorf("%s: export: %v", name, err)
		}
	}
}
