package publicgroup

import (
	"bytes"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// Pending is the record of a proposal that no commit has settled yet: the
// message as it came.
type Pending struct {
	Message []byte // MLSMessage
}

const pendingVersion = 1

// MarshalTLS encodes p.
func (p *Pending) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(pendingVersion)
	w.Opaque(p.Message)
}

// UnmarshalTLS decodes p. That the message is one is checked when it is used.
func (p *Pending) UnmarshalTLS(r *tlscodec.Reader) {
	if v := r.Uint8(); r.Err() == nil && v != pendingVersion {
		r.Fail(fmt.Errorf("%w: version of a pending proposal", tlscodec.ErrValue))
	}
	p.Message = r.Opaque()
}

// pending returns the proposal of an entry of the header, as it was accepted in
// this epoch.
func (g *Group) pending(e *PendingEntry) (*epoch.Proposal, error) {
	rec, err := g.store.Proposal(e.Ref)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("%w: no record of a pending proposal", ErrInconsistent)
	}
	var m mls.Message
	if err := mls.Unmarshal(rec.Message, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	if m.PublicMessage == nil || m.PublicMessage.Content.Proposal == nil {
		return nil, fmt.Errorf("%w: record is not a proposal", ErrInconsistent)
	}
	a := m.PublicMessage.Authenticated()
	// Whoever controls the store could otherwise have another proposal
	// committed than the committer named.
	ref, err := a.ProposalRef(g.suite)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(ref, e.Ref) {
		return nil, fmt.Errorf("%w: another proposal under this name", ErrInconsistent)
	}
	return &epoch.Proposal{Proposal: a.Content.Proposal, Sender: a.Content.Sender, Ref: e.Ref, Checked: true}, nil
}

// Pending returns the messages of the pending proposals for which keep is true,
// in order of arrival; all if keep is nil. It reads one record for each.
func (g *Group) Pending(keep func(*PendingEntry) bool) ([][]byte, error) {
	var out [][]byte
	for i := range g.header.Pending {
		e := &g.header.Pending[i]
		if keep != nil && !keep(e) {
			continue
		}
		rec, err := g.store.Proposal(e.Ref)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			return nil, fmt.Errorf("%w: no record of a pending proposal", ErrInconsistent)
		}
		out = append(out, rec.Message)
	}
	return out, nil
}

// resolve returns a commit's list of proposals with those it names filled in.
// A proposal by value is the committer's own.
func (g *Group) resolve(a *mls.AuthenticatedContent) ([]*epoch.Proposal, error) {
	list := make([]*epoch.Proposal, 0, len(a.Content.Commit.Proposals))
	entries := make(map[string]*PendingEntry, len(g.header.Pending))
	for i := range g.header.Pending {
		entries[string(g.header.Pending[i].Ref)] = &g.header.Pending[i]
	}
	named := make(map[string]bool)
	var unknown []mls.ProposalRef
	for _, p := range a.Content.Commit.Proposals {
		if p.Proposal != nil {
			list = append(list, &epoch.Proposal{Proposal: p.Proposal, Sender: a.Content.Sender})
			continue
		}
		entry := entries[string(p.Ref)]
		if entry == nil {
			unknown = append(unknown, p.Ref)
			continue
		}
		if named[string(p.Ref)] {
			return nil, ErrRepeatedProposal
		}
		named[string(p.Ref)] = true
		if len(unknown) > 0 {
			continue // the records are not needed any more
		}
		resolved, err := g.pending(entry)
		if err != nil {
			return nil, err
		}
		list = append(list, resolved)
	}
	if len(unknown) > 0 {
		return nil, &UnknownProposalsError{Refs: unknown}
	}
	return list, nil
}

func namedBy(list []*epoch.Proposal) map[string]bool {
	named := make(map[string]bool, len(list))
	for _, p := range list {
		if p.Ref != nil {
			named[string(p.Ref)] = true
		}
	}
	return named
}

// checkCovered enforces [Config.CoverRemovals]. A proposal is covered if the
// commit names it or removes the same leaf otherwise.
func (g *Group) checkCovered(committer mls.Sender, list []*epoch.Proposal) error {
	if !g.cfg.CoverRemovals {
		return nil
	}
	named, removed := namedBy(list), map[mls.LeafIndex]bool{}
	for _, p := range list {
		switch p.Type {
		case mls.ProposalTypeRemove:
			removed[p.Remove] = true
		case mls.ProposalTypeSelfRemove:
			removed[p.Sender.Leaf] = true
		}
	}
	var left []mls.ProposalRef
	for _, e := range g.header.Pending {
		leaf := e.Sender.Leaf
		switch {
		case e.Type == mls.ProposalTypeSelfRemove:
		case e.Type == mls.ProposalTypeRemove && e.Sender.Type == mls.SenderTypeExternal && committer.Type == mls.SenderTypeMember:
			leaf = e.Target
		default:
			continue
		}
		if !named[string(e.Ref)] && !removed[leaf] {
			left = append(left, e.Ref)
		}
	}
	if len(left) > 0 {
		return &PendingProposalsError{Refs: left}
	}
	return nil
}
