package group

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Committed tells what a commit did.
type Committed struct {
	Epoch uint64 // the new epoch
	// Committer is the leaf of the committer, for an external commit the one it
	// took.
	Committer mls.LeafIndex
	External  bool
	Own       bool // this client made the commit
	// Path is the committer's leaf before and after; New is nil if the commit
	// had no path, Old if the committer joined by it.
	Path epoch.Change

	Updated, Removed, Added []epoch.Change
	// Extensions are the new GroupContext's.
	Extensions mls.Extensions
	PSKs       []mls.PreSharedKeyID
	// Others are AppEphemeral proposals and those of types unknown to package
	// mls, for the application.
	Others []*epoch.Proposal
	ReInit *mls.ReInit

	// Ended says whether the commit ended the group for this client. If it
	// removed the client, the group stays in the epoch before.
	Ended End
}

// next is an epoch that is prepared and not entered yet.
type next struct {
	current // without secrets if the client is removed
	changes *tree.Changes
	what    *Committed
}

// committed sums up a list of proposals that was applied, with the path that
// newLeaf belongs to, nil for none.
func committed(before *epoch.State, a *epoch.Applied, newLeaf *mls.LeafNode) *Committed {
	c := &Committed{
		Epoch: before.Context.Epoch + 1, Committer: a.Committer, External: a.External,
		Path:    epoch.Change{Leaf: a.Committer, New: newLeaf},
		Updated: a.Updated, Removed: a.Removed, Added: a.Added, Extensions: a.Extensions,
		PSKs: a.PSKs, Others: a.Others, ReInit: a.ReInit,
	}
	if !a.External && newLeaf != nil {
		c.Path.Old, _ = before.Leaf(a.Committer)
	}
	if c.ReInit != nil {
		c.Ended = EndReInit
	}
	return c
}

// changed lists the leaves that hold somebody or something else afterwards.
func (c *Committed) changed() []mls.LeafIndex {
	var out []mls.LeafIndex
	for _, list := range [][]epoch.Change{c.Updated, c.Removed, c.Added} {
		for _, change := range list {
			out = append(out, change.Leaf)
		}
	}
	if c.Path.New != nil {
		out = append(out, c.Path.Leaf)
	}
	return out
}

// enter moves the group to the next epoch. Nothing here can fail but by a broken
// invariant: the changes were made for the tree that the store holds.
func (g *Group) enter(n *next) *Committed {
	g.discard()
	g.retire(n.what.changed())
	g.queue = queue{}
	g.pathNext = false
	if n.what.Ended == EndRemoved {
		g.ended = EndRemoved
		return n.what
	}
	if err := g.store.Apply(n.changes); err != nil {
		panic("group: changes do not fit the tree: " + err.Error())
	}
	g.store.Release(n.changes.Version)
	g.now = n.current
	g.ended, g.reInit = n.what.Ended, n.what.ReInit
	if g.ended == EndReInit {
		// There is no next epoch, and nobody joins this one.
		g.now.secrets.Init.Wipe()
		g.now.secrets.External.Wipe()
	}
	return n.what
}

// retire turns the current epoch into a past one and deletes its secrets.
// changed are the leaves that differ in the next epoch.
func (g *Group) retire(changed []mls.LeafIndex) {
	if g.cfg.PastEpochs > 0 {
		g.past = append([]*pastEpoch{newPastEpoch(&g.now, changed)}, g.past...)
	}
	g.past = g.past[:min(len(g.past), g.cfg.PastEpochs)]
	if g.cfg.ResumptionEpochs > 0 {
		r := resumption{g.Epoch(), clone(g.now.secrets.Resumption)}
		g.resume = append([]resumption{r}, g.resume...)
	}
	g.resume = g.resume[:min(len(g.resume), g.cfg.ResumptionEpochs)]
	g.now.wipe()
}

// lookUp returns a leaf, or nil if there is none.
func lookUp(s *epoch.State, l mls.LeafIndex) (*mls.LeafNode, error) {
	leaf, err := s.Tree.Leaf(l)
	if errors.Is(err, tree.ErrNoMember) {
		return nil, nil
	}
	return leaf, err
}
