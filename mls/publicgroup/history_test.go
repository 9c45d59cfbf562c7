package publicgroup_test

import (
	"errors"
	"flag"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

var (
	long = flag.Bool("long", false, "play longer histories of larger groups")
	seed = flag.Uint64("seed", 1, "seed of the histories")
)

// TestHistory plays a long random history. After every epoch the server, a
// server that starts from scratch, and the members agree on the tree, the
// transcript and the GroupInfo.
func TestHistory(t *testing.T) {
	epochs, most := 400, 150
	if *long {
		epochs, most = 3000, 400
	}
	t.Logf("seed %d", *seed)
	cfg := publicgroup.Config{ExternalJoins: true, CoverRemovals: true, RetainedEpochs: 3}
	w := newWorld(t, mls.X25519AES128GCM, *seed, cfg)
	largest, cut := uint32(0), 0
	for w.server().Epoch() < uint64(epochs) {
		before := w.server().Tree().Size()
		w.step(most)
		w.check()
		after := w.server().Tree()
		largest = max(largest, after.Members())
		if after.Size() < before {
			cut++
		}
	}
	t.Logf("%d epochs, at most %d members, tree cut %d times, %d clients; %v", w.server().Epoch(), largest, cut, w.made, w.did)
	for _, kind := range []string{"external commit", "external commit with removals", "commit without a path", "empty commit",
		"partial GroupInfo", "lost race", "proposal of type 0x0001", "proposal of type 0x0002", "proposal of type 0x0003",
		"proposal of type 0x000a"} {
		if w.did[kind] == 0 {
			t.Errorf("the history has no %s", kind)
		}
	}
	if largest < uint32(most)*2/3 || cut == 0 {
		t.Error("the history did not reach the sizes that it is for")
	}
}

// step brings the group to another epoch.
func (w *world) step(most int) {
	w.Helper()
	members := int(w.server().Tree().Members())
	by, p := w.anyone()
	switch n := w.IntN(100); {
	case len(w.awake) > 8: // few enough to be quick
		w.removeSome(by, p, []mls.LeafIndex{w.other(by)})
	case n < 20:
		w.commit(w.drafts(p, group.CommitOptions{ForcePath: true}), p, nil, nil, 1)
	case n < 40 && members < most:
		w.add(p, 1+w.IntN(3), w.IntN(2) == 0)
	case n < 45 && members < most:
		w.add(p, 1+w.IntN(most-members), true)
	case n < 60:
		w.proposals(members < most)
	case n < 72 && members < most:
		w.joinExternally(-1)
	case n < 80 && len(w.awake) > 1:
		w.joinExternally(int(by))
	case n < 95 && members > 2:
		w.removeSome(by, p, w.targets(by, 1+w.IntN(3)))
	case n >= 97:
		w.cut(by, p)
	default:
		w.race(by, p)
	}
}

// drafts makes a commit that is pending at its committer.
func (w *world) drafts(p *person, o group.CommitOptions) *group.Commit {
	w.Helper()
	o.GroupInfo.ExternalPub = true
	c, err := p.Commit(o)
	mustDo(err)
	return c
}

// add adds clients by value, with or without a path. Some of them wake.
func (w *world) add(p *person, n int, path bool) {
	w.Helper()
	var o group.CommitOptions
	var newcomers []*person
	for range n {
		newcomers = append(newcomers, w.person())
		o.Proposals = append(o.Proposals, group.Add(newcomers[len(newcomers)-1].kp))
	}
	o.ForcePath = path || n+int(w.server().Header().PathlessAdds) > 64
	w.commit(w.drafts(p, o), p, nil, newcomers, max(2, n/2))
}

// proposals lets several members propose, and another one commit what may be
// committed together.
func (w *world) proposals(grow bool) {
	w.Helper()
	by, p := w.anyone()
	var newcomers []*person
	for range 1 + w.IntN(5) {
		l, q := w.anyone(by)
		if q == nil {
			break
		}
		var m *mls.Message
		var err error
		switch w.IntN(5) {
		case 0:
			m, err = q.Propose(group.SelfRemove(), group.MessageOptions{})
		case 1:
			m, err = q.ProposeUpdate(nil, group.MessageOptions{})
		case 2:
			if len(newcomers) > 0 || !grow { // the committer chooses their order
				continue
			}
			newcomers = append(newcomers, w.person())
			m, err = q.Propose(group.Add(newcomers[0].kp), group.MessageOptions{})
		case 3:
			target := w.targets(by, 1)
			if len(target) == 0 || target[0] == l {
				continue
			}
			m, err = q.Propose(group.Remove(target[0]), group.MessageOptions{})
		default:
			m, err = q.ProposeUpdate(nil, group.MessageOptions{AuthenticatedData: []byte{1}})
		}
		mustDo(err)
		data := must(mls.Marshal(m))
		if _, err := w.server().StageProposal(data, now); errors.Is(err, publicgroup.ErrSecondSelfRemove) || errors.Is(err, publicgroup.ErrKnownProposal) {
			continue
		}
		w.propose(m, q)
	}
	w.commit(w.drafts(p, group.CommitOptions{}), p, nil, newcomers, 2)
}

// joinExternally lets somebody join, or the member at a leaf come back. Pending
// SelfRemoves go along.
func (w *world) joinExternally(again int) {
	w.Helper()
	var o group.ExternalOptions
	joiner := w.person()
	old := mls.LeafIndex(again)
	if again >= 0 {
		o.Remove = &old
		joiner.client.Credential = w.awake[old].client.Credential
	}
	if l, q := w.anyone(old); q != nil && len(w.awake) > 3 && w.IntN(2) == 0 {
		m, err := q.Propose(group.SelfRemove(), group.MessageOptions{})
		mustDo(err)
		w.propose(m, q)
		_ = l
	}
	j, err := w.server().ExternalJoin()
	mustDo(err)
	o.Tree, o.GroupInfo = j.Tree, group.GroupInfoOptions{ExternalPub: true}
	for _, data := range j.SelfRemoves {
		var m mls.Message
		mustDo(mls.Unmarshal(data, &m))
		o.SelfRemoves = append(o.SelfRemoves, m.PublicMessage)
	}
	var c *group.Commit
	joiner.Group, c, err = group.JoinExternal(joiner.cfg, joiner.client, j.GroupInfo, o)
	mustDo(err)
	w.commit(c, nil, joiner, nil, 1)
}

// targets picks up to n members other than one who is to stay.
func (w *world) targets(stay mls.LeafIndex, n int) (leaves []mls.LeafIndex) {
	g := w.server().Tree()
	for range n {
		l := mls.LeafIndex(w.IntN(int(g.Size())))
		if _, err := g.Leaf(l); err != nil || l == stay {
			continue
		}
		fresh := true
		for _, have := range leaves {
			fresh = fresh && have != l
		}
		if fresh {
			leaves = append(leaves, l)
		}
	}
	return leaves
}

func (w *world) other(not mls.LeafIndex) mls.LeafIndex {
	l, _ := w.anyone(not)
	return l
}

func (w *world) removeSome(by mls.LeafIndex, p *person, leaves []mls.LeafIndex) {
	w.Helper()
	var o group.CommitOptions
	for _, l := range leaves {
		o.Proposals = append(o.Proposals, group.Remove(l))
	}
	w.commit(w.drafts(p, o), p, nil, nil, 1)
}

// cut removes everybody to the right of the committer, so that the tree shrinks.
func (w *world) cut(by mls.LeafIndex, p *person) {
	w.Helper()
	var o group.CommitOptions
	mustDo(w.server().Tree().EachLeaf(func(l mls.LeafIndex, _ *mls.LeafNode) error {
		if l > by {
			o.Proposals = append(o.Proposals, group.Remove(l))
		}
		return nil
	}))
	o.ForcePath = true
	w.commit(w.drafts(p, o), p, nil, nil, 1)
}

// race lets two members commit. One wins, whatever the order of staging.
func (w *world) race(by mls.LeafIndex, p *person) {
	w.Helper()
	_, q := w.anyone(by)
	first := w.drafts(p, group.CommitOptions{ForcePath: true})
	if q == nil {
		w.commit(first, p, nil, nil, 1)
		return
	}
	second := w.bundle(w.drafts(q, group.CommitOptions{ForcePath: true}))
	g := w.server()
	staged, err := g.StageCommit(second, now)
	mustDo(err)
	w.commit(first, p, nil, nil, 1)
	if _, err := g.Apply(staged.Changes); !errors.Is(err, publicgroup.ErrStale) {
		w.Fatalf("the second commit of an epoch was applied: %v", err)
	}
	w.did["lost race"]++
	if _, err := w.server().StageCommit(second, now); !errors.Is(err, epoch.ErrWrongEpoch) {
		w.Fatalf("the second commit of an epoch was accepted: %v", err)
	}
}
