package publicgroup

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// Retained is the record of an epoch whose tree is kept for the members that it
// added, since they may fetch it when the group is further on. What is kept are
// the node records that later commits superseded, not a copy.
type Retained struct {
	Epoch    uint64
	Size     uint32 // leaves of the full tree
	TreeHash []byte
	Waiting  []mls.LeafIndex // who has not joined yet, ascending
}

const retainedVersion = 1

// MarshalTLS encodes r.
func (r *Retained) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(retainedVersion)
	w.Uint64(r.Epoch)
	w.Uint32(r.Size)
	w.Opaque(r.TreeHash)
	// As the distance from the one before, so that neighbours take an octet each.
	w.Vector(func(w *tlscodec.Writer) {
		next := mls.LeafIndex(0)
		for _, l := range r.Waiting {
			w.Varint(int(l) - int(next))
			next = l + 1
		}
	})
}

// UnmarshalTLS decodes r.
func (r *Retained) UnmarshalTLS(d *tlscodec.Reader) {
	if v := d.Uint8(); d.Err() == nil && v != retainedVersion {
		d.Fail(fmt.Errorf("%w: version of a retained epoch", tlscodec.ErrValue))
	}
	*r = Retained{Epoch: d.Uint64(), Size: d.Uint32(), TreeHash: d.Opaque()}
	b := tlscodec.NewReader(d.Opaque(), tlscodec.Limits{})
	for next := uint32(0); !b.Empty(); next++ {
		if next += b.Varint(); b.Err() == nil && next >= r.Size {
			b.Fail(fmt.Errorf("%w: leaf outside the tree", tlscodec.ErrValue))
		}
		if b.Err() == nil {
			r.Waiting = append(r.Waiting, mls.LeafIndex(next))
		}
	}
	switch {
	case b.Err() != nil:
		d.Fail(b.Err())
	case d.Err() == nil && (bits.OnesCount32(r.Size) != 1 || r.Size > mls.MaxLeaves || len(r.Waiting) == 0):
		d.Fail(fmt.Errorf("%w: retained epoch", tlscodec.ErrValue))
	}
}

// retained reads the record of a retained epoch.
func (g *Group) retained(epoch uint64) (*Retained, error) {
	if _, ok := slices.BinarySearch(g.header.Retained, epoch); !ok {
		return nil, ErrNotRetained
	}
	r, err := g.store.Retained(epoch)
	if err != nil {
		return nil, err
	}
	if r == nil || r.Epoch != epoch {
		return nil, fmt.Errorf("%w: no record of a retained epoch", ErrInconsistent)
	}
	return r, nil
}

// RetainedTree returns the tree of the current epoch, or of an earlier one that
// added members of whom some have not joined yet. What the members of an
// earlier epoch support is not kept: its Census counts nobody, and it can not be
// edited. It fails with [ErrNotRetained].
func (g *Group) RetainedTree(epoch uint64) (*tree.Tree, error) {
	if epoch == g.Epoch() {
		return g.Tree(), nil
	}
	r, err := g.retained(epoch)
	if err != nil {
		return nil, err
	}
	return tree.New(g.suite, g.store, tree.Version(epoch), tree.Header{Size: r.Size, Hash: r.TreeHash}), nil
}

// StageJoined notes that the newcomer at a leaf has what it needs to join. The
// epoch's tree is released with the last of them. It fails with [ErrNotRetained]
// or [ErrNotWaiting].
func (g *Group) StageJoined(epoch uint64, leaf mls.LeafIndex) (*Changes, error) {
	r, err := g.retained(epoch)
	if err != nil {
		return nil, err
	}
	at, ok := slices.BinarySearch(r.Waiting, leaf)
	if !ok {
		return nil, ErrNotWaiting
	}
	if len(r.Waiting) == 1 {
		return g.StageRelease(epoch)
	}
	next := *r
	next.Waiting = slices.Delete(slices.Clone(r.Waiting), at, at+1)
	c := g.changes(g.header.next())
	c.Retained = []RetainedWrite{{epoch, &next}}
	return c, nil
}

// StageRelease gives up an epoch's tree, whoever still waits for it. It fails
// with [ErrNotRetained].
func (g *Group) StageRelease(epoch uint64) (*Changes, error) {
	at, ok := slices.BinarySearch(g.header.Retained, epoch)
	if !ok {
		return nil, ErrNotRetained
	}
	h := g.header.next()
	h.Retained = slices.Delete(slices.Clone(h.Retained), at, at+1)
	c := g.changes(h)
	c.Retained = []RetainedWrite{{epoch, nil}}
	return c, nil
}

// retain adds the new epoch of h to those kept, and drops the oldest beyond the
// limit.
func (g *Group) retain(h *Header, added []epoch.Change) []RetainedWrite {
	if len(added) == 0 {
		return nil
	}
	waiting := make([]mls.LeafIndex, len(added))
	for i := range added {
		waiting[i] = added[i].Leaf
	}
	slices.Sort(waiting)
	r := &Retained{Epoch: h.Context.Epoch, Size: h.Tree.Size, TreeHash: h.Tree.Hash, Waiting: waiting}
	writes := []RetainedWrite{{r.Epoch, r}}
	h.Retained = append(h.Retained, r.Epoch)
	for len(h.Retained) > g.cfg.RetainedEpochs {
		writes = append(writes, RetainedWrite{h.Retained[0], nil})
		h.Retained = h.Retained[1:]
	}
	return writes
}
