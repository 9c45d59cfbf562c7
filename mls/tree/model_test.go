package tree_test

import (
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// model is the ratchet tree as RFC 9420 describes it: an array of nodes, with
// everything else computed from scratch by the definitions.
type model struct {
	suite *mls.Suite
	nodes []mls.Node // of the full tree
}

func newModel(s *mls.Suite) *model { return &model{s, make([]mls.Node, 1)} }

func (m *model) size() uint32        { return uint32(len(m.nodes)+1) / 2 }
func (m *model) root() mls.NodeIndex { return mls.Root(m.size()) }

func (m *model) members() (out []mls.LeafIndex) {
	for i := range mls.LeafIndex(m.size()) {
		if m.nodes[i.Node()].Leaf != nil {
			out = append(out, i)
		}
	}
	return out
}

func (m *model) above(i mls.LeafIndex) (out []mls.NodeIndex) {
	for x := i.Node(); x != m.root(); {
		x = x.Parent()
		out = append(out, x)
	}
	return out
}

func (m *model) vacancy() mls.LeafIndex {
	for i := range mls.LeafIndex(m.size()) {
		if m.nodes[i.Node()].Leaf == nil {
			return i
		}
	}
	return mls.LeafIndex(m.size())
}

func (m *model) place(leaf *mls.LeafNode) mls.LeafIndex {
	i := m.vacancy()
	if uint32(i) == m.size() {
		m.nodes = append(m.nodes, make([]mls.Node, len(m.nodes)+1)...)
	}
	m.nodes[i.Node()].Leaf = leaf
	return i
}

func (m *model) add(leaf *mls.LeafNode) mls.LeafIndex {
	i := m.place(leaf)
	for _, x := range m.above(i) {
		if p := m.nodes[x].Parent; p != nil {
			q := *p
			q.Unmerged = append(slices.Clone(p.Unmerged), i)
			slices.Sort(q.Unmerged)
			m.nodes[x].Parent = &q
		}
	}
	return i
}

func (m *model) update(i mls.LeafIndex, leaf *mls.LeafNode) {
	m.nodes[i.Node()].Leaf = leaf
	for _, x := range m.above(i) {
		m.nodes[x].Parent = nil
	}
}

func (m *model) remove(i mls.LeafIndex) {
	m.update(i, nil)
	for m.size() > 1 && !slices.ContainsFunc(m.nodes[m.size():], func(n mls.Node) bool { return n.Leaf != nil }) {
		m.nodes = m.nodes[:m.size()-1]
	}
}

func (m *model) resolution(x mls.NodeIndex) (out []mls.NodeIndex) {
	switch n := m.nodes[x]; {
	case n.Leaf != nil:
		return []mls.NodeIndex{x}
	case n.Parent != nil:
		out = []mls.NodeIndex{x}
		for _, l := range n.Parent.Unmerged {
			out = append(out, l.Node())
		}
		return out
	case x.IsLeaf():
		return nil
	}
	return append(m.resolution(x.Left()), m.resolution(x.Right())...)
}

func (m *model) filtered(i mls.LeafIndex) (out []mls.NodeIndex) {
	below := i.Node()
	for _, x := range m.above(i) {
		if len(m.resolution(below.Sibling())) > 0 {
			out = append(out, x)
		}
		below = x
	}
	return out
}

// path merges a path; the parent hashes come with the nodes.
func (m *model) path(i mls.LeafIndex, leaf *mls.LeafNode, nodes []*mls.ParentNode) {
	filtered := m.filtered(i)
	m.update(i, leaf)
	for j, x := range filtered {
		m.nodes[x].Parent = nodes[j]
	}
}

// hashes computes all tree hashes (RFC 9420, Section 7.8).
func (m *model) hashes() [][]byte {
	out := make([][]byte, len(m.nodes))
	var at func(x mls.NodeIndex) []byte
	at = func(x mls.NodeIndex) []byte {
		var w tlscodec.Writer
		n := m.nodes[x]
		if x.IsLeaf() {
			w.Uint8(1)
			w.Uint32(uint32(x.Leaf()))
			if w.Bool(n.Leaf != nil); n.Leaf != nil {
				n.Leaf.MarshalTLS(&w)
			}
		} else {
			l, r := at(x.Left()), at(x.Right())
			w.Uint8(2)
			if w.Bool(n.Parent != nil); n.Parent != nil {
				n.Parent.MarshalTLS(&w)
			}
			w.Opaque(l)
			w.Opaque(r)
		}
		b, err := w.Bytes()
		if err != nil {
			panic(err)
		}
		out[x] = m.suite.Hash(b)
		return out[x]
	}
	at(m.root())
	return out
}

// export cuts the blanks at the end off.
func (m *model) export() mls.RatchetTree {
	n := len(m.nodes)
	for n > 0 && m.nodes[n-1].IsBlank() {
		n--
	}
	return m.nodes[:n]
}

// keys returns all keys in the tree.
func (m *model) keys() map[tree.KeyHash]bool {
	out := make(map[tree.KeyHash]bool)
	for _, n := range m.nodes {
		if n.Leaf != nil {
			out[tree.EncryptionKeyHash(n.Leaf.EncryptionKey)] = true
			out[tree.SignatureKeyHash(n.Leaf.SignatureKey)] = true
		}
		if n.Parent != nil {
			out[tree.EncryptionKeyHash(n.Parent.EncryptionKey)] = true
		}
	}
	return out
}

// check compares a tree and its store with the model, record by record.
func (m *model) check(t testing.TB, tr *tree.Tree, store *keyed) {
	t.Helper()
	if tr.Size() != m.size() || int(tr.Members()) != len(m.members()) {
		t.Fatalf("size %d, members %d; want %d, %d", tr.Size(), tr.Members(), m.size(), len(m.members()))
	}
	m.checkNodes(t, tr, store)
	if want := m.keys(); len(want) != len(store.present) {
		t.Fatalf("%d keys in the index, %d in the tree", len(store.present), len(want))
	} else {
		for k := range want {
			if !store.present[k] {
				t.Fatal("a key is missing in the index")
			}
		}
	}
	m.checkCensus(t, tr.Census())
}

// checkNodes compares the records of a version, which need not be the newest.
func (m *model) checkNodes(t testing.TB, tr *tree.Tree, store *keyed) {
	t.Helper()
	hashes := m.hashes()
	if h, err := tr.Hash(); err != nil || !slices.Equal(h, hashes[m.root()]) {
		t.Fatalf("tree hash differs (%v)", err)
	}
	for x := range mls.NodeIndex(len(m.nodes)) {
		r, err := store.Node(x, tr.Version())
		if err != nil {
			t.Fatal(err)
		}
		want := m.record(x, hashes)
		if (r == nil) != (want == nil) {
			t.Fatalf("node %d: record %v, want %v", x, r, want)
		}
		if r != nil && !slices.Equal(marshal(t, r), marshal(t, want)) {
			t.Fatalf("node %d: record %+v, want %+v", x, r, want)
		}
	}
	if r, _ := store.Node(mls.NodeIndex(len(m.nodes)), tr.Version()); r != nil {
		t.Fatal("a record beyond the tree")
	}
}

func (m *model) record(x mls.NodeIndex, hashes [][]byte) *tree.Record {
	n := m.nodes[x]
	if x.IsLeaf() {
		if n.Leaf == nil {
			return nil
		}
		return &tree.Record{Leaf: n.Leaf}
	}
	child := func(c mls.NodeIndex) tree.Child {
		first, end := c.Leaves()
		out := tree.Child{Hash: hashes[c], Resolution: uint32(len(m.resolution(c)))}
		for i := first; i < end; i++ {
			if m.nodes[i.Node()].Leaf != nil {
				out.Leaves++
			}
		}
		return out
	}
	r := &tree.Record{Node: n.Parent, Left: child(x.Left()), Right: child(x.Right())}
	if r.Left.Leaves+r.Right.Leaves == 0 {
		return nil
	}
	return r
}

func (m *model) checkCensus(t testing.TB, c *tree.Census) {
	t.Helper()
	all := func(supports func(*mls.LeafNode) bool) bool {
		for _, i := range m.members() {
			if !supports(m.nodes[i.Node()].Leaf) {
				return false
			}
		}
		return true
	}
	for v := range uint16(40) {
		e, p, cr := mls.ExtensionType(v), mls.ProposalType(v), mls.CredentialType(v)
		if c.SupportsExtension(e) != all(func(l *mls.LeafNode) bool { return l.Capabilities.SupportsExtension(e) }) {
			t.Fatalf("census: extension %d", v)
		}
		if c.SupportsProposal(p) != all(func(l *mls.LeafNode) bool { return l.Capabilities.SupportsProposal(p) }) {
			t.Fatalf("census: proposal %d", v)
		}
		if c.SupportsCredential(cr) != all(func(l *mls.LeafNode) bool { return l.Capabilities.SupportsCredential(cr) }) {
			t.Fatalf("census: credential %d", v)
		}
		used := !all(func(l *mls.LeafNode) bool { return l.Credential.Type != cr })
		if slices.Contains(c.CredentialsInUse(), cr) != used {
			t.Fatalf("census: credential %d in use", v)
		}
	}
}

func marshal(t testing.TB, v mls.Marshaler) []byte {
	t.Helper()
	b, err := mls.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
