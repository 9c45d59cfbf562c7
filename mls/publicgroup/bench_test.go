package publicgroup_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

var sizes = []int{100, 1000, 10_000, 50_000}

// encodedStore holds one revision of a group as octets: reading decodes, and
// applying encodes and drops, so that one message can be handled any number of
// times and each time costs what a store on disk would make the server do.
type encodedStore struct {
	header []byte
	nodes  map[mls.NodeIndex][]byte
	keys   map[tree.KeyHash]struct{}

	reads, writes, keyOps, readBytes, writtenBytes int
}

func (s *encodedStore) read(b []byte, v mls.Unmarshaler) error {
	s.reads++
	s.readBytes += len(b)
	return mls.Unmarshal(b, v)
}

func (s *encodedStore) write(v mls.Marshaler) error {
	b, err := mls.Marshal(v)
	s.writes++
	s.writtenBytes += len(b)
	return err
}

func (s *encodedStore) Header() (*publicgroup.Header, error) {
	h := new(publicgroup.Header)
	return h, s.read(s.header, h)
}

func (s *encodedStore) Node(x mls.NodeIndex, _ tree.Version) (*tree.Record, error) {
	b, ok := s.nodes[x]
	if !ok {
		s.reads++
		return nil, nil
	}
	r := new(tree.Record)
	return r, s.read(b, r)
}

func (s *encodedStore) HasKey(k tree.KeyHash) (bool, error) {
	s.keyOps++
	_, ok := s.keys[k]
	return ok, nil
}

func (s *encodedStore) Proposal(mls.ProposalRef) (*publicgroup.Pending, error) { return nil, nil }

func (s *encodedStore) Retained(uint64) (*publicgroup.Retained, error) { return nil, nil }

func (s *encodedStore) Apply(c *publicgroup.Changes) error {
	if err := s.write(c.Header); err != nil {
		return err
	}
	for _, n := range c.Tree.Nodes {
		if n.Record == nil {
			s.writes++
			continue
		}
		if err := s.write(n.Record); err != nil {
			return err
		}
	}
	for _, r := range c.Retained {
		if err := s.write(r.Record); err != nil {
			return err
		}
	}
	s.keyOps += len(c.Tree.KeysAdded) + len(c.Tree.KeysRemoved)
	return nil
}

// large is a group of n members, all of whom have committed: no blank and no
// unmerged leaf. Leaf 0 is played; the others' keys and signatures are made up,
// which nothing but an import would notice.
type large struct {
	*scene
	encoded *encodedStore
}

var (
	largeMu sync.Mutex
	larges  = map[int]*large{}
)

func largeGroup(b testing.TB, n int) *large {
	largeMu.Lock()
	defer largeMu.Unlock()
	if l := larges[n]; l != nil {
		l.scene.TB = b
		return l
	}
	s := &scene{TB: b, suite: must(mls.X25519AES128GCM.Suite()), rand: rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}),
		keys: map[mls.LeafIndex]*mls.SignatureKey{}, cfg: publicgroup.Config{ExternalJoins: true}}
	s.keys[0] = must(s.suite.GenerateSignatureKey(s.rand))
	s.pub = s.bytes()
	nodes := make(mls.RatchetTree, 2*n-1)
	for i := range nodes {
		x := mls.NodeIndex(i)
		if !x.IsLeaf() {
			nodes[i].Parent = &mls.ParentNode{EncryptionKey: s.bytes(), ParentHash: s.bytes()}
			continue
		}
		leaf := s.leaf(s.keys[0])
		if x > 0 {
			leaf.SignatureKey = s.bytes()
			leaf.Credential = mls.BasicCredential(leaf.SignatureKey[:16])
		}
		leaf.Source, leaf.ParentHash, leaf.Lifetime = mls.LeafNodeSourceCommit, s.bytes(), mls.Lifetime{}
		leaf.Signature = make([]byte, 64)
		must(io.ReadFull(s.rand, leaf.Signature))
		nodes[i].Leaf = leaf
	}
	t := must(tree.Build(tree.ImportConfig{Suite: s.suite, GroupID: []byte("group"), Version: 1}, nodes))
	h := &publicgroup.Header{Revision: 1, Tree: t.Header, InterimTranscriptHash: s.bytes(), ConfirmationTag: s.bytes(),
		Context: mls.GroupContext{Version: mls.MLS10, CipherSuite: s.suite.ID(), GroupID: []byte("group"), Epoch: 1,
			TreeHash: t.Header.Hash, ConfirmedTranscriptHash: s.bytes()}}
	h.Info = &publicgroup.Info{Signature: make([]byte, 64),
		Extensions: must(mls.Extensions{}.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: s.pub}))}

	l := &large{scene: s, encoded: &encodedStore{header: must(mls.Marshal(h)), nodes: map[mls.NodeIndex][]byte{}, keys: map[tree.KeyHash]struct{}{}}}
	for _, w := range t.Nodes {
		l.encoded.nodes[w.Index] = must(mls.Marshal(w.Record))
	}
	for _, k := range t.KeysAdded {
		l.encoded.keys[k] = struct{}{}
	}
	s.store = &countingStore{Store: l.encoded}
	s.group = must(publicgroup.Open(l.encoded, s.cfg))
	larges[n] = l
	return l
}

// run hands a bundle to the server again and again: the group is opened, the
// commit checked, and what changes encoded.
func (l *large) run(b *testing.B, bundle *publicgroup.Bundle) {
	s := l.encoded
	handle := func() {
		g, err := publicgroup.Open(s, l.cfg)
		if err != nil {
			b.Fatal(err)
		}
		staged, err := g.StageCommit(bundle, now)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.Apply(staged.Changes); err != nil {
			b.Fatal(err)
		}
	}
	handle() // fills the memory of blank subtrees' hashes
	s.reads, s.writes, s.keyOps, s.readBytes, s.writtenBytes = 0, 0, 0, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		handle()
	}
	n := float64(b.N)
	b.ReportMetric(float64(s.reads)/n, "recs-read/op")
	b.ReportMetric(float64(s.writes)/n, "recs-written/op")
	b.ReportMetric(float64(s.readBytes)/n, "read-B/op")
	b.ReportMetric(float64(s.writtenBytes)/n, "written-B/op")
	b.ReportMetric(float64(s.readBytes+s.writtenBytes)/n, "store-B/op")
	b.ReportMetric(float64(s.keyOps)/n, "key-ops/op")
}

func benchmark(b *testing.B, make func(*large) commit) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			l := largeGroup(b, n)
			l.run(b, l.build(make(l)))
		})
	}
}

func partial(c commit) commit {
	c.partial = true
	return c
}

// BenchmarkUpdateCommit: a member renews its keys.
func BenchmarkUpdateCommit(b *testing.B) {
	benchmark(b, func(l *large) commit { return partial(commit{}) })
}

// BenchmarkAdd: a member adds one.
func BenchmarkAdd(b *testing.B) {
	benchmark(b, func(l *large) commit { return partial(commit{values: []*mls.Proposal{l.client().add()}}) })
}

// BenchmarkRemove: a member removes one half the tree away.
func BenchmarkRemove(b *testing.B) {
	benchmark(b, func(l *large) commit {
		return partial(commit{values: []*mls.Proposal{remove(mls.LeafIndex(l.group.Tree().Members() / 2))}})
	})
}

// BenchmarkExternalCommit: somebody joins by a commit of its own.
func BenchmarkExternalCommit(b *testing.B) {
	benchmark(b, func(l *large) commit { return partial(l.join(l.client())) })
}

// BenchmarkImport takes over a group of 1,000 members, of whom one has
// committed.
func BenchmarkImport(b *testing.B) {
	const members = 1000
	s := newScene(b, mls.X25519AES128GCM, publicgroup.Config{ExternalJoins: true})
	s.fill(members)
	gi, nodes := groupInfoMessage(must(s.group.GroupInfo())), must(s.group.Export())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := publicgroup.Import(s.cfg, gi, nodes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/1000-leaves")
}

// TestCostOfCommits: one commit touches a number of records that grows with the
// height of the tree, and an application message none.
func TestCostOfCommits(t *testing.T) {
	for _, n := range sizes[:3] {
		l := largeGroup(t, n)
		s := l.encoded
		height := 0
		for size := l.group.Tree().Size(); size > 1; size /= 2 {
			height++
		}
		for _, c := range []struct {
			name                  string
			commit                commit
			reads, writes, keyOps int
		}{
			// The header, a leaf, and the parents above. The keys of the path are
			// looked up, added, and those before removed.
			{"update", commit{}, 2 + height, 2 + height, 4 * (height + 2)},
			{"add", commit{values: []*mls.Proposal{l.client().add()}}, 3 + 2*height, 4 + 2*height, 4*(height+2) + 4},
			{"remove", commit{values: []*mls.Proposal{remove(mls.LeafIndex(n / 2))}}, 3 + 2*height, 3 + 2*height, 5*(height+2) + 2},
			{"external commit", l.join(l.client()), 2 + height, 3 + height, 4 * (height + 3)},
		} {
			bundle := l.build(c.commit)
			*s = encodedStore{header: s.header, nodes: s.nodes, keys: s.keys}
			g := must(publicgroup.Open(s, l.cfg))
			staged, err := g.StageCommit(bundle, now)
			if err != nil {
				t.Fatal(err)
			}
			must(g.Apply(staged.Changes))
			if s.reads > c.reads || s.writes > c.writes || s.keyOps > c.keyOps {
				t.Errorf("%s at %d members: %d reads, %d writes, %d key operations; want at most %d, %d, %d", c.name, n,
					s.reads, s.writes, s.keyOps, c.reads, c.writes, c.keyOps)
			}
			if c.name == "update" && n == 10_000 && (s.reads > 20 || s.writes > 20 || s.readBytes > 16<<10 || s.writtenBytes > 16<<10) {
				t.Errorf("an update touches %d and %d records, %d and %d octets", s.reads, s.writes, s.readBytes, s.writtenBytes)
			}
		}
		*s = encodedStore{header: s.header, nodes: s.nodes, keys: s.keys}
		if _, err := l.group.CheckPrivate(l.privateMessage(nil)); err != nil || s.reads+s.writes+s.keyOps > 0 {
			t.Errorf("an application message: %v, %d reads, %d writes", err, s.reads, s.writes)
		}
	}
}
