package group

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// The codecs of what a saved state has besides the epoch itself: proposals and
// past epochs.

func (q *queue) marshal(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range q.order {
			marshalProposal(w, p)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, u := range q.updates {
			w.Opaque(u.ref)
			w.Opaque(u.key.Reveal())
			w.Opaque(u.signer.Private().Reveal())
		}
	})
}

func (q *queue) unmarshal(r *tlscodec.Reader, s *mls.Suite) {
	r.Vector(func(r *tlscodec.Reader) {
		before := r.Len()
		p := unmarshalProposal(r)
		if len(p.Ref) != s.HashSize() || q.find(p.Ref) != nil {
			r.Fail(fmt.Errorf("%w: proposal reference", tlscodec.ErrValue))
			return
		}
		q.add(p, before-r.Len())
	})
	r.Vector(func(r *tlscodec.Reader) {
		u := ownUpdate{ref: r.Opaque(), key: mls.HPKEPrivateKey{Bytes: takeSecret(r)}, signer: takeSignatureKey(r, s)}
		p := q.find(u.ref)
		if r.Err() != nil {
			return
		}
		if _, twice := q.update(u.ref); twice || p == nil || p.Type != mls.ProposalTypeUpdate {
			r.Fail(fmt.Errorf("%w: keys of an unknown Update", tlscodec.ErrValue))
			return
		}
		q.updates = append(q.updates, u)
	})
}

// marshalProposal encodes a proposal with its sender, and its reference, which
// is empty for one by value.
func marshalProposal(w *tlscodec.Writer, p *epoch.Proposal) {
	p.Sender.MarshalTLS(w)
	w.Opaque(p.Ref)
	p.Proposal.MarshalTLS(w)
}

func unmarshalProposal(r *tlscodec.Reader) *epoch.Proposal {
	p := &epoch.Proposal{Proposal: new(mls.Proposal), Checked: true}
	p.Sender.UnmarshalTLS(r)
	if ref := r.Opaque(); len(ref) > 0 {
		p.Ref = ref
	}
	p.Proposal.UnmarshalTLS(r)
	return p
}

func (p *pastEpoch) marshal(w *tlscodec.Writer) {
	w.Uint64(p.epoch)
	w.Opaque(p.context)
	w.Opaque(p.senderData.Reveal())
	w.Vector(p.messages.MarshalTLS)
	w.Vector(func(w *tlscodec.Writer) {
		for _, l := range slices.Sorted(maps.Keys(p.keys)) {
			w.Uint32(uint32(l))
			w.Opaque(p.keys[l])
		}
	})
}

func (p *pastEpoch) unmarshal(r *tlscodec.Reader, s *mls.Suite) {
	*p = pastEpoch{epoch: r.Uint64(), context: r.Opaque(), senderData: takeHashSized(r, s), messages: new(mls.SecretTree), keys: make(map[mls.LeafIndex][]byte)}
	takeSecrets(r, p.messages)
	if r.Err() == nil && p.messages.Suite() != s {
		r.Fail(fmt.Errorf("%w: message keys of another suite", tlscodec.ErrValue))
	}
	last := int64(-1)
	r.Vector(func(r *tlscodec.Reader) {
		l := mls.LeafIndex(r.Uint32())
		if int64(l) <= last {
			r.Fail(fmt.Errorf("%w: order", tlscodec.ErrValue))
		}
		last = int64(l)
		p.keys[l] = nil
		if key := r.Opaque(); len(key) > 0 {
			p.keys[l] = key
		}
	})
}
