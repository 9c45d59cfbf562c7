package tree

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// ImportConfig says how a tree enters an empty store.
type ImportConfig struct {
	Suite *mls.Suite
	// GroupID is part of what leaves of the sources update and commit sign.
	GroupID []byte
	// Version is the version that the store holds afterwards.
	Version Version
	// MaxLeaves bounds the leaf indexes, as [Edit.LimitLeaves] does. 0 means
	// [mls.MaxLeaves].
	MaxLeaves uint32
}

// Import verifies a tree and returns what fills an empty [Store] with it. It
// does all that RFC 9420, Section 12.4.3.1, asks of a tree by itself: nodes at
// the right places, a member at the right end, every leaf well-formed, with its
// signature and with capabilities that cover its own content, all credential
// types in use supported by all, unmerged leaves that their parents' ancestors
// know, keys that are unique, and each parent linked by exactly one parent hash
// to a descendant (Section 7.9.2). Whether the tree hash is the GroupContext's,
// and what policy says about the members, is for the caller.
//
// It computes one signature verification per member, on all cores, and
// O(N log N) hashes at most. Errors are [ErrShape], [ErrFull], [ErrUnmerged],
// [ErrParentHash], [ErrDuplicateKey], [ErrCensus], [ErrUnsupported], and those
// of [mls.LeafNode.Check] and [mls.LeafNode.VerifySignature].
func Import(cfg ImportConfig, nodes mls.RatchetTree) (*Changes, error) {
	b, c, err := build(cfg, nodes)
	if err != nil {
		return nil, err
	}
	if err := c.Header.Census.CheckCredentials(); err != nil {
		return nil, err
	}
	if err := b.checkParents(); err != nil {
		return nil, err
	}
	if err := checkLeaves(cfg, nodes); err != nil {
		return nil, err
	}
	return c, nil
}

// Build is [Import] for a tree that this program verified before, such as a
// member's own saved state: it checks what the records rely on, that is shape,
// unmerged leaves and unique keys, and neither signatures nor parent hashes.
func Build(cfg ImportConfig, nodes mls.RatchetTree) (*Changes, error) {
	_, c, err := build(cfg, nodes)
	return c, err
}

// checkLeaves verifies each leaf by itself.
func checkLeaves(cfg ImportConfig, nodes mls.RatchetTree) error {
	return parallel((len(nodes)+1)/2, func(i int) error {
		leaf := nodes[2*i].Leaf
		if leaf == nil {
			return nil
		}
		if err := leaf.Check(cfg.Suite, leaf.Source); err != nil {
			return err
		}
		return leaf.VerifySignature(cfg.Suite, cfg.GroupID, mls.LeafIndex(i))
	})
}

// builder makes the records of a given tree.
type builder struct {
	suite   *mls.Suite
	nodes   mls.RatchetTree
	size    uint32
	records []*Record // by node index, of the full tree
	keys    map[KeyHash]struct{}
}

func build(cfg ImportConfig, nodes mls.RatchetTree) (*builder, *Changes, error) {
	limit := cfg.MaxLeaves
	if limit == 0 || limit > mls.MaxLeaves {
		limit = mls.MaxLeaves
	}
	if len(nodes) == 0 || nodes[len(nodes)-1].Leaf == nil {
		return nil, nil, fmt.Errorf("%w: no member at the right end", ErrShape)
	}
	if uint64(len(nodes)+1)/2 > uint64(limit) {
		return nil, nil, ErrFull
	}
	b := &builder{suite: cfg.Suite, nodes: nodes, size: nodes.Leaves(),
		records: make([]*Record, 2*nodes.Leaves()-1), keys: make(map[KeyHash]struct{}, len(nodes)*3/2)}
	c := &Changes{Base: cfg.Version, Version: cfg.Version, Fresh: true, Header: Header{Size: b.size}}
	for i := range nodes {
		if err := b.take(mls.NodeIndex(i), &c.Header.Census); err != nil {
			return nil, nil, err
		}
	}
	if err := b.checkUnmerged(); err != nil {
		return nil, nil, err
	}
	top, err := b.fill(mls.Root(b.size))
	if err != nil {
		return nil, nil, err
	}
	c.Header.Hash = top.Hash
	for i, r := range b.records {
		if r != nil {
			c.Nodes = append(c.Nodes, NodeWrite{Index: mls.NodeIndex(i), Record: r})
		}
	}
	for k := range b.keys {
		c.KeysAdded = append(c.KeysAdded, k)
	}
	slices.SortFunc(c.KeysAdded, compareKeys)
	return b, c, nil
}

// take indexes the keys of node x and counts a member.
func (b *builder) take(x mls.NodeIndex, census *Census) error {
	n := &b.nodes[x]
	switch {
	case (n.Leaf != nil && !x.IsLeaf()) || (n.Parent != nil && x.IsLeaf()):
		return fmt.Errorf("%w: node of the wrong kind", ErrShape)
	case n.Leaf != nil:
		if err := census.replace(nil, n.Leaf); err != nil {
			return err
		}
		if err := b.index(SignatureKeyHash(n.Leaf.SignatureKey)); err != nil {
			return err
		}
		return b.index(EncryptionKeyHash(n.Leaf.EncryptionKey))
	case n.Parent != nil:
		return b.index(EncryptionKeyHash(n.Parent.EncryptionKey))
	}
	return nil
}

func (b *builder) index(k KeyHash) error {
	if _, dup := b.keys[k]; dup {
		return ErrDuplicateKey
	}
	b.keys[k] = struct{}{}
	return nil
}

// checkUnmerged verifies that each unmerged leaf is a member below its parent,
// listed in ascending order, and listed by every parent in between that is not
// blank (RFC 9420, Section 12.4.3.1). For an ancestor that lists a leaf, only
// the next one below needs a look: the rest follows from its own list.
func (b *builder) checkUnmerged() error {
	for i := 1; i < len(b.nodes); i += 2 {
		p := b.nodes[i].Parent
		if p == nil {
			continue
		}
		x := mls.NodeIndex(i)
		for j, l := range p.Unmerged {
			if j > 0 && p.Unmerged[j-1] >= l {
				return fmt.Errorf("%w: order", ErrUnmerged)
			}
			if !x.Covers(l) || b.nodes.At(l.Node()).Leaf == nil {
				return fmt.Errorf("%w: no member below", ErrUnmerged)
			}
			if below := b.below(x, l); below != nil && !contains(below.Unmerged, l) {
				return fmt.Errorf("%w: not known to a parent between", ErrUnmerged)
			}
		}
	}
	return nil
}

// below returns the next parent under x on the way to leaf l that is not blank.
func (b *builder) below(x mls.NodeIndex, l mls.LeafIndex) *mls.ParentNode {
	for !x.IsLeaf() {
		if left := x.Left(); left.Covers(l) {
			x = left
		} else {
			x = x.Right()
		}
		if p := b.nodes.At(x).Parent; p != nil {
			return p
		}
	}
	return nil
}

func contains(ascending []mls.LeafIndex, l mls.LeafIndex) bool {
	_, ok := slices.BinarySearch(ascending, l)
	return ok
}

// fill makes the records of the subtree at x and summarises it.
func (b *builder) fill(x mls.NodeIndex) (Child, error) {
	if first, _ := x.Leaves(); int(first.Node()) >= len(b.nodes) {
		h, err := blankHash(b.suite, x)
		return Child{Hash: h}, err
	}
	n := b.nodes.At(x)
	r := &Record{Leaf: n.Leaf, Node: n.Parent}
	if x.IsLeaf() {
		if n.Leaf == nil {
			r = nil
		}
		h, err := leafHash(b.suite, x.Leaf(), n.Leaf)
		return b.put(x, r, h), err
	}
	var err error
	if r.Left, err = b.fill(x.Left()); err != nil {
		return Child{}, err
	}
	if r.Right, err = b.fill(x.Right()); err != nil {
		return Child{}, err
	}
	h, err := nodeHash(b.suite, n.Parent, r.Left.Hash, r.Right.Hash)
	if err != nil {
		return Child{}, err
	}
	if r.members() == 0 {
		if n.Parent != nil {
			return Child{}, fmt.Errorf("%w: parent of nobody", ErrShape)
		}
		r = nil
	}
	return b.put(x, r, h), nil
}

func (b *builder) put(x mls.NodeIndex, r *Record, hash []byte) Child {
	if r != nil {
		b.records[x] = r
	}
	return Child{Hash: hash, Leaves: r.members(), Resolution: r.resolution()}
}
