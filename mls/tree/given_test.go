package tree_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

func suite(t testing.TB, id mls.CipherSuite) *mls.Suite {
	t.Helper()
	s, err := id.Suite()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode[T any, P interface {
	*T
	mls.Unmarshaler
}](t testing.TB, b []byte) T {
	t.Helper()
	var v T
	if err := mls.Unmarshal(b, P(&v)); err != nil {
		t.Fatal(err)
	}
	return v
}

// filled returns the tree of changes in a store of its own.
func filled(t testing.TB, s *mls.Suite, c *tree.Changes) (*tree.Tree, *tree.Memory) {
	t.Helper()
	m := tree.NewMemory()
	return applied(t, s, m, c), m
}

func applied(t testing.TB, s *mls.Suite, m *tree.Memory, c *tree.Changes) *tree.Tree {
	t.Helper()
	if err := m.Apply(c); err != nil {
		t.Fatal(err)
	}
	return tree.New(s, m, c.Version, c.Header)
}
