package publicgroup

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// StagedProposal is a valid proposal and what it takes to have it pending.
type StagedProposal struct {
	Proposal *epoch.Proposal
	// AuthenticatedData is what the sender attached.
	AuthenticatedData []byte
	Changes           *Changes
}

// StageProposal checks a standalone proposal: a PublicMessage from a member, an
// external sender, or a newcomer. now is the time by which lifetimes are judged.
//
// Errors wrap [ErrTooLarge], [mls.ErrMalformed], [ErrWireFormat],
// [ErrContentType], [ErrClosed], those of [epoch.State.VerifyContent] and
// [epoch.State.CheckProposal], [ErrTooManyProposals], [ErrSenderProposals],
// [ErrKnownProposal], [ErrSecondSelfRemove], [ErrLifetime], [ErrLeafRefused],
// [ErrTooManyMembers], or
// [epoch.ErrUnsupportedProposal] for a type that some member does not support.
func (g *Group) StageProposal(message []byte, now time.Time) (*StagedProposal, error) {
	a, s, err := g.openHandshake(message, mls.ContentTypeProposal)
	if err != nil {
		return nil, err
	}
	entry := PendingEntry{Type: a.Content.Proposal.Type, Sender: a.Content.Sender, Target: a.Content.Proposal.Remove, Size: uint32(len(message))}
	if err := g.checkPendingLimits(&entry); err != nil {
		return nil, err
	}
	if err := s.VerifyContent(a); err != nil {
		return nil, err
	}
	p, err := s.NewProposal(a)
	if err != nil {
		return nil, err
	}
	entry.Ref = p.Ref
	if g.header.find(p.Ref) != nil {
		return nil, ErrKnownProposal
	}
	if err := g.checkProposed(s, p, now); err != nil {
		return nil, err
	}
	if err := g.checkCommittable(&entry); err != nil {
		return nil, err
	}
	// RFC 9420, Section 12.2, asks this of a commit, and only of the members
	// that stay. But a proposal that cannot be committed would stand in the way
	// of all who must cover it.
	if !s.Tree.Census().SupportsProposal(p.Type) {
		return nil, fmt.Errorf("%w: %v", epoch.ErrUnsupportedProposal, p.Type)
	}
	h := g.header.next()
	h.Pending = append(h.Pending, entry)
	c := g.changes(h)
	c.Proposals = []ProposalWrite{{p.Ref, &Pending{Message: bytes.Clone(message)}}}
	return &StagedProposal{Proposal: p, AuthenticatedData: a.Content.AuthenticatedData, Changes: c}, nil
}

// find returns the entry of a pending proposal, or nil.
func (h *Header) find(ref mls.ProposalRef) *PendingEntry {
	for i := range h.Pending {
		if h.Pending[i].Ref.Equal(ref) {
			return &h.Pending[i]
		}
	}
	return nil
}

func (g *Group) checkPendingLimits(e *PendingEntry) error {
	if len(g.header.Pending) >= g.cfg.MaxProposals {
		return ErrTooManyProposals
	}
	same, octets := 0, int(e.Size)
	for i := range g.header.Pending {
		p := &g.header.Pending[i]
		octets += int(p.Size)
		if p.Sender != e.Sender {
			continue
		}
		same++
		if e.Type == mls.ProposalTypeSelfRemove && p.Type == e.Type {
			return ErrSecondSelfRemove
		}
	}
	if same >= g.cfg.MaxProposalsPerSender {
		return ErrSenderProposals
	}
	if octets > g.cfg.MaxProposalOctets {
		return fmt.Errorf("%w: octets", ErrTooManyProposals)
	}
	return nil
}

// checkCommittable refuses a proposal with which the limits on members or
// extensions would be exceeded if all that waits were committed together. Members
// commit what waits by default: accepted now, it would have each of their commits
// refused later.
func (g *Group) checkCommittable(e *PendingEntry) error {
	var appData, replaced uint64
	adds := uint32(0)
	for _, p := range append(slices.Clone(g.header.Pending), *e) {
		switch p.Type {
		case mls.ProposalTypeAdd:
			adds++
		case mls.ProposalTypeAppDataUpdate:
			appData += uint64(p.Size)
		case mls.ProposalTypeGroupContextExtensions:
			replaced = max(replaced, uint64(p.Size))
		}
	}
	switch e.Type {
	case mls.ProposalTypeAdd:
		if g.header.Tree.Census.Members()+adds > g.cfg.MaxMembers {
			return ErrTooManyMembers
		}
	case mls.ProposalTypeAppDataUpdate, mls.ProposalTypeGroupContextExtensions:
		// The size of a message is a little more than what it changes.
		if appData > 0 && appData+max(replaced, extensionsSize(g.header.Context.Extensions)) > uint64(g.cfg.MaxExtensions) {
			return fmt.Errorf("%w: extensions", ErrTooLarge)
		}
	}
	return nil
}

// checkProposed applies the service's policy to what a proposal brings in.
func (g *Group) checkProposed(s *epoch.State, p *epoch.Proposal, now time.Time) error {
	switch p.Type {
	case mls.ProposalTypeGroupContextExtensions:
		return g.cfg.checkExtensions(p.GroupContextExtensions)
	case mls.ProposalTypeAdd:
		if err := g.cfg.checkLifetime(&p.Add.LeafNode, now); err != nil {
			return err
		}
		return g.cfg.checkLeaf(nil, &p.Add.LeafNode)
	case mls.ProposalTypeUpdate:
		old, err := s.Leaf(p.Sender.Leaf)
		if err != nil {
			return err
		}
		return g.cfg.checkLeaf(old, p.Update)
	}
	return nil
}
