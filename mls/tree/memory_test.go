package tree_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls/tree"
)

func TestMemoryVersions(t *testing.T) {
	h := grown(t, 4)
	next, err := h.tree.Edit().Changes()
	must(t, err)
	stale := *next
	stale.Base--
	fresh := *next
	fresh.Fresh = true
	back := *next
	back.Version = back.Base
	for name, c := range map[string]*tree.Changes{"older base": &stale, "not empty": &fresh, "no new version": &back} {
		if err := h.store.Apply(c); !errors.Is(err, tree.ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := tree.NewMemory().Apply(next); !errors.Is(err, tree.ErrVersion) {
		t.Errorf("nothing to change: %v", err)
	}
	must(t, h.store.Apply(next))
	if h.store.Version() != next.Version {
		t.Errorf("version %d, want %d", h.store.Version(), next.Version)
	}
}
