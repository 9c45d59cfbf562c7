package group

import (
	"bytes"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// queue holds the proposals of an epoch in the order they came, and the keys of
// this client's own Updates among them.
type queue struct {
	order   []*epoch.Proposal
	byRef   map[string]*epoch.Proposal
	octets  int // of all, encoded
	updates []ownUpdate
}

// ownUpdate is what this client's proposed leaf stands for.
type ownUpdate struct {
	ref    mls.ProposalRef
	key    mls.HPKEPrivateKey
	signer *mls.SignatureKey
}

func (q *queue) find(ref mls.ProposalRef) *epoch.Proposal { return q.byRef[string(ref)] }

// add appends p, which must not be in the queue. octets is the size of its
// encoding.
func (q *queue) add(p *epoch.Proposal, octets int) {
	if q.byRef == nil {
		q.byRef = make(map[string]*epoch.Proposal)
	}
	q.octets += octets
	q.order = append(q.order, p)
	q.byRef[string(p.Ref)] = p
}

// update returns the keys of one of this client's own Updates.
func (q *queue) update(ref mls.ProposalRef) (*ownUpdate, bool) {
	for i := range q.updates {
		if bytes.Equal(q.updates[i].ref, ref) {
			return &q.updates[i], true
		}
	}
	return nil, false
}

// receive checks a proposal that arrived or that this client made, and returns
// it with what keeps it for a commit: nothing, if it is there already.
func (g *Group) receive(a *mls.AuthenticatedContent) (p *epoch.Proposal, keep func(), err error) {
	ref, err := a.ProposalRef(g.suite)
	if err != nil {
		return nil, nil, err
	}
	if p := g.queue.find(ref); p != nil {
		return p, func() {}, nil
	}
	encoded, err := mls.Marshal(a.Content.Proposal)
	if err != nil {
		return nil, nil, err
	}
	if len(g.queue.order) >= g.cfg.MaxProposals || g.queue.octets+len(encoded) > g.cfg.MaxProposalOctets {
		return nil, nil, ErrTooManyProposals
	}
	p, err = g.now.public.NewProposal(a)
	if err != nil {
		return nil, nil, err
	}
	if err := g.cfg.validateProposal(p.Proposal); err != nil {
		return nil, nil, err
	}
	p.Proposal, err = detached(p.Proposal)
	return p, func() { g.queue.add(p, len(encoded)) }, err
}

// detached returns a copy of p that shares no memory with the message it came
// in, since what it adds to the tree may outlive that by years.
func detached(p *mls.Proposal) (*mls.Proposal, error) {
	c := new(mls.Proposal)
	return c, detach(p, c)
}

// detach makes to a copy of from that shares no memory with it.
func detach(from mls.Marshaler, to mls.Unmarshaler) error {
	b, err := mls.Marshal(from)
	if err != nil {
		return err
	}
	return mls.UnmarshalWithin(mls.Limits{MaxBytes: max(len(b), 1), MaxElements: max(len(b), 1)}, b, to)
}

// Proposals returns the proposals of this epoch that wait for a commit, in the
// order they came. The caller must not modify them.
func (g *Group) Proposals() []*epoch.Proposal { return slices.Clone(g.queue.order) }
