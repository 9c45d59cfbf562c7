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
