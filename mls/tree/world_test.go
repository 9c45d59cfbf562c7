package tree_test

import (
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// keyed is a Memory that counts what is read and shows its key index.
type keyed struct {
	*tree.Memory
	present            map[tree.KeyHash]bool
	nodesRead, lookups int
	batch              bool // take many questions at once
	batches            int  // how often
}

func newKeyed() *keyed {
	return &keyed{Memory: tree.NewMemory(), present: make(map[tree.KeyHash]bool)}
}

func (k *keyed) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	k.nodesRead++
	return k.Memory.Node(x, v)
}

func (k *keyed) HasKey(h tree.KeyHash) (bool, error) {
	k.lookups++
	return k.present[h], nil
}

// batched is a keyed that takes many questions at once.
type batched struct{ *keyed }

func (b batched) Nodes(xs []mls.NodeIndex, v tree.Version) (out []*tree.Record, err error) {
	b.batches++
	for _, x := range xs {
		r, err := b.Memory.Node(x, v)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (b batched) HasKeys(ks []tree.KeyHash) (out []bool, err error) {
	b.batches++
	for _, k := range ks {
		out = append(out, b.present[k])
	}
	return out, nil
}

func (k *keyed) apply(t testing.TB, s *mls.Suite, c *tree.Changes) *tree.Tree {
	t.Helper()
	for _, h := range c.KeysRemoved {
		if !k.present[h] {
			t.Fatal("a key leaves the index that is not in it")
		}
		delete(k.present, h)
	}
	for _, h := range c.KeysAdded {
		if k.present[h] {
			t.Fatal("a key enters the index that is in it")
		}
		k.present[h] = true
	}
	if err := k.Memory.Apply(c); err != nil {
		t.Fatal(err)
	}
	if k.batch {
		return tree.New(s, batched{k}, c.Version, c.Header)
	}
	return tree.New(s, k, c.Version, c.Header)
}

// person is somebody with the keys for one leaf.
type person struct {
	leaf   *mls.LeafNode
	signer *mls.SignatureKey
	key    mls.HPKEPrivateKey
}

// world makes people and chooses at random, repeatably.
type world struct {
	*rand.Rand
	source *rand.ChaCha8
	suite  *mls.Suite
	group  []byte
}

func newWorld(t testing.TB, id mls.CipherSuite, seed byte) *world {
	t.Helper()
	src := rand.NewChaCha8([32]byte{seed})
	return &world{rand.New(src), src, suite(t, id), []byte("group")}
}

// person makes a member-to-be with capabilities that vary a little.
func (w *world) person(t testing.TB) *person {
	t.Helper()
	signer, err := w.suite.GenerateSignatureKey(w.source)
	if err != nil {
		t.Fatal(err)
	}
	key, public, err := w.suite.GenerateKeyPair(w.source)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &mls.LeafNode{
		EncryptionKey: public, SignatureKey: signer.Public(),
		Credential: mls.BasicCredential([]byte{byte(w.IntN(256)), byte(w.IntN(256)), byte(w.IntN(256)), byte(w.IntN(256))}),
		Capabilities: mls.Capabilities{
			Versions: []mls.ProtocolVersion{mls.MLS10}, CipherSuites: []mls.CipherSuite{w.suite.ID()},
			Credentials: []mls.CredentialType{mls.CredentialTypeBasic},
		},
		Source: mls.LeafNodeSourceKeyPackage, Lifetime: mls.Lifetime{NotAfter: 1 << 40},
	}
	if w.IntN(20) != 0 {
		leaf.Capabilities.Extensions = []mls.ExtensionType{6, 0x0a0a, 10, 6}
	}
	if w.IntN(40) != 0 {
		leaf.Capabilities.Proposals = []mls.ProposalType{10}
	}
	if w.IntN(30) != 0 {
		leaf.Capabilities.Credentials = append(leaf.Capabilities.Credentials, mls.CredentialTypeX509)
	}
	if err := leaf.Sign(signer, nil, 0); err != nil {
		t.Fatal(err)
	}
	return &person{leaf, signer, key}
}

// renew gives p the leaf of an Update at position i.
func (w *world) renew(t testing.TB, p *person, i mls.LeafIndex) *person {
	t.Helper()
	key, public, err := w.suite.GenerateKeyPair(w.source)
	if err != nil {
		t.Fatal(err)
	}
	leaf := p.leaf.Clone()
	leaf.EncryptionKey, leaf.Source, leaf.Lifetime, leaf.ParentHash = public, mls.LeafNodeSourceUpdate, mls.Lifetime{}, nil
	if err := leaf.Sign(p.signer, w.group, i); err != nil {
		t.Fatal(err)
	}
	return &person{leaf, p.signer, key}
}

// bare returns a path with the right number of ciphertexts that hold nothing:
// what a server, which can not open them, is satisfied with.
func bare(t testing.TB, e *tree.Edit, sender mls.LeafIndex, own *tree.OwnPath, added []mls.LeafIndex) *mls.UpdatePath {
	t.Helper()
	nodes, err := e.FilteredDirectPath(sender)
	if err != nil {
		t.Fatal(err)
	}
	path := &mls.UpdatePath{LeafNode: *own.Leaf()}
	for _, x := range nodes {
		n, err := e.Parent(x)
		if err != nil {
			t.Fatal(err)
		}
		copath := x.Left()
		if copath.Covers(sender) {
			copath = x.Right()
		}
		size, err := e.ResolutionSize(copath)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range added {
			if copath.Covers(a) {
				size--
			}
		}
		path.Nodes = append(path.Nodes, mls.UpdatePathNode{EncryptionKey: n.EncryptionKey, EncryptedPathSecret: make([]mls.HPKECiphertext, size)})
	}
	return path
}
