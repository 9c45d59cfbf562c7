package publicgroup

import (
	"fmt"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Group is one revision of a group: an immutable view of its store. It is safe
// for concurrent use if the store is. Once a later revision is applied, what it
// stages is stale, and reading its tree may fail.
type Group struct {
	cfg    Config
	store  Store
	suite  *mls.Suite
	header *Header
}

// Open reads a group's header. It fails with [ErrNoGroup], [ErrConfig] or
// [mls.ErrUnsupportedSuite].
func Open(store Store, cfg Config) (*Group, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h, err := store.Header()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, ErrNoGroup
	}
	s, err := h.Context.CipherSuite.Suite()
	if err != nil {
		return nil, err
	}
	return &Group{cfg: cfg, store: store, suite: s, header: h}, nil
}

// Apply writes changes that g staged and returns the group as it then is. It
// fails with [ErrStale] if another change came first: of all commits staged for
// an epoch, one is applied.
func (g *Group) Apply(c *Changes) (*Group, error) {
	if c.Base != g.header.Revision {
		return nil, ErrStale
	}
	if err := g.store.Apply(c); err != nil {
		return nil, err
	}
	next := *g
	next.header = c.Header
	return &next, nil
}

// Header returns the group's header record, which must not be modified.
func (g *Group) Header() *Header { return g.header }

// Suite returns the group's cipher suite.
func (g *Group) Suite() *mls.Suite { return g.suite }

// Epoch returns the current epoch.
func (g *Group) Epoch() uint64 { return g.header.Context.Epoch }

// Context returns the current GroupContext, which must not be modified.
func (g *Group) Context() *mls.GroupContext { return &g.header.Context }

// Tree returns the current tree. Its methods answer questions about members and
// cut slices; see [Group.RetainedTree] for earlier epochs.
func (g *Group) Tree() *tree.Tree {
	return tree.New(g.suite, g.store, tree.Version(g.Epoch()), g.header.Tree)
}

// Leaf returns a member's leaf, or [tree.ErrNoMember]. It reads one record.
func (g *Group) Leaf(l mls.LeafIndex) (*mls.LeafNode, error) { return g.Tree().Leaf(l) }

// Slice returns the annotated slice of a leaf: the nodes above it and the tree
// hashes beside the path, which prove its place to whoever trusts the tree hash.
func (g *Group) Slice(l mls.LeafIndex) (*tree.Slice, error) { return g.Tree().Slice(l) }

// Export returns the whole tree. It reads every node record.
func (g *Group) Export() (mls.RatchetTree, error) { return g.Tree().Export() }

// state returns the epoch for the rules of package epoch, over a store that
// reads each node record once.
func (g *Group) state() (*epoch.State, error) {
	t := tree.New(g.suite, newReadOnce(g.store), tree.Version(g.Epoch()), g.header.Tree)
	s, err := epoch.NewState(t, g.header.Context, g.header.InterimTranscriptHash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	return s, nil
}

// changes returns the changes that lead from g to h, with nothing but the
// header in them yet.
func (g *Group) changes(h *Header) *Changes {
	oldest := h.Context.Epoch
	if len(h.Retained) > 0 {
		oldest = h.Retained[0]
	}
	return &Changes{Base: g.header.Revision, Header: h, Release: tree.Version(oldest)}
}
