package ds

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// loss says that a member's address is good for nothing any more. The dispatcher
// finds it out, and has no key to the group: it leaves a note for the next
// request that has one.
type loss struct {
	leaf    mls.LeafIndex
	address [16]byte // its hash: the member may have given another since
	// revoked tells that the queue is there, and its owner wants nothing by this
	// address. The service then forgets the address and says nothing: the others
	// must not learn that a member blocks the group.
	revoked bool
}

// maxLosses are noted at a time. Others come back with the next message.
const maxLosses = 64

type losses []loss

func (l *losses) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, v := range *l {
			w.Uint32(uint32(v.leaf))
			w.Raw(v.address[:])
			w.Bool(v.revoked)
		}
	})
}

func (l *losses) UnmarshalTLS(r *tlscodec.Reader) {
	*l = nil
	r.Vector(func(r *tlscodec.Reader) {
		v := loss{leaf: mls.LeafIndex(r.Uint32())}
		copy(v.address[:], r.Fixed(len(v.address)))
		v.revoked = r.Bool()
		*l = append(*l, v)
	})
}

func addressHash(a *wire.SealedAddress) (out [16]byte) {
	b, err := mls.Marshal(a)
	if err != nil {
		panic("ds: stored address has no encoding")
	}
	h := sha256.Sum256(b)
	copy(out[:], h[:])
	return out
}

// lost returns what a report says of a shipment's recipients.
func (s *shipment) lost(report wire.DeliveryReport) (out losses) {
	for i, o := range report {
		if i < len(s.leaves) && (o == wire.UnknownAddress || o == wire.Revoked) {
			out = append(out, loss{s.leaves[i], addressHash(&s.Recipients[i].Address), o == wire.Revoked})
		}
	}
	return out
}

var lossPlace = []byte("losses")

// note adds to the losses that wait in a group. They are sealed under the
// service's key.
func (s *Service) note(ctx context.Context, group wire.GroupID, found losses) error {
	lock := &s.busy[group[0]]
	lock.Lock()
	defer lock.Unlock()
	for range maxAttempts {
		g, err := newSession(ctx, s.cfg.Store, s.cfg.Rand, group)
		if err != nil || len(g.head.wraps) == 0 {
			return err
		}
		known := s.losses(g)
		all := slices.Clone(known)
		for _, l := range found {
			if !slices.Contains(all, l) && len(all) < maxLosses {
				all = append(all, l)
			}
		}
		if len(all) == len(known) {
			return nil
		}
		plain, err := mls.Marshal(&all)
		if err != nil {
			return err
		}
		if g.head.losses, err = s.seal(group, lossPlace, plain); err != nil {
			return err
		}
		g.rewriteHead = true
		batch, err := g.batch()
		if err != nil {
			return err
		}
		if err := s.cfg.Store.Commit(ctx, group, batch); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

// losses opens those that wait. Notes under another key than the present are
// none: the next message finds the same.
func (s *Service) losses(g *session) (out losses) {
	plain, ok := s.open(g.id, lossPlace, g.head.losses)
	if !ok || mls.Unmarshal(plain, &out) != nil {
		return nil
	}
	return out
}

// absorb follows what was noted: the addresses are forgotten, as far as the
// members still have them, and those whose queues are gone shall leave.
func (r *request) absorb() error {
	g := r.group
	if len(g.head.losses) == 0 {
		return nil
	}
	for _, l := range r.service.losses(g) {
		p, err := g.page(int(l.leaf / pageSize))
		if err != nil {
			return err
		}
		a := p[l.leaf%pageSize]
		if a == nil || addressHash(&a.Address.Sealed) != l.address {
			continue
		}
		if err := g.setAddress(l.leaf, nil); err != nil {
			return err
		}
		if !l.revoked {
			r.doom(&g.header.dead, l.leaf)
		}
	}
	g.head.losses, g.rewriteHead = nil, true
	return nil
}
