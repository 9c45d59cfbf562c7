package ds

import (
	"context"
	"crypto/subtle"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxDoomed bounds how many members are remembered who shall leave for one
// reason. Others are found later, as idle at the latest. maxTended is how many of them one request takes care of.
const (
	maxDoomed = 64
	maxTended = 4
)

// doom remembers that a member shall leave.
func (r *request) doom(list *leaves, l mls.LeafIndex) {
	if _, _, ok := r.sender(); ok && len(*list) < maxDoomed && !slices.Contains(*list, l) {
		*list, r.group.rewrite = append(*list, l), true
	}
}

// spare takes it back.
func (s *session) spare(l mls.LeafIndex) {
	s.header.dead, s.header.idle = without(s.header.dead, l), without(s.header.idle, l)
}

// sender returns the service's place in the group's external_senders, and its
// key there.
func (r *request) sender() (uint32, *mls.SignatureKey, bool) {
	var senders mls.ExternalSenders
	if ok, err := r.group.header.group.Context.Extensions.Decode(mls.ExtensionTypeExternalSenders, &senders); err != nil || !ok {
		return 0, nil, false
	}
	own := mls.BasicCredential([]byte(r.service.cfg.Domain))
	for i := range senders {
		if !senders[i].Credential.Equal(&own) {
			continue
		}
		for _, k := range r.service.cfg.Signers {
			if subtle.ConstantTimeCompare(k.Public(), senders[i].SignatureKey) == 1 {
				return uint32(i), k, true
			}
		}
	}
	return 0, nil, false
}

// due returns a member who shall leave and of whom nobody has proposed it yet.
func (s *session) due(but mls.LeafIndex) (mls.LeafIndex, bool) {
	if s.header.group.Tree.Census.Members() < 2 || s.header.group.ReInit != nil {
		return 0, false
	}
	for _, l := range slices.Concat(s.header.dead, s.header.idle) {
		proposed := slices.ContainsFunc(s.header.group.Pending, func(e publicgroup.PendingEntry) bool {
			return e.Type == mls.ProposalTypeRemove && e.Target == l || e.Type == mls.ProposalTypeSelfRemove && e.Sender.Leaf == l
		})
		if l != but && !proposed {
			return l, true
		}
	}
	return 0, false
}

// tend proposes that members leave whose queues are gone or who were not heard of
// for long, after a request that was carried out, with the key that it brought.
// Each proposal is a step of its own: a message has the number of its step, and
// what the request does must not depend on it. If it fails the next request does
// it. Who made the request is let be: it is there, and can still give an address.
func (s *Service) tend(ctx context.Context, done *request) {
	key := done.GroupStateKey
	if c, ok := done.body.(*wire.GroupCommit); ok {
		key = c.NextKey
	}
	for range maxTended {
		if _, any := done.group.due(done.actor()); !any {
			return
		}
		next, err := s.proposeRemoval(ctx, done, key)
		if err != nil {
			return
		}
		done.group.header = next.group.header
	}
}

// actor is the leaf whose request it is.
func (r *request) actor() mls.LeafIndex {
	if r.staged != nil {
		return r.staged.Effects.Committer
	}
	return r.Auth.Leaf
}

// proposeRemoval makes one proposal pending and sends it to all.
func (s *Service) proposeRemoval(ctx context.Context, done *request, key secret.Bytes) (*request, error) {
	r := &request{Request: done.Request, service: s, now: done.now, tends: true}
	var err error
	if r.group, err = newSession(ctx, s.cfg.Store, s.cfg.Rand, done.group.id); err != nil {
		return nil, err
	}
	if err := r.open(key); err != nil {
		return nil, err
	}
	index, signer, ok := r.sender()
	leaf, any := r.group.due(done.actor())
	if !ok || !any {
		return nil, ErrConflict // somebody else was faster
	}
	message, err := removal(r.public, index, signer, leaf)
	if err != nil {
		return nil, err
	}
	staged, err := r.public.StageProposal(message, r.now)
	if err != nil {
		return nil, err
	}
	out := r.newFanout()
	if err := out.toAll(&wire.Fanout{Kind: wire.FanoutProposal, Message: message}); err != nil {
		return nil, err
	}
	if err := (treeStore{r.group}).Apply(staged.Changes); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	batch, err := r.group.batch()
	if err != nil {
		return nil, err
	}
	if err := r.retain(ctx); err != nil {
		return nil, err
	}
	return r, s.commit(ctx, r.group, batch)
}

// removal signs a proposal to remove a leaf, as an external sender (RFC 9420,
// Section 12.1.8).
func removal(g *publicgroup.Group, index uint32, signer *mls.SignatureKey, leaf mls.LeafIndex) ([]byte, error) {
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, Content: mls.FramedContent{
		GroupID: g.Context().GroupID, Epoch: g.Epoch(), Sender: mls.Sender{Type: mls.SenderTypeExternal, Index: index},
		ContentType: mls.ContentTypeProposal, Proposal: &mls.Proposal{Type: mls.ProposalTypeRemove, Remove: leaf},
	}}
	if err := a.Sign(signer, nil); err != nil {
		return nil, err
	}
	m, err := mls.NewPublicMessage(g.Suite(), a, secret.Bytes{}, nil)
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: m})
}
