package publicgroup_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// world is a group of real members at a server that opens the group anew, from
// encoded records, for every request. Not all members follow: those who sleep
// have a leaf and nobody who plays them.
type world struct {
	testing.TB
	*rand.Rand
	source io.Reader // of keys
	suite  mls.CipherSuite
	cfg    publicgroup.Config
	store  *roundTripStore
	awake  map[mls.LeafIndex]*person
	made   int // clients so far
	did    map[string]int
}

type person struct {
	*group.Group
	cfg    group.Config
	client *group.Client
	kp     *mls.KeyPackage
}

// newWorld registers a group of one member who is awake.
func newWorld(t testing.TB, suite mls.CipherSuite, seed uint64, cfg publicgroup.Config) *world {
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	chacha := rand.NewChaCha8(key)
	w := &world{TB: t, Rand: rand.New(chacha), source: chacha, suite: suite, cfg: cfg, store: newRoundTripStore(),
		awake: map[mls.LeafIndex]*person{}, did: map[string]int{}}
	p := w.person()
	var err error
	senders := mls.ExternalSenders{{SignatureKey: p.client.Signer.Public(), Credential: mls.BasicCredential([]byte("service"))}}
	p.Group, err = group.Create(p.cfg, p.client, []byte("group"), must(mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &senders)))
	mustDo(err)
	info := must(p.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))
	c, err := publicgroup.Register(cfg, groupInfoMessage(info), must(p.Tree()))
	mustDo(err)
	must(publicgroup.Create(w.store, cfg, c))
	w.awake[0] = p
	return w
}

// server opens the group as it is stored.
func (w *world) server() *publicgroup.Group {
	w.Helper()
	return must(publicgroup.Open(w.store, w.cfg))
}

// person makes a client with a KeyPackage.
func (w *world) person() *person {
	store := group.NewMemoryStore()
	p := &person{cfg: group.Config{KeyPackages: store, PSKs: store, Rand: w.source}}
	w.made++
	key := must(must(w.suite.Suite()).GenerateSignatureKey(w.source))
	p.client = &group.Client{Suite: w.suite, Credential: mls.BasicCredential(fmt.Appendf(nil, "client %d", w.made)), Signer: key,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Unix()) - 1, NotAfter: uint64(now.Unix()) + 1}}
	p.kp = must(group.NewKeyPackage(p.cfg, p.client, group.KeyPackageOptions{}))
	return p
}

// anyone picks a member who is awake and not among those given.
func (w *world) anyone(not ...mls.LeafIndex) (mls.LeafIndex, *person) {
	var leaves []mls.LeafIndex
	for l := range mls.LeafIndex(w.server().Tree().Size()) {
		excluded := false
		for _, n := range not {
			excluded = excluded || n == l
		}
		if w.awake[l] != nil && !excluded {
			leaves = append(leaves, l)
		}
	}
	if len(leaves) == 0 {
		return 0, nil
	}
	l := leaves[w.IntN(len(leaves))]
	return l, w.awake[l]
}

// propose has a proposal pending at the server and with all who are awake.
func (w *world) propose(m *mls.Message, from *person) {
	w.Helper()
	data := must(mls.Marshal(m))
	g := w.server()
	staged, err := g.StageProposal(data, now)
	mustDo(err)
	w.did[fmt.Sprintf("proposal of type %v", staged.Proposal.Type)]++
	must(g.Apply(staged.Changes))
	for _, p := range w.awake {
		if p != from {
			process(w, p.Group, data)
		}
	}
}

// bundle encodes a commit, at random with the full or the partial GroupInfo.
func (w *world) bundle(c *group.Commit) *publicgroup.Bundle {
	b := &publicgroup.Bundle{Commit: must(mls.Marshal(c.Message))}
	if c.Welcome != nil {
		b.Welcome = must(mls.Marshal(c.Welcome))
	}
	if w.IntN(2) == 0 {
		b.GroupInfo = groupInfoMessage(c.GroupInfo)
	} else {
		b.PartialGroupInfo = must(mls.Marshal(c.Partial))
	}
	return b
}

// commit hands a commit to the server and to all who are awake. by is nil if the
// committer joined with it. Newcomers wake with probability 1 in few.
func (w *world) commit(c *group.Commit, by *person, joiner *person, newcomers []*person, few int) *publicgroup.StagedCommit {
	w.Helper()
	b := w.bundle(c)
	g := w.server()
	staged, err := g.StageCommit(b, now)
	if err != nil {
		w.Fatalf("epoch %d: %v", g.Epoch(), err)
	}
	must(g.Apply(staged.Changes))
	for l, p := range w.awake {
		if p == by {
			must(p.Merge())
			continue
		}
		if r := process(w, p.Group, b.Commit); r.Committed.Ended == group.EndRemoved {
			delete(w.awake, l)
		}
	}
	if joiner != nil {
		w.awake[staged.Effects.Committer] = joiner
	}
	w.wake(staged, newcomers, few)
	switch {
	case staged.Effects.External && len(staged.Effects.Removed) > 0:
		w.did["external commit with removals"]++
	case staged.Effects.External:
		w.did["external commit"]++
	case !staged.Path:
		w.did["commit without a path"]++
	case len(staged.Effects.Added)+len(staged.Effects.Removed)+len(staged.Effects.Updated) == 0:
		w.did["empty commit"]++
	}
	if len(b.PartialGroupInfo) > 0 {
		w.did["partial GroupInfo"]++
	}
	if info := must(w.server().GroupInfo()); !bytes.Equal(groupInfoMessage(info), groupInfoMessage(c.GroupInfo)) {
		w.Fatal("the server rebuilt another GroupInfo than the committer signed")
	}
	return staged
}

// wake lets some newcomers join by their Welcome, now or when they are first
// needed: the tree of their epoch stays until then.
func (w *world) wake(staged *publicgroup.StagedCommit, newcomers []*person, few int) {
	w.Helper()
	epoch := staged.Changes.Header.Context.Epoch
	for i, p := range newcomers {
		l := staged.Effects.Added[i].Leaf
		if w.IntN(few) == 0 {
			nodes := must(must(w.server().RetainedTree(epoch)).Export())
			var err error
			p.Group, err = group.JoinWelcome(p.cfg, staged.Welcome, group.JoinOptions{Tree: nodes})
			mustDo(err)
			w.awake[l] = p
		}
		g := w.server()
		must(g.Apply(must(g.StageJoined(epoch, l))))
	}
}

// check compares the server with everybody who is awake, and with a server that
// imports the group from scratch.
func (w *world) check() {
	w.Helper()
	g := w.server()
	for _, p := range w.awake {
		agree(w, g, p.Group)
	}
	fresh, err := tree.Import(tree.ImportConfig{Suite: g.Suite(), GroupID: g.Context().GroupID, Version: tree.Version(g.Epoch())}, must(g.Export()))
	if err != nil {
		w.Fatalf("epoch %d: the server's tree is invalid: %v", g.Epoch(), err)
	}
	if !bytes.Equal(must(mls.Marshal(&fresh.Header)), must(mls.Marshal(&g.Header().Tree))) {
		w.Fatalf("epoch %d: incremental and full computation disagree on the tree's header", g.Epoch())
	}
	want := map[mls.NodeIndex]*tree.Record{}
	for _, n := range fresh.Nodes {
		want[n.Index] = n.Record
	}
	for x := range mls.NodeIndex(2*fresh.Header.Size - 1) {
		have := must(w.store.Node(x, tree.Version(g.Epoch())))
		if (have == nil) != (want[x] == nil) || (have != nil && !bytes.Equal(must(mls.Marshal(have)), must(mls.Marshal(want[x])))) {
			w.Fatalf("epoch %d: incremental and full computation disagree on node %d", g.Epoch(), x)
		}
	}
	if len(fresh.KeysAdded) != len(w.store.keys) {
		w.Fatalf("epoch %d: %d keys in the index, %d in the tree", g.Epoch(), len(w.store.keys), len(fresh.KeysAdded))
	}
	for _, k := range fresh.KeysAdded {
		if !w.store.keys[k] || !must(w.store.HasKey(k)) {
			w.Fatalf("epoch %d: a key of the tree is not in the index", g.Epoch())
		}
	}
}
