package group_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/tree"
)

// grown is a tree of many members with all private keys, made without the
// commits that would lead to it. In a full one it is as if each member had
// committed in turn; in a bare one nobody has.
type grown struct {
	suite   *mls.Suite
	members uint32
	nodes   mls.RatchetTree
	keys    []mls.HPKEPrivateKey // by node
	signers []*mls.SignatureKey  // by leaf
	context mls.GroupContext
}

type treeKind struct {
	full    bool
	members int
}

var forest sync.Map // treeKind -> *grown

// grow returns the tree of a kind. Trees are shared: the caller does not modify
// them.
func grow(tb testing.TB, kind treeKind) *grown {
	if g, ok := forest.Load(kind); ok {
		return g.(*grown)
	}
	n := uint32(kind.members)
	g := &grown{suite: mustSuite(tb, suite), members: n, nodes: make(mls.RatchetTree, 2*n-1),
		keys: make([]mls.HPKEPrivateKey, 2*n-1), signers: make([]*mls.SignatureKey, n)}
	g.context = mls.GroupContext{Version: mls.MLS10, CipherSuite: suite, GroupID: []byte("large group"), Epoch: 1000,
		ConfirmedTranscriptHash: make([]byte, 32)}
	if kind.full {
		g.fill(tb, mls.Root(mls.TreeSize(n)), []byte{})
	} else {
		for i := range n {
			g.leaf(tb, mls.LeafIndex(i), mls.LeafNodeSourceKeyPackage, nil)
		}
	}
	hash, err := group.TreeHash(g.suite, g.nodes)
	if err != nil {
		tb.Fatal(err)
	}
	g.context.TreeHash = hash
	forest.Store(kind, g)
	return g
}

// fill makes the subtree at x as the last member below x left it, and returns
// its tree hash. parentHash is what x gets to say about the node above; of a left
// child it is outdated, since a member to the right has committed later.
func (g *grown) fill(tb testing.TB, x mls.NodeIndex, parentHash []byte) []byte {
	first, _ := x.Leaves()
	if uint32(first) >= g.members {
		return g.hash(x, nil, nil)
	}
	if x.IsLeaf() {
		g.leaf(tb, x.Leaf(), mls.LeafNodeSourceCommit, parentHash)
		return g.hash(x, nil, nil)
	}
	if beyond, _ := x.Right().Leaves(); uint32(beyond) >= g.members {
		return g.hash(x, g.fill(tb, x.Left(), parentHash), g.fill(tb, x.Right(), nil))
	}
	p := &mls.ParentNode{ParentHash: parentHash}
	g.keys[x], p.EncryptionKey = g.keyPair(tb)
	g.nodes[x].Parent = p
	left := g.fill(tb, x.Left(), make([]byte, 32))
	var w tlscodec.Writer
	w.Opaque(p.EncryptionKey)
	w.Opaque(p.ParentHash)
	w.Opaque(left)
	b, _ := w.Bytes()
	return g.hash(x, left, g.fill(tb, x.Right(), g.suite.Hash(b)))
}

func (g *grown) keyPair(tb testing.TB) (mls.HPKEPrivateKey, []byte) {
	private, public, err := g.suite.GenerateKeyPair(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return private, public
}

func (g *grown) leaf(tb testing.TB, i mls.LeafIndex, source mls.LeafNodeSource, parentHash []byte) {
	signer, err := g.suite.GenerateSignatureKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	l := &mls.LeafNode{SignatureKey: signer.Public(), Credential: mls.BasicCredential(fmt.Appendf(nil, "member %09d", i)),
		Capabilities: group.DefaultCapabilities(suite), Source: source, Lifetime: eternal, ParentHash: parentHash}
	g.keys[i.Node()], l.EncryptionKey = g.keyPair(tb)
	if err := l.Sign(signer, g.context.GroupID, i); err != nil {
		tb.Fatal(err)
	}
	g.nodes[i.Node()].Leaf, g.signers[i] = l, signer
}

// hash is the tree hash of x.
func (g *grown) hash(x mls.NodeIndex, left, right []byte) []byte {
	n := g.nodes.At(x)
	var w tlscodec.Writer
	if x.IsLeaf() {
		w.Uint8(1)
		w.Uint32(uint32(x.Leaf()))
		w.Bool(n.Leaf != nil)
		if n.Leaf != nil {
			n.Leaf.MarshalTLS(&w)
		}
	} else {
		w.Uint8(2)
		w.Bool(n.Parent != nil)
		if n.Parent != nil {
			n.Parent.MarshalTLS(&w)
		}
		if left == nil { // a blank subtree
			left, right = g.hash(x.Left(), nil, nil), g.hash(x.Right(), nil, nil)
		}
		w.Opaque(left)
		w.Opaque(right)
	}
	b, _ := w.Bytes()
	return g.suite.Hash(b)
}

// member returns the group as member i has it.
func (g *grown) member(tb testing.TB, i mls.LeafIndex) *group.Group {
	var w tlscodec.Writer
	w.Uint32(uint32(i))
	w.Vector(func(w *tlscodec.Writer) {
		for x := range mls.NodeIndex(len(g.nodes)) {
			if x.Covers(i) && !g.keys[x].IsZero() {
				w.Uint32(uint32(x))
				w.Opaque(g.keys[x].Reveal())
			}
		}
	})
	b, err := w.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	private := new(tree.Private)
	if err := mls.Unmarshal(b, private); err != nil {
		tb.Fatal(err)
	}
	m, err := group.Assemble(group.Config{}, g.context, g.nodes, private, g.signers[i], secret.New(make([]byte, 32)))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// The trees of the benchmarks are what they claim to be.
func TestGrownTrees(t *testing.T) {
	for _, kind := range []treeKind{{true, 2}, {true, 3}, {true, 8}, {true, 13}, {false, 13}} {
		g := grow(t, kind)
		if _, err := tree.Import(tree.ImportConfig{Suite: g.suite, GroupID: g.context.GroupID}, g.nodes); err != nil {
			t.Fatalf("%+v: %v", kind, err)
		}
		a, b := g.member(t, 0), g.member(t, mls.LeafIndex(g.members-1))
		for _, pair := range [][2]*group.Group{{a, b}, {b, a}} {
			made, err := pair[0].Commit(group.CommitOptions{})
			if err != nil {
				t.Fatalf("%+v: %v", kind, err)
			}
			if _, err := pair[1].Process(made.Message); err != nil {
				t.Fatalf("%+v: %v", kind, err)
			}
			if _, err := pair[0].Merge(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A commit's work grows with the depth of the tree, not with its members: from
// 64 to 2048 members the depth less than doubles.
func TestCommitIsLogarithmic(t *testing.T) {
	work := func(members int) (commit, process float64) {
		g := grow(t, treeKind{true, members})
		from, to := g.member(t, 0), g.member(t, mls.LeafIndex(members-1))
		var made *group.Commit
		commit = testing.AllocsPerRun(3, func() {
			from.Discard()
			var err error
			if made, err = from.Commit(group.CommitOptions{}); err != nil {
				t.Fatal(err)
			}
		})
		// Processing happens once per commit, so both take turns.
		both := testing.AllocsPerRun(3, func() {
			if _, err := from.Merge(); err != nil {
				t.Fatal(err)
			}
			if _, err := to.Process(made.Message); err != nil {
				t.Fatal(err)
			}
			var err error
			if made, err = from.Commit(group.CommitOptions{}); err != nil {
				t.Fatal(err)
			}
		})
		return commit, both - commit
	}
	smallCommit, smallProcess := work(64)
	largeCommit, largeProcess := work(2048)
	if largeCommit > 2*smallCommit || largeProcess > 2*smallProcess {
		t.Errorf("allocations: commit %v to %v, process %v to %v", smallCommit, largeCommit, smallProcess, largeProcess)
	}
}
