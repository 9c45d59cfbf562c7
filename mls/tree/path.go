package tree

import (
	"bytes"
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// MergePath checks a path against the tree, after the commit's proposals were
// applied, and merges it (RFC 9420, Sections 7.5, 7.6 and 12.4.2). sender is
// the committer's leaf, or [Edit.Vacancy] for an external commit. A committer
// whom the commit's own proposals removed would look like one who joins, so the
// caller must have refused such a list.
//
// It fails with [ErrNoMember] if sender is neither, [ErrFull], [ErrPathSource],
// [ErrPathLength], [ErrPathCiphertexts], [mls.ErrPublicKey] for a malformed key,
// [ErrKeyReused] or [ErrDuplicateKey] for a key that is in the tree already or
// twice in the path, [ErrParentHash], or [ErrCensus].
//
// The leaf's own validity and signature, and the uniqueness of its signature
// key, are left to the caller: see [Edit.CheckKeys].
func (e *Edit) MergePath(sender mls.LeafIndex, path *mls.UpdatePath) error {
	old, err := e.seat(sender)
	if err != nil {
		return err
	}
	leaf := &path.LeafNode
	if leaf.Source != mls.LeafNodeSourceCommit {
		return ErrPathSource
	}
	if old != nil && bytes.Equal(old.EncryptionKey, leaf.EncryptionKey) {
		return ErrKeyReused
	}
	steps, err := e.filteredPath(sender)
	if err != nil {
		return err
	}
	if len(steps) != len(path.Nodes) {
		return ErrPathLength
	}
	for i, s := range steps {
		if uint32(len(path.Nodes[i].EncryptedPathSecret)) != e.recipients(&s) {
			return ErrPathCiphertexts
		}
	}
	keys := make([][]byte, len(path.Nodes))
	for i := range path.Nodes {
		keys[i] = path.Nodes[i].EncryptionKey
	}
	if err := e.checkPathKeys(leaf.EncryptionKey, keys); err != nil {
		return err
	}
	nodes, hash, err := e.chain(steps, keys)
	if err != nil {
		return err
	}
	if !bytes.Equal(hash, leaf.ParentHash) {
		return ErrParentHash
	}
	return e.setPath(sender, leaf, steps, nodes)
}

// seat returns the leaf that a committer has now: nil for one who joins by this
// commit, for whom it makes room.
func (e *Edit) seat(sender mls.LeafIndex) (*mls.LeafNode, error) {
	if uint32(sender) < e.size {
		if err := e.prefetch(sender); err != nil {
			return nil, err
		}
		r, err := e.record(sender.Node())
		if err != nil {
			return nil, err
		}
		if r != nil {
			return r.Leaf, nil
		}
	}
	vacancy, err := e.Vacancy()
	if err != nil {
		return nil, err
	}
	if sender != vacancy {
		return nil, ErrNoMember
	}
	return nil, e.extendTo(sender)
}

// recipients returns how many nodes a path secret is encrypted to: the
// resolution of the copath child without the leaves that this commit added,
// each of which stands in it by itself.
func (e *Edit) recipients(s *step) uint32 {
	return s.sibling().Resolution - uint32(e.addedBelow(s.copath))
}

// addedBelow returns how many leaves under x this commit added.
func (e *Edit) addedBelow(x mls.NodeIndex) int {
	first, end := x.Leaves()
	return countRange(e.added, first, end)
}

// countRange returns how many of an ascending list are in a half-open range.
func countRange(list []mls.LeafIndex, first, end mls.LeafIndex) int {
	a, _ := slices.BinarySearch(list, first)
	b, _ := slices.BinarySearch(list, end)
	return b - a
}

// checkPathKeys verifies that the keys of a path are well-formed, differ from
// each other, and are nowhere in the tree that the path is to be merged into
// (RFC 9420, Section 12.4.2).
func (e *Edit) checkPathKeys(leaf []byte, nodes [][]byte) error {
	hashes := make([]KeyHash, 0, len(nodes)+1)
	for _, key := range append([][]byte{leaf}, nodes...) {
		if err := e.suite.CheckHPKEPublicKey(key); err != nil {
			return err
		}
		h := EncryptionKeyHash(key)
		if slices.Contains(hashes, h) {
			return ErrDuplicateKey
		}
		hashes = append(hashes, h)
	}
	present, err := e.keys.anyPresent(hashes)
	if err == nil && present {
		err = ErrDuplicateKey
	}
	return err
}

// chain makes the parent nodes of a path from their keys, and returns them with
// the parent hash that the leaf must have (RFC 9420, Section 7.9). Hashes are
// chained from the top, above which the parent hash is empty. Nodes of a new
// path have no unmerged leaves, so that the original tree hash of a sibling is
// its tree hash.
func (e *Edit) chain(steps []step, keys [][]byte) (nodes []*mls.ParentNode, leafParentHash []byte, err error) {
	nodes = make([]*mls.ParentNode, len(steps))
	hash := []byte{}
	for i := len(steps) - 1; i >= 0; i-- {
		nodes[i] = &mls.ParentNode{EncryptionKey: keys[i], ParentHash: hash}
		sibling := steps[i].sibling()
		if err := e.fill(sibling, steps[i].copath); err != nil {
			return nil, nil, err
		}
		if hash, err = parentHash(e.suite, nodes[i], sibling.Hash); err != nil {
			return nil, nil, err
		}
	}
	return nodes, hash, nil
}

// setPath puts a leaf and the nodes of its filtered direct path in place, and
// blanks the others on the direct path.
func (e *Edit) setPath(sender mls.LeafIndex, leaf *mls.LeafNode, steps []step, nodes []*mls.ParentNode) error {
	i := 0
	return e.put(sender, leaf, func(height int, d *draft) {
		var n *mls.ParentNode
		if i < len(steps) && int(steps[i].node.Level()) == height+1 {
			n = nodes[i]
			i++
		}
		e.setNode(d, n)
	})
}
