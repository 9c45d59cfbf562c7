package ds

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// AllKinds are the first octets of the keys of records.
var AllKinds = append([]byte{keyHead}, erasedKinds...)

// KindName is what a report calls a kind.
func KindName(kind byte) string { return recordKinds[kind].name }

// SetMaxErased makes one step of a deletion small, and returns what undoes it.
func SetMaxErased(n int) (undo func()) {
	was := maxErased
	maxErased = n
	return func() { maxErased = was }
}

// Plant writes a group into the store as if its members had come one by one, in
// as many batches as it takes. member gives the leaf and the address at an index.
func (s *Service) Plant(ctx context.Context, id wire.GroupID, stateKey secret.Bytes, c *publicgroup.Changes,
	member func(mls.LeafIndex) (*mls.LeafNode, *wire.MemberAddress)) error {
	g, err := newSession(ctx, s.cfg.Store, s.cfg.Rand, id)
	if err != nil {
		return err
	}
	g.profile = wire.ProfilePseudonymous
	if err := errors.Join(g.begin(), (treeStore{g}).Apply(c), g.wrapFor(c.Header.Context.Epoch, stateKey)); err != nil {
		return err
	}
	for l := range mls.LeafIndex(c.Header.Tree.Census.Members()) {
		leaf, address := member(l)
		if err := errors.Join(g.addUser(l, leaf), g.setAddress(l, address)); err != nil {
			return err
		}
	}
	all, err := g.seal()
	if err != nil {
		return err
	}
	var b Batch
	for _, put := range all.Puts {
		b.Puts = append(b.Puts, put)
		if len(b.Puts) == 1000 { // pages of members are the largest
			if err := s.cfg.Store.Commit(ctx, id, &b); err != nil {
				return err
			}
			b = Batch{Base: b.Base + 1}
		}
	}
	return s.cfg.Store.Commit(ctx, id, &b)
}

// Changing are the operations that change a group.
func Changing() (out []wire.Operation) {
	for op, o := range operations {
		if o.changes {
			out = append(out, op)
		}
	}
	return out
}

// InHand is how many parcels wait in memory.
func (s *Service) InHand() int { return len(s.hand.parcels) }

// HandHolds puts n parcels of one payload into a hand, and returns how many of
// them it has then.
func HandHolds(n int, payload []byte) (held int) {
	var h hand
	for i := range n {
		h.put(place{sequence: uint64(i)}, &parcel{shipments: []*shipment{{Delivery: wire.Delivery{Payload: payload}}}})
	}
	for i := range n {
		if h.get(place{sequence: uint64(i)}) != nil {
			held++
		}
	}
	for i := range n {
		h.drop(place{sequence: uint64(i)})
	}
	if h.octets != 0 {
		panic("ds: octets are in hand that no parcel has")
	}
	return held
}
