package mls_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

func vectorsTreeValidation(t *testing.T) {
	type vector struct {
		Suite       mls.CipherSuite   `json:"cipher_suite"`
		Tree        hexBytes          `json:"tree"`
		GroupID     hexBytes          `json:"group_id"`
		Hashes      []hexBytes        `json:"tree_hashes"`
		Resolutions [][]mls.NodeIndex `json:"resolutions"`
	}
	for i, v := range loadVectors[vector](t, "tree-validation") {
		s := mustSuite(t, v.Suite)
		nodes := decoded[mls.RatchetTree](t, v.Tree)
		c, err := tree.Import(tree.ImportConfig{Suite: s, GroupID: v.GroupID}, nodes)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		tr, _ := filled(t, s, c)
		for x := range v.Resolutions {
			got, err := tr.Resolution(mls.NodeIndex(x))
			if err != nil || !slices.Equal(got, v.Resolutions[x]) {
				t.Errorf("%d: resolution of %d: %v, %v", i, x, got, err)
			}
			if n, _ := tr.ResolutionSize(mls.NodeIndex(x)); int(n) != len(got) {
				t.Errorf("%d: resolution size of %d: %d", i, x, n)
			}
		}
		// Every hash in the file is somebody's root or sibling, so the slices
		// of all leaves together show them all.
		for l := range mls.LeafIndex(tr.Size()) {
			sl, err := tr.Slice(l)
			if err != nil {
				t.Fatal(err)
			}
			for h, x := 0, l.Node(); h < len(sl.Path); h, x = h+1, x.Parent() {
				if !bytes.Equal(sl.Path[h].Sibling, v.Hashes[x.Sibling()]) {
					t.Errorf("%d: tree hash of node %d", i, x.Sibling())
				}
			}
			if err := sl.Verify(s, v.Hashes[mls.Root(tr.Size())]); err != nil {
				t.Errorf("%d: slice of leaf %d: %v", i, l, err)
			}
		}
		out, err := tr.Export()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := mls.Marshal(&out); err != nil || !bytes.Equal(b, v.Tree) {
			t.Errorf("%d: exported tree differs", i)
		}
	}
}

func vectorsTreeOperations(t *testing.T) {
	type vector struct {
		Suite      mls.CipherSuite `json:"cipher_suite"`
		Before     hexBytes        `json:"tree_before"`
		Proposal   hexBytes        `json:"proposal"`
		Sender     mls.LeafIndex   `json:"proposal_sender"`
		HashBefore hexBytes        `json:"tree_hash_before"`
		After      hexBytes        `json:"tree_after"`
		HashAfter  hexBytes        `json:"tree_hash_after"`
	}
	for i, v := range loadVectors[vector](t, "tree-operations") {
		s := mustSuite(t, v.Suite)
		// The leaves of this file have signatures of no group.
		c, err := tree.Build(tree.ImportConfig{Suite: s}, decoded[mls.RatchetTree](t, v.Before))
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		tr, m := filled(t, s, c)
		if h, _ := tr.Hash(); !bytes.Equal(h, v.HashBefore) {
			t.Errorf("%d: hash before", i)
		}
		r := tlscodec.NewReader(v.Proposal, tlscodec.Limits{})
		var p mls.Proposal
		p.UnmarshalTLS(r)
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		e := tr.Edit()
		switch p.Type {
		case mls.ProposalTypeAdd:
			_, err = e.AddLeaf(&p.Add.LeafNode)
		case mls.ProposalTypeUpdate:
			err = e.UpdateLeaf(v.Sender, p.Update)
		case mls.ProposalTypeRemove:
			err = e.RemoveLeaf(p.Remove)
		default:
			t.Fatalf("%d: proposal type %v", i, p.Type)
		}
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if c, err = e.Changes(); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		after := applied(t, s, m, c)
		if h, _ := after.Hash(); !bytes.Equal(h, v.HashAfter) {
			t.Errorf("%d: hash after", i)
		}
		out, err := after.Export()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := mls.Marshal(&out); err != nil || !bytes.Equal(b, v.After) {
			t.Errorf("%d: tree after", i)
		}
	}
}

func decoded[T any, P interface {
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
