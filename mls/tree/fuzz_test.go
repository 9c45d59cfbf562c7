package tree_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// fuzz seeds with the samples of one structure and demands that what decodes
// encodes to the same octets.
func fuzz[T any, P interface {
	*T
	mls.Marshaler
	mls.Unmarshaler
}](f *testing.F) {
	for _, c := range samples(f) {
		if _, ok := c.decoded().(P); ok {
			f.Add(c.sample)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v T
		if mls.Unmarshal(b, P(&v)) != nil {
			return
		}
		if out, err := mls.Marshal(P(&v)); err != nil || !bytes.Equal(out, b) {
			t.Fatalf("decodes but encodes as %x, %v", out, err)
		}
	})
}

func FuzzRecord(f *testing.F)  { fuzz[tree.Record](f) }
func FuzzHeader(f *testing.F)  { fuzz[tree.Header](f) }
func FuzzSlice(f *testing.F)   { fuzz[tree.Slice](f) }
func FuzzPrivate(f *testing.F) { fuzz[tree.Private](f) }

// FuzzBuild feeds node lists of any content to the part of an import that
// comes before signatures. What is accepted must export to the same octets.
func FuzzBuild(f *testing.F) {
	h := grown(f, 5)
	nodes, err := h.tree.Export()
	must(f, err)
	f.Add(marshal(f, &nodes))
	e := h.tree.Edit()
	must(f, e.RemoveLeaf(1))
	_, err = e.AddLeaf(h.person(f).leaf)
	must(f, err)
	_, err = e.AddLeaf(h.person(f).leaf)
	must(f, err)
	nodes, err = e.Export()
	must(f, err)
	f.Add(marshal(f, &nodes))
	s := h.suite
	f.Fuzz(func(t *testing.T, b []byte) {
		var nodes mls.RatchetTree
		if mls.Unmarshal(b, &nodes) != nil {
			return
		}
		cfg := tree.ImportConfig{Suite: s, GroupID: h.group, MaxLeaves: 64}
		_, _ = tree.Import(cfg, nodes)
		c, err := tree.Build(cfg, nodes)
		if err != nil {
			return
		}
		tr, _ := filled(t, s, c)
		out, err := tr.Export()
		must(t, err)
		if !bytes.Equal(marshal(t, &out), b) {
			t.Fatal("exported tree differs")
		}
	})
}
