package group

import (
	"io"

	"github.com/pseudods/pseudods/mls"
)

// Propose sends a proposal for somebody else to commit. Updates are made by
// [Group.ProposeUpdate]. A SelfRemove is sent as a PublicMessage whatever the
// options say. It fails as the rules of package epoch do for a proposal by
// itself, with [ErrTooManyProposals], or with [ErrProposalType] for an Update
// or ExternalInit.
func (g *Group) Propose(p *mls.Proposal, o MessageOptions) (*mls.Message, error) {
	if p.Type == mls.ProposalTypeUpdate || p.Type == mls.ProposalTypeExternalInit {
		return nil, ErrProposalType
	}
	m, _, err := g.propose(p, o)
	return m, err
}

// ProposeUpdate proposes new keys for this client's own leaf, and what change
// says, which may be nil (RFC 9420, Section 12.1.2). They are in force once
// another member commits the proposal.
func (g *Group) ProposeUpdate(change *LeafChange, o MessageOptions) (*mls.Message, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	own := g.now.private.Leaf()
	old, err := g.now.public.Leaf(own)
	if err != nil {
		return nil, err
	}
	leaf, signer := change.apply(old, g.now.signer)
	key, public, err := g.suite.GenerateKeyPair(g.cfg.Rand)
	if err != nil {
		return nil, err
	}
	leaf.EncryptionKey = public
	leaf.Source, leaf.Lifetime, leaf.ParentHash = mls.LeafNodeSourceUpdate, mls.Lifetime{}, nil
	if err := leaf.Sign(signer, g.GroupID(), own); err != nil {
		return nil, err
	}
	m, ref, err := g.propose(&mls.Proposal{Type: mls.ProposalTypeUpdate, Update: leaf}, o)
	if err != nil {
		return nil, err
	}
	g.queue.updates = append(g.queue.updates, ownUpdate{ref: ref, key: key, signer: signer})
	return m, nil
}

func (g *Group) propose(p *mls.Proposal, o MessageOptions) (*mls.Message, mls.ProposalRef, error) {
	if err := g.active(); err != nil {
		return nil, nil, err
	}
	wire := o.WireFormat
	if p.Type == mls.ProposalTypeSelfRemove {
		wire = mls.WireFormatPublicMessage
	}
	a := g.content(mls.ContentTypeProposal, wire, o.AuthenticatedData)
	a.Content.Proposal = p
	if err := g.sign(a); err != nil {
		return nil, nil, err
	}
	queued, keep, err := g.receive(a)
	if err != nil {
		return nil, nil, err
	}
	m, err := g.frame(a)
	if err != nil {
		return nil, nil, err
	}
	keep()
	return m, queued.Ref, nil
}

// ExternalPSK returns a proposal, to commit or to propose, that brings a
// pre-shared key which all members have into the key schedule.
func (g *Group) ExternalPSK(id []byte) (*mls.Proposal, error) {
	return pskProposal(g.cfg.Rand, g.suite, mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: id})
}

// Resumption returns a proposal that brings in the resumption PSK of an earlier
// epoch of a group, this one or another that all members share.
func (g *Group) Resumption(groupID []byte, epoch uint64) (*mls.Proposal, error) {
	return pskProposal(g.cfg.Rand, g.suite, mls.PreSharedKeyID{
		Type: mls.PSKTypeResumption, Usage: mls.ResumptionPSKUsageApplication, GroupID: groupID, Epoch: epoch})
}

// pskProposal gives a PSK its nonce.
func pskProposal(rand io.Reader, s *mls.Suite, id mls.PreSharedKeyID) (*mls.Proposal, error) {
	id.Nonce = make([]byte, s.HashSize())
	if _, err := io.ReadFull(rand, id.Nonce); err != nil {
		return nil, err
	}
	return &mls.Proposal{Type: mls.ProposalTypePSK, PSK: &id}, nil
}

// Add proposes a new member.
func Add(p *mls.KeyPackage) *mls.Proposal { return &mls.Proposal{Type: mls.ProposalTypeAdd, Add: p} }

// Remove proposes that a member leaves.
func Remove(l mls.LeafIndex) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeRemove, Remove: l}
}

// SelfRemove proposes that the sender leaves (draft-ietf-mls-extensions). It
// can not be committed by value.
func SelfRemove() *mls.Proposal { return &mls.Proposal{Type: mls.ProposalTypeSelfRemove} }

// GroupContextExtensions proposes to replace all extensions of the group.
func GroupContextExtensions(es mls.Extensions) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}
}

// ReInit proposes to close the group and continue in another, see
// [Group.Successor].
func ReInit(r mls.ReInit) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeReInit, ReInit: &r}
}

// AppDataUpdate proposes to change a component's state in the group
// (draft-ietf-mls-extensions).
func AppDataUpdate(u mls.AppDataUpdate) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &u}
}

// AppEphemeral attaches a component's data to a commit
// (draft-ietf-mls-extensions).
func AppEphemeral(d mls.ComponentData) *mls.Proposal {
	return &mls.Proposal{Type: mls.ProposalTypeAppEphemeral, AppEphemeral: &d}
}
