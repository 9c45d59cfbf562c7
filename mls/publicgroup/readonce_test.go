package publicgroup

import (
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// askedStore has a record of each node with an even index, and remembers what it was
// asked. It drops the last answer if short is set.
type askedStore struct {
	asked []mls.NodeIndex
	short bool
}

func (s *askedStore) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	r, err := s.Nodes([]mls.NodeIndex{x}, v)
	return r[0], err
}

func (s *askedStore) Nodes(xs []mls.NodeIndex, _ tree.Version) ([]*tree.Record, error) {
	s.asked = append(s.asked, xs...)
	out := make([]*tree.Record, len(xs))
	for i, x := range xs {
		if x%2 == 0 {
			out[i] = new(tree.Record)
		}
	}
	if s.short {
		out = out[1:]
	}
	return out, nil
}

func (s *askedStore) HasKey(tree.KeyHash) (bool, error) { return true, nil }

func (s *askedStore) HasKeys(ks []tree.KeyHash) ([]bool, error) { return make([]bool, len(ks)), nil }

// TestReadOnceInBatches: what is asked at once is read at once, and only what was not
// read before; a store without such questions gets none.
func TestReadOnceInBatches(t *testing.T) {
	s := new(askedStore)
	once := newReadOnce(s).(tree.BatchStore)
	for range 2 {
		if r, err := once.Node(2, 0); err != nil || r == nil {
			t.Fatal(r, err)
		}
		got, err := once.Nodes([]mls.NodeIndex{1, 2, 4}, 0)
		if err != nil || got[0] != nil || got[1] == nil || got[2] == nil {
			t.Fatal(got, err)
		}
		if r, err := once.Node(1, 0); err != nil || r != nil {
			t.Fatal(r, err)
		}
	}
	if want := []mls.NodeIndex{2, 1, 4}; !slices.Equal(s.asked, want) {
		t.Fatalf("asked %v, want %v", s.asked, want)
	}
	if has, err := once.HasKeys(make([]tree.KeyHash, 2)); err != nil || len(has) != 2 || has[0] {
		t.Fatal(has, err)
	}
	s.short = true
	if _, err := once.Nodes([]mls.NodeIndex{6, 8}, 0); !errors.Is(err, ErrInconsistent) {
		t.Fatalf("too few answers: %v", err)
	}
	if _, ok := newReadOnce(struct{ tree.Store }{s}).(tree.BatchStore); ok {
		t.Fatal("asks a store for what it does not do")
	}
}
