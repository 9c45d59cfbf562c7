package tree

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// Edit is a tree under change: what one commit does to a [Tree]. It reads each
// record once and writes nothing to the store. Counts are kept up to date with
// every change, hashes are computed when asked for, so that many additions hash
// each parent once. An Edit is not safe for concurrent use, and must be dropped
// after an error.
type Edit struct {
	view
	base   *Tree
	limit  uint32
	nodes  map[mls.NodeIndex]*draft
	hashed []byte // tree hash of the root, nil if it has to be computed
	keys   keyring
	added  []mls.LeafIndex // by AddLeaf, ascending

	ownsCensus bool
}

// Edit opens the tree for one commit. Only the newest version of a store can be
// changed, since the key index has one version.
func (t *Tree) Edit() *Edit {
	e := &Edit{base: t, limit: mls.MaxLeaves, nodes: make(map[mls.NodeIndex]*draft)}
	e.view = view{suite: t.suite, src: e, size: t.size, census: t.census}
	e.keys = keyring{store: t.store, uses: make(map[KeyHash]*keyUse)}
	e.hashed = t.header.Hash
	return e
}

// LimitLeaves lets members stand at the first n leaves only. The default is
// [mls.MaxLeaves].
func (e *Edit) LimitLeaves(n uint32) { e.limit = min(n, mls.MaxLeaves) }

// Vacancy returns the leaf that the next addition takes: the leftmost blank one,
// which is the first outside the tree if none is blank.
func (e *Edit) Vacancy() (mls.LeafIndex, error) {
	if e.census.members == e.size {
		return mls.LeafIndex(e.size), nil
	}
	x := e.root()
	for {
		r, err := e.record(x)
		if err != nil {
			return 0, err
		}
		if r == nil {
			first, _ := x.Leaves()
			return first, nil
		}
		if x.IsLeaf() {
			return 0, fmt.Errorf("%w: count of members", ErrInconsistent)
		}
		if left := x.Left(); r.Left.Leaves < 1<<left.Level() {
			x = left
		} else {
			x = x.Right()
		}
	}
}

// AddLeaf places a new member at the leftmost blank leaf, extending the tree if
// there is none, and lists it as unmerged in the parents above (RFC 9420,
// Section 12.1.1). It fails with [ErrFull] or [ErrCensus].
func (e *Edit) AddLeaf(leaf *mls.LeafNode) (mls.LeafIndex, error) {
	i, err := e.Vacancy()
	if err != nil {
		return 0, err
	}
	if err := e.extendTo(i); err != nil {
		return 0, err
	}
	err = e.put(i, leaf, func(_ int, d *draft) {
		if d.rec.Node == nil {
			return
		}
		if !d.ownsNode {
			n := *d.rec.Node
			n.Unmerged = slices.Clone(n.Unmerged)
			d.rec.Node, d.ownsNode = &n, true
		}
		d.rec.Node.Unmerged = insert(d.rec.Node.Unmerged, i)
	})
	if err == nil {
		e.added = insert(e.added, i)
	}
	return i, err
}

// UpdateLeaf replaces a member's leaf and blanks the parents above (RFC 9420,
// Section 12.1.2). It fails with [ErrNoMember], [ErrKeyReused] if the
// encryption key stays the same, or [ErrCensus].
func (e *Edit) UpdateLeaf(i mls.LeafIndex, leaf *mls.LeafNode) error {
	if err := e.prefetch(i); err != nil {
		return err
	}
	old, err := e.Leaf(i)
	if err != nil {
		return err
	}
	if slices.Equal(old.EncryptionKey, leaf.EncryptionKey) {
		return ErrKeyReused
	}
	return e.put(i, leaf, func(_ int, d *draft) { e.setNode(d, nil) })
}

// RemoveLeaf blanks a member's leaf and the parents above, and drops the right
// half of the tree as long as it is blank (RFC 9420, Section 12.1.3). It fails
// with [ErrNoMember].
func (e *Edit) RemoveLeaf(i mls.LeafIndex) error {
	if err := e.prefetch(i); err != nil {
		return err
	}
	if _, err := e.Leaf(i); err != nil {
		return err
	}
	if err := e.put(i, nil, func(_ int, d *draft) { e.setNode(d, nil) }); err != nil {
		return err
	}
	if at, ok := slices.BinarySearch(e.added, i); ok {
		e.added = slices.Delete(e.added, at, at+1)
	}
	return e.truncate()
}

// insert adds i to an ascending list that does not hold it.
func insert(list []mls.LeafIndex, i mls.LeafIndex) []mls.LeafIndex {
	at, _ := slices.BinarySearch(list, i)
	return slices.Insert(list, at, i)
}

// put sets leaf i, nil for blank, and brings the records above up to date. On
// the way up it calls above once for each parent, counted from the leaf. It
// reads all it needs before it changes anything.
func (e *Edit) put(i mls.LeafIndex, leaf *mls.LeafNode, above func(height int, d *draft)) error {
	d, err := e.draft(i.Node())
	if err != nil {
		return err
	}
	if _, err := e.directPath(i); err != nil {
		return err
	}
	var old *mls.LeafNode
	if d.rec != nil {
		old = d.rec.Leaf
	}
	if err := e.recount(old, leaf); err != nil {
		return err
	}
	d.rec, d.dirty = nil, true
	if leaf != nil {
		d.rec = &Record{Leaf: leaf}
	}
	below := Child{Leaves: d.rec.members(), Resolution: d.rec.resolution()}
	root := e.root()
	for x, height := i.Node(), 0; x != root; x, height = x.Parent(), height+1 {
		p := x.Parent()
		d, err := e.own(p)
		if err != nil {
			return err
		}
		if x < p {
			d.rec.Left = below
		} else {
			d.rec.Right = below
		}
		above(height, d)
		below = Child{Leaves: d.rec.members(), Resolution: d.rec.resolution()}
		if below.Leaves == 0 {
			d.rec = nil // so that truncation finds nothing to delete
		}
	}
	e.hashed = nil
	return nil
}

// recount moves the key index and the census from one leaf to another.
func (e *Edit) recount(old, new *mls.LeafNode) error {
	if !e.ownsCensus {
		e.census, e.ownsCensus = e.census.clone(), true
	}
	if err := e.census.replace(old, new); err != nil {
		return err
	}
	if old != nil {
		e.keys.use(EncryptionKeyHash(old.EncryptionKey), -1)
		e.keys.use(SignatureKeyHash(old.SignatureKey), -1)
	}
	if new != nil {
		e.keys.use(EncryptionKeyHash(new.EncryptionKey), 1)
		e.keys.use(SignatureKeyHash(new.SignatureKey), 1)
	}
	return nil
}

// setNode replaces the parent node of a draft that own returned.
func (e *Edit) setNode(d *draft, n *mls.ParentNode) {
	if d.rec.Node != nil {
		e.keys.use(EncryptionKeyHash(d.rec.Node.EncryptionKey), -1)
	}
	if n != nil {
		e.keys.use(EncryptionKeyHash(n.EncryptionKey), 1)
	}
	d.rec.Node, d.ownsNode = n, true
}

// extendTo makes room for a member at leaf i: it doubles the tree if i is the
// first leaf outside (RFC 9420, Section 7.7).
func (e *Edit) extendTo(i mls.LeafIndex) error {
	if uint32(i) >= e.limit {
		return ErrFull
	}
	if uint32(i) < e.size {
		return nil
	}
	oldRoot, err := e.record(e.root())
	if err != nil {
		return err
	}
	below := Child{Hash: e.hashed, Leaves: oldRoot.members(), Resolution: oldRoot.resolution()}
	e.size *= 2
	d, err := e.own(e.root())
	if err != nil {
		return err
	}
	*d.rec = Record{Left: below}
	e.hashed = nil
	return nil
}

// truncate halves the tree while its right half is blank (RFC 9420, Section
// 7.7). A blank half has no records, so that each step touches one.
func (e *Edit) truncate() error {
	for e.size > 1 {
		d, err := e.draft(e.root())
		if err != nil {
			return err
		}
		switch {
		case d.rec == nil: // nobody is left
			e.hashed = nil
		case d.rec.Right.Leaves > 0:
			return nil
		default:
			e.hashed = d.rec.Left.Hash
			if d.rec.Node != nil {
				d, err = e.own(e.root())
				if err != nil {
					return err
				}
				e.setNode(d, nil)
			}
			d.rec, d.dirty = nil, true
		}
		e.size /= 2
	}
	return nil
}
