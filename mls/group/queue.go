package group

import (
	"bytes"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// queue holds the proposals of an epoch in the order they came, and the keys of
// this client's own Updates among them.
type queue struct {
	order   []*epoch.Proposal
	byRef   map[string]*epoch.Proposal
	updates []ownUpdate
}

// ownUpdate is what this client's proposed leaf stands for.
type ownUpdate struct {
	ref    mls.ProposalRef
	key    mls.HPKEPrivateKey
	signer *mls.SignatureKey
}

func (q *queue) find(ref mls.ProposalRef) *epoch.Proposal { return q.byRef[string(ref)] }

// add appends p, which must not be in the queue.
func (q *queue) add(p *epoch.Proposal) {
	if q.byRef == nil {
		q.byRef = make(map[string]*epoch.Proposal)
	}
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

// receive checks a proposal that arrived or that this client made. The caller
// keeps it with [queue.add], unless known says that it is there already.
func (g *Group) receive(a *mls.AuthenticatedContent) (p *epoch.Proposal, known bool, err error) {
	ref, err := a.ProposalRef(g.suite)
	if err != nil {
		return nil, false, err
	}
	if p := g.queue.find(ref); p != nil {
		return p, true, nil
	}
	if len(g.queue.order) >= g.cfg.MaxProposals {
		return nil, false, ErrTooManyProposals
	}
	p, err = g.now.public.NewProposal(a)
	if err != nil {
		return nil, false, err
	}
	if err := g.cfg.validateProposal(p.Proposal); err != nil {
		return nil, false, err
	}
	p.Proposal, err = detached(p.Proposal)
	return p, false, err
}

// detached returns a copy of p that shares no memory with the message it came
// in, since what it adds to the tree may outlive that by years.
func detached(p *mls.Proposal) (*mls.Proposal, error) {
	b, err := mls.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := new(mls.Proposal)
	return c, mls.Unmarshal(b, c)
}

// Proposals returns the proposals of this epoch that wait for a commit, in the
// order they came. The caller must not modify them.
func (g *Group) Proposals() []*epoch.Proposal { return g.queue.order }
