package tree_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// filler is a key that belongs to nobody.
func filler(kind byte, i int) []byte {
	k := make([]byte, 32)
	k[0] = kind
	binary.BigEndian.PutUint32(k[1:], uint32(i))
	return k
}

// large returns a history of n members, in a tree where all have committed or
// in one that a single commit made. All but those in the first 16 leaves are
// only there to be counted: nobody has their keys, nothing is signed.
func large(t testing.TB, n int, full bool) *history {
	t.Helper()
	w := newWorld(t, mls.X25519AES128GCM, 1)
	h := &history{world: w, store: newKeyed(), people: make(map[mls.LeafIndex]*person)}
	nodes := make(mls.RatchetTree, 2*n-1)
	template := w.person(t).leaf
	for i := range nodes {
		x := mls.NodeIndex(i)
		switch {
		case x.IsLeaf() && x.Leaf() < 16:
			p := w.person(t)
			nodes[i].Leaf, h.people[x.Leaf()] = p.leaf, p
		case x.IsLeaf():
			l := template.Clone()
			l.EncryptionKey, l.SignatureKey = filler(1, i), filler(2, i)
			nodes[i].Leaf = l
		case full:
			nodes[i].Parent = &mls.ParentNode{EncryptionKey: filler(3, i), ParentHash: filler(4, i)}
		}
	}
	c, err := tree.Build(tree.ImportConfig{Suite: w.suite}, nodes)
	must(t, err)
	h.tree = h.store.apply(t, w.suite, c)
	return h
}

// TestRecordsPerCommit counts what the operations of a commit read and write at
// 10,000 members: one leaf and 14 parents.
func TestRecordsPerCommit(t *testing.T) {
	const limit = 16
	h := large(t, 10000, true)
	ours := h.tree.Edit()
	path := bare(t, ours, 5, h.create(t, ours, 5), nil)
	for name, do := range map[string]func(*tree.Edit) error{
		"path":   func(e *tree.Edit) error { return e.MergePath(5, path) },
		"update": func(e *tree.Edit) error { return e.UpdateLeaf(5, h.renew(t, h.people[5], 5).leaf) },
		"add":    func(e *tree.Edit) error { _, err := e.AddLeaf(h.person(t).leaf); return err },
		"remove": func(e *tree.Edit) error { return e.RemoveLeaf(5000) },
		"slice":  func(e *tree.Edit) error { _, err := h.tree.Slice(77); return err },
	} {
		h.store.nodesRead, h.store.lookups = 0, 0
		e := h.tree.Edit()
		must(t, do(e))
		c, err := e.Changes()
		must(t, err)
		if h.store.nodesRead > limit || len(c.Nodes) > limit || h.store.lookups > limit {
			t.Errorf("%s: %d records read, %d written, %d keys looked up", name, h.store.nodesRead, len(c.Nodes), h.store.lookups)
		}
		size := 0
		for _, w := range c.Nodes {
			if w.Record != nil {
				size += len(marshal(t, w.Record))
			}
		}
		t.Logf("%s: %d records read, %d written with %d octets, %d keys looked up", name, h.store.nodesRead, len(c.Nodes), size, h.store.lookups)
	}
}

// TestBatchedPath has a server merge a path with one question for the records
// and one for the keys.
func TestBatchedPath(t *testing.T) {
	h := large(t, 1000, true)
	ours := h.tree.Edit()
	path := bare(t, ours, 5, h.create(t, ours, 5), nil)
	h.store.nodesRead, h.store.lookups = 0, 0
	e := tree.New(h.suite, batched{h.store}, h.tree.Version(), h.tree.Header()).Edit()
	must(t, e.MergePath(5, path))
	if h.store.batches != 2 || h.store.nodesRead != 0 || h.store.lookups != 0 {
		t.Errorf("%d batches, %d records and %d keys by themselves", h.store.batches, h.store.nodesRead, h.store.lookups)
	}
	_, err := e.Changes()
	must(t, err)
}

// TestOpenPathReads has a member open a path in a tree that one commit made,
// where half of all members are in the resolution it has to find itself in.
func TestOpenPathReads(t *testing.T) {
	h := large(t, 10000, false)
	ours := h.tree.Edit()
	own := h.create(t, ours, 5)
	path := bare(t, ours, 5, own, nil)
	theirs := h.tree.Edit()
	must(t, theirs.MergePath(5, path))
	h.store.nodesRead = 0
	// Nobody encrypted anything; what counts is how the place was found.
	p := tree.NewPrivate(9999, mls.HPKEPrivateKey{Bytes: secret.New(filler(9, 1))})
	if _, _, err := p.OpenPath(theirs, 5, path, nil); err == nil {
		t.Fatal("opened an empty ciphertext")
	}
	if h.store.nodesRead > 16 {
		t.Errorf("%d records read", h.store.nodesRead)
	}
}

var sizes = []int{100, 1000, 10000}

func eachSize(b *testing.B, f func(b *testing.B, h *history)) {
	for _, n := range sizes {
		h := large(b, n, true)
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			f(b, h)
		})
	}
}

// BenchmarkMergePath is a server's part of an update commit: merge and changes,
// without signatures.
func BenchmarkMergePath(b *testing.B) {
	eachSize(b, func(b *testing.B, h *history) {
		ours := h.tree.Edit()
		path := bare(b, ours, 5, h.create(b, ours, 5), nil)
		h.store.nodesRead = 0
		written := 0
		for b.Loop() {
			e := h.tree.Edit()
			must(b, e.MergePath(5, path))
			c, err := e.Changes()
			must(b, err)
			written += len(c.Nodes)
		}
		b.ReportMetric(float64(h.store.nodesRead)/float64(b.N), "recs-read/op")
		b.ReportMetric(float64(written)/float64(b.N), "recs-written/op")
	})
}

// BenchmarkCreatePath is a member's own update: keys, hashes, signature, and
// HPKE for every recipient.
func BenchmarkCreatePath(b *testing.B) {
	eachSize(b, benchmarkCreate)
}

// BenchmarkCreatePathBare is the same where nobody else has committed yet.
func BenchmarkCreatePathBare(b *testing.B) {
	for _, n := range []int{100, 1000} {
		h := large(b, n, false)
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) { benchmarkCreate(b, h) })
	}
}

func benchmarkCreate(b *testing.B, h *history) {
	for b.Loop() {
		e := h.tree.Edit()
		p := h.people[5]
		own, err := e.CreatePath(rand.Reader, 5, p.leaf, p.signer, h.group)
		must(b, err)
		_, err = e.Changes()
		must(b, err)
		_, err = own.Seal([]byte("context"))
		must(b, err)
	}
}

// BenchmarkOpenPath is a member following another's update, the merge included.
func BenchmarkOpenPath(b *testing.B) {
	eachSize(b, func(b *testing.B, h *history) {
		// After its update the member holds all keys it should: its leaf's.
		renewed := h.renew(b, h.people[6], 6)
		e := h.tree.Edit()
		must(b, e.UpdateLeaf(6, renewed.leaf))
		h.apply(b, e)
		p := tree.NewPrivate(6, renewed.key)
		ours := h.tree.Edit()
		own := h.create(b, ours, 5)
		path, err := own.Seal([]byte("context"))
		must(b, err)
		for b.Loop() {
			e := h.tree.Edit()
			must(b, e.MergePath(5, path))
			_, _, err := p.OpenPath(e, 5, path, []byte("context"))
			must(b, err)
		}
	})
}

// BenchmarkImport verifies a tree of 1,000 members, all of whom have
// committed.
func BenchmarkImport(b *testing.B) {
	h := grown(b, 1000)
	nodes, err := h.tree.Export()
	must(b, err)
	cfg := tree.ImportConfig{Suite: h.suite, GroupID: h.group}
	for b.Loop() {
		_, err := tree.Import(cfg, nodes)
		must(b, err)
	}
}
