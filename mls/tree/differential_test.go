package tree_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// history drives a tree and the model through the same random commits.
type history struct {
	*world
	model  *model
	tree   *tree.Tree
	store  *keyed
	people map[mls.LeafIndex]*person
	target int // members that it is drawn to
	// members follow with their private keys, unless nil: what they do costs
	// an HPKE encryption and decryption for each member and commit.
	members map[mls.LeafIndex]*tree.Private
}

func newHistory(t testing.TB, seed byte) *history {
	w := newWorld(t, mls.X25519AES128GCM, seed)
	h := &history{world: w, model: newModel(w.suite), store: newKeyed(), people: make(map[mls.LeafIndex]*person)}
	e := tree.Empty(w.suite, h.store, 7).Edit()
	p := w.person(t)
	if i, err := e.AddLeaf(p.leaf); err != nil || i != 0 {
		t.Fatal(i, err)
	}
	h.model.add(p.leaf)
	h.people[0] = p
	c, err := e.Changes()
	must(t, err)
	h.tree = h.store.apply(t, h.suite, c)
	return h
}

func (h *history) pick() mls.LeafIndex {
	members := h.model.members()
	return members[h.IntN(len(members))]
}

// commit makes one random commit: updates, removals, additions, and perhaps a
// path by a member or by someone who joins with it. Everything happens to two
// edits: the committer's, which makes the path, and a receiver's, which merges
// it.
func (h *history) commit(t testing.TB) {
	t.Helper()
	n := len(h.model.members())
	ours, theirs := h.tree.Edit(), h.tree.Edit()
	both := func(f func(*tree.Edit) error) {
		t.Helper()
		must(t, f(ours))
		must(t, f(theirs))
	}
	sender := h.pick()
	touched := map[mls.LeafIndex]bool{sender: true}
	for range h.IntN(3) {
		if i := h.pick(); !touched[i] {
			touched[i] = true
			h.people[i] = h.renew(t, h.people[i], i)
			both(func(e *tree.Edit) error { return e.UpdateLeaf(i, h.people[i].leaf) })
			h.model.update(i, h.people[i].leaf)
			if h.members != nil {
				h.members[i] = h.members[i].Rekey(h.people[i].key)
			}
		}
	}
	removals, additions := h.IntN(4), h.IntN(4)
	if n > h.target {
		removals += h.IntN(1 + min(n-h.target, 40))
	} else {
		additions += h.IntN(1 + min(h.target-n, 40))
	}
	for range removals {
		if i := h.pick(); !touched[i] {
			both(func(e *tree.Edit) error { return e.RemoveLeaf(i) })
			h.model.remove(i)
			delete(h.people, i)
			delete(h.members, i)
		}
	}
	var added []mls.LeafIndex
	for range additions {
		p := h.person(t)
		i := h.model.add(p.leaf)
		both(func(e *tree.Edit) error {
			if got, err := e.AddLeaf(p.leaf); err != nil || got != i {
				t.Fatalf("added at %d, want %d: %v", got, i, err)
			}
			return nil
		})
		h.people[i] = p
		added = append(added, i)
	}
	var own *tree.OwnPath
	switch h.IntN(4) {
	case 0:
		h.prune(t, theirs)
	case 1: // someone joins with the path
		sender = h.model.vacancy()
		h.people[sender] = h.person(t)
		h.model.place(h.people[sender].leaf)
		own = h.path(t, ours, theirs, sender, added)
	default:
		own = h.path(t, ours, theirs, sender, added)
	}
	changes, err := ours.Changes()
	must(t, err)
	received, err := theirs.Changes()
	must(t, err)
	if !reflect.DeepEqual(changes, received) {
		t.Fatal("committer and receiver differ")
	}
	h.tree = h.store.apply(t, h.suite, changes)
	h.welcome(t, own, sender, added)
}

// path has sender make a path in one edit and merges it in the other.
func (h *history) path(t testing.TB, ours, theirs *tree.Edit, sender mls.LeafIndex, added []mls.LeafIndex) *tree.OwnPath {
	t.Helper()
	p := h.people[sender]
	own, err := ours.CreatePath(h.source, sender, p.leaf, p.signer, h.group)
	must(t, err)
	must(t, own.Leaf().Check(h.suite, mls.LeafNodeSourceCommit))
	must(t, own.Leaf().VerifySignature(h.suite, h.group, sender))
	p.leaf = own.Leaf()
	filtered := h.model.filtered(sender)
	if got, err := ours.FilteredDirectPath(sender); err != nil || !slices.Equal(got, filtered) {
		t.Fatalf("filtered direct path %v, want %v: %v", got, filtered, err)
	}
	nodes := make([]*mls.ParentNode, len(filtered))
	for i, x := range filtered {
		nodes[i], err = ours.Parent(x)
		must(t, err)
	}
	h.model.path(sender, own.Leaf(), nodes)
	if h.members == nil {
		must(t, theirs.MergePath(sender, bare(t, ours, sender, own, added)))
		return own
	}
	context := []byte("context")
	sealed, err := own.Seal(context)
	must(t, err)
	must(t, theirs.MergePath(sender, sealed))
	delete(h.members, sender)
	for i, p := range h.members {
		after, commit, err := p.OpenPath(theirs, sender, sealed, context)
		if err != nil || !commit.Equal(own.CommitSecret()) {
			t.Fatalf("leaf %d, path of %d: %v", i, sender, err)
		}
		h.members[i] = after
	}
	h.members[sender] = own.Private()
	return own
}

// prune has the members follow a commit without a path.
func (h *history) prune(t testing.TB, e *tree.Edit) {
	t.Helper()
	for i, p := range h.members {
		after, err := p.Prune(e)
		must(t, err)
		h.members[i] = after
	}
}

// welcome has the added ones join, and checks what each member holds.
func (h *history) welcome(t testing.TB, own *tree.OwnPath, sender mls.LeafIndex, added []mls.LeafIndex) {
	t.Helper()
	if h.members == nil {
		return
	}
	for _, i := range added {
		h.members[i] = tree.NewPrivate(i, h.people[i].key)
		if own == nil {
			continue
		}
		pathSecret, err := own.PathSecret(i)
		must(t, err)
		h.members[i], err = h.members[i].Join(h.tree, sender, pathSecret)
		must(t, err)
	}
	if len(h.members) != len(h.people) {
		t.Fatalf("%d members, %d follow", len(h.people), len(h.members))
	}
	for i, p := range h.members {
		checkHeld(t, h.tree.Edit(), p)
		restored := decode[tree.Private](t, marshal(t, p))
		if restored.Leaf() != i || !reflect.DeepEqual(marshal(t, &restored), marshal(t, p)) {
			t.Fatal("private keys do not survive encoding")
		}
	}
}

// TestMembersFollow has every member of a smaller group follow with its private
// keys: what the committer encrypts is for exactly those who can open it, and
// all hold the keys of the tree invariant and no others.
func TestMembersFollow(t *testing.T) {
	for seed := range byte(3) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, 100+seed)
			h.members = map[mls.LeafIndex]*tree.Private{0: tree.NewPrivate(0, h.people[0].key)}
			for i := range 90 {
				if i%15 == 0 {
					h.target = []int{12, 28, 3, 20}[(i/15+int(seed))%4]
				}
				h.commit(t)
				h.model.check(t, h.tree, h.store)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestHistories compares the incremental tree with the model after each commit
// of random histories that grow, shrink to a handful and grow again, and has
// Import verify the whole tree from time to time.
func TestHistories(t *testing.T) {
	for seed := range byte(3) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			h.store.batch = seed%2 == 1
			largest, halved := 0, 0
			var past *tree.Tree
			var pastModel model
			for i := range 300 {
				if i%50 == 0 {
					h.target = []int{60, 5, 300, 130, 20, 200, 1}[(i/50+int(seed))%7]
				}
				size := h.tree.Size()
				if i%20 == 0 {
					past, pastModel = h.tree, model{h.suite, slices.Clone(h.model.nodes)}
				}
				h.commit(t)
				if i%5 == 0 {
					pastModel.checkNodes(t, past, h.store)
				}
				if i%20 == 10 {
					h.store.Release(past.Version())
				}
				h.model.check(t, h.tree, h.store)
				largest = max(largest, len(h.people))
				if h.tree.Size() < size {
					halved++
				}
				if i%7 == 0 {
					h.reimport(t)
				}
			}
			if largest < 120 || halved < 2 {
				t.Errorf("history too tame: %d members, %d truncations", largest, halved)
			}
		})
	}
}

// reimport verifies the exported tree and compares the records that come of it.
func (h *history) reimport(t testing.TB) {
	t.Helper()
	nodes, err := h.tree.Export()
	must(t, err)
	if want := h.model.export(); !reflect.DeepEqual(nodes, want) {
		t.Fatal("exported tree differs")
	}
	c, err := tree.Import(tree.ImportConfig{Suite: h.suite, GroupID: h.group, Version: 3}, nodes)
	must(t, err)
	if c.Version != 3 || !reflect.DeepEqual(c.Header, h.tree.Header()) {
		t.Fatal("imported header differs")
	}
	for _, w := range c.Nodes {
		r, err := h.store.Node(w.Index, h.tree.Version())
		must(t, err)
		if !reflect.DeepEqual(r, w.Record) {
			t.Fatalf("imported record of node %d differs", w.Index)
		}
	}
	if len(c.KeysAdded) != len(h.store.present) {
		t.Fatal("imported keys differ")
	}
}
