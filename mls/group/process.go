package group

import (
	"bytes"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// Received is a message that was accepted.
type Received struct {
	Sender            mls.Sender
	Epoch             uint64 // in which it was sent
	ContentType       mls.ContentType
	AuthenticatedData []byte

	Application []byte // if ContentType is application
	// SignatureKey is the sender's in that epoch, with an application message: its
	// leaf may be another's by now.
	SignatureKey []byte

	Proposal  *epoch.Proposal // if it is proposal
	Committed *Committed      // if it is commit
}

func (g *Group) signatureKey(l mls.LeafIndex) ([]byte, error) {
	leaf, err := g.now.public.Leaf(l)
	if err != nil {
		return nil, err
	}
	return leaf.SignatureKey, nil
}

func received(a *mls.AuthenticatedContent) *Received {
	c := &a.Content
	return &Received{Sender: c.Sender, Epoch: c.Epoch, ContentType: c.ContentType,
		AuthenticatedData: c.AuthenticatedData, Application: c.ApplicationData}
}

// Process takes a PublicMessage or PrivateMessage of the group: application
// data, a proposal, which it keeps for a commit, or a commit, with which it
// moves to the next epoch. An own pending commit that comes back is merged;
// another one discards it. An own PrivateMessage otherwise fails with
// [mls.ErrKeyUsed], since its key is gone.
//
// After an error the group is as it was. Errors wrap, in the order of the
// checks: [ErrWireFormat], [epoch.ErrWrongGroup], [ErrRemoved],
// [epoch.ErrWrongEpoch], [ErrReInitialised], [mls.ErrMembershipTag], [mls.ErrDecrypt],
// [mls.ErrKeyUsed], [mls.ErrTooFarAhead], [mls.ErrSender], [mls.ErrSignature],
// then for proposals and commits the errors of package epoch, of
// [mls.KeyPackage.Verify] and of [mls.LeafNode.Check], [ErrUnknownProposal],
// [ErrPSK], [ErrLifetime], [ErrRefused], those of [tree.Private.OpenPath], and
// [mls.ErrConfirmationTag].
func (g *Group) Process(m *mls.Message) (*Received, error) {
	switch {
	case m.WireFormat == mls.WireFormatPublicMessage && m.PublicMessage != nil:
		return g.processPublic(m)
	case m.WireFormat == mls.WireFormatPrivateMessage && m.PrivateMessage != nil:
		return g.processPrivate(m)
	}
	return nil, ErrWireFormat
}

func (g *Group) processPublic(msg *mls.Message) (*Received, error) {
	m := msg.PublicMessage
	a := m.Authenticated()
	c := &m.Content
	if err := g.inGroup(c.GroupID); err != nil {
		return nil, err
	}
	if g.ended == EndRemoved {
		return nil, ErrRemoved
	}
	if c.Epoch != g.Epoch() {
		return nil, &epoch.WrongEpochError{Current: g.Epoch()}
	}
	if err := g.active(); err != nil {
		return nil, err
	}
	if err := a.CheckSender(); err != nil {
		return nil, err
	}
	if c.Sender.Type == mls.SenderTypeMember {
		selfRemove := c.ContentType == mls.ContentTypeProposal && c.Proposal.Type == mls.ProposalTypeSelfRemove
		if g.cfg.Accept == AcceptPrivate && !selfRemove {
			return nil, ErrWireFormat
		}
		if r, err := g.processEcho(msg); r != nil || err != nil {
			return r, err
		}
		if err := m.VerifyMembershipTag(g.suite, g.now.secrets.Membership, g.now.public.EncodedContext()); err != nil {
			return nil, err
		}
	}
	if err := g.now.public.VerifyContent(a); err != nil {
		return nil, err
	}
	return g.processHandshake(a)
}

func (g *Group) processPrivate(msg *mls.Message) (*Received, error) {
	m := msg.PrivateMessage
	if err := g.inGroup(m.GroupID); err != nil {
		return nil, err
	}
	handshake := m.ContentType != mls.ContentTypeApplication
	if handshake && g.cfg.Accept == AcceptPublic {
		return nil, ErrWireFormat
	}
	if m.Epoch != g.Epoch() || g.ended == EndRemoved {
		return g.openPast(m)
	}
	if g.ended == EndReInit && handshake {
		return nil, ErrReInitialised
	}
	if r, err := g.processEcho(msg); r != nil || err != nil {
		return r, err
	}
	sd, err := m.OpenSenderData(g.suite, g.now.secrets.SenderData)
	if err != nil {
		return nil, err
	}
	a, key, err := m.Open(g.suite, g.now.messages, sd)
	if err != nil {
		return nil, err
	}
	if err := g.now.public.VerifyContent(a); err != nil {
		return nil, err
	}
	messages := g.now.messages
	r := received(a)
	if handshake {
		r, err = g.processHandshake(a)
	} else {
		r.SignatureKey, err = g.signatureKey(sd.Leaf)
	}
	if err != nil {
		return nil, err
	}
	messages.Consume(key)
	return r, nil
}

// processEcho merges the pending commit if m is that commit, octet for octet.
// It returns nothing if m is something else.
func (g *Group) processEcho(m *mls.Message) (*Received, error) {
	if g.pending == nil {
		return nil, nil
	}
	got, err := mls.Marshal(m)
	if err != nil {
		return nil, err
	}
	own, err := mls.Marshal(g.pending.commit.Message)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(got, own) {
		return nil, nil
	}
	r := &Received{
		Sender:      mls.Sender{Type: mls.SenderTypeMember, Leaf: g.now.private.Leaf()},
		Epoch:       g.Epoch(),
		ContentType: mls.ContentTypeCommit, AuthenticatedData: g.pending.authenticatedData,
	}
	r.Committed, err = g.Merge()
	return r, err
}

// processHandshake takes a proposal or commit whose framing was verified.
func (g *Group) processHandshake(a *mls.AuthenticatedContent) (*Received, error) {
	r := received(a)
	if a.Content.ContentType == mls.ContentTypeProposal {
		p, keep, err := g.receive(a)
		if err != nil {
			return nil, err
		}
		keep()
		r.Proposal = p
		return r, nil
	}
	n, err := g.follow(a)
	if err != nil {
		return nil, err
	}
	r.Committed = g.enter(n)
	return r, nil
}
