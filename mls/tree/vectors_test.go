package tree_test

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// octets are hexadecimal in the vectors.
type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(string(b))
	return err
}

// vectors reads one of the working group's files.
func vectors[T any](t testing.TB, name string) []T {
	t.Helper()
	f, err := os.Open("../testdata/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no vectors")
	}
	return out
}

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
