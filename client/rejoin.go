package client

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Rejoin leaves the group and joins it again in one commit of the client's own:
// for a client that cannot follow any more. It keeps the pseudonyms and restores
// no message that was missed. If no key that the client has opens the group it
// asks for access and fails with [ErrAccessAsked]. If it fails with
// [account.ErrUncertain] the state is [StateLost], and Rejoin is to be called again.
func (g *Group) Rejoin(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.mls == nil || g.state == StateLeft || g.state == StateCreating {
		return ErrNotMember
	}
	keys, err := g.keysAtHand()
	if err != nil {
		return err
	}
	for _, key := range keys {
		info, err := g.c.externalInfo(ctx, g.domain, g.id, key)
		if errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
			continue
		}
		if err != nil {
			return err
		}
		next := &Group{c: g.c, id: g.id, record: g.record, profile: g.policy().Profile}
		next.record.commit, next.access, next.granted, next.newcomer = nil, secret.Bytes{}, secret.Bytes{}, false
		next.record.unwanted = false // any more
		// Once the service has the request the old leaf may be gone, and what says so
		// is not to be taken for a removal.
		was := g.state
		g.state = StateLost
		if err := g.save(); err != nil {
			g.state = was
			return err
		}
		if err := next.joinExternal(ctx, wire.OpRejoin, info, key); err != nil {
			if !unanswered(err) {
				g.state = was
				err = errors.Join(err, g.save())
			}
			return err
		}
		// Others hold the pointer, so that it is this one that goes on.
		old := g.address
		g.record, g.mls, g.roster, g.before = next.record, next.mls, next.roster, nil
		if err := g.save(); err != nil {
			return err
		}
		// And it judges by this one's policy what comes.
		if g.mls, err = group.Restore(g.c.mlsConfig(g), g.record.mls); err != nil {
			return err
		}
		return g.c.account.Forget(old)
	}
	return g.askAccess(ctx)
}

// keysAtHand are the group state keys that may open the group, the newest
// first.
func (g *Group) keysAtHand() ([]secret.Bytes, error) {
	var out []secret.Bytes
	if !g.granted.IsZero() {
		out = append(out, g.granted)
	}
	if g.record.commit != nil {
		out = append(out, g.record.commit.key)
	}
	key, err := g.stateKey()
	return append(out, key), err
}

func (c *Client) externalInfo(ctx context.Context, domain string, id wire.GroupID, key secret.Bytes) (*wire.ExternalCommitInfo, error) {
	info := new(wire.ExternalCommitInfo)
	return info, c.account.Call(ctx, &account.Call{Domain: domain, Operation: wire.OpExternalCommitInfo, Body: &wire.GroupQuery{Group: id},
		GroupStateKey: key, Answer: info})
}

// joinExternal makes the group's new state by an external commit, and hands that
// to the service.
func (g *Group) joinExternal(ctx context.Context, op wire.Operation, info *wire.ExternalCommitInfo, key secret.Bytes) error {
	var gi mls.GroupInfo
	if err := mls.Unmarshal(info.GroupInfo, &gi); err != nil {
		return err
	}
	o := group.ExternalOptions{GroupInfo: group.GroupInfoOptions{ExternalPub: true}}
	if len(info.Tree) > 0 {
		if err := mls.Unmarshal(info.Tree, &o.Tree); err != nil {
			return err
		}
	}
	client := g.c.account.Client(&g.persona)
	if op == wire.OpRejoin {
		leaf, err := group.FindOwnLeaf(o.Tree, &client.Credential)
		if err != nil {
			return errors.Join(ErrNotMember, err)
		}
		o.Remove = &leaf
	}
	for _, b := range info.SelfRemoves {
		m, err := parse(b)
		if err != nil {
			return err
		}
		o.SelfRemoves = append(o.SelfRemoves, m.PublicMessage)
	}
	joined, made, err := group.JoinExternal(g.c.mlsConfig(&Group{c: g.c, id: g.id, profile: g.profile}), client, &gi, o)
	if err != nil {
		return err
	}
	body := &wire.GroupCommit{Group: g.id}
	if body.Commit, err = mls.Marshal(made.Message); err != nil {
		return err
	}
	if body.PartialGroupInfo, err = mls.Marshal(made.Partial); err != nil {
		return err
	}
	g.mls = joined
	if body.NextKey, err = g.stateKey(); err != nil {
		return err
	}
	if body.Address, g.address, err = g.c.account.BoundAddress(ctx, g.domain, g.id); err != nil {
		return err
	}
	call := &account.Call{Domain: g.domain, Operation: op, Body: body, GroupStateKey: key, Auth: wire.Auth{Type: wire.AuthJoiner}, Sign: g.sign}
	if op == wire.OpRejoin {
		id := digest(g.persona.UserAuth.Public())
		call.Auth = wire.Auth{Type: wire.AuthUser, KeyID: id[:]}
		call.Sign = func(tbs []byte) ([]byte, error) { return g.persona.UserAuth.SignWithLabel(wire.SignatureLabel, tbs) }
	}
	answer := new(wire.Accepted)
	call.Answer = answer
	if err := g.c.account.Call(ctx, call); err != nil {
		return err
	}
	g.state, g.sequence, g.bound, g.hello = StateActive, answer.Sequence, true, true
	if g.told == nil {
		g.told = map[wire.Pseudonym]identity.LinkKey{}
	}
	known := g.rosterKey
	if info.Roster == nil || info.Roster.Generation != g.generation {
		known = secret.Bytes{}
	}
	g.setRoster(info.Roster, known)
	g.tell(Event{Kind: EventJoined, Sequence: answer.Sequence, Member: g.at(made.What.Committer)})
	return nil
}

// askAccess asks the members for the group state key.
func (g *Group) askAccess(ctx context.Context) error {
	key, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return err
	}
	private, err := key.Marshal()
	if err != nil {
		return err
	}
	leaf, err := g.mls.OwnLeaf()
	if err != nil {
		return err
	}
	g.access, g.granted = private, secret.Bytes{}
	if err := g.save(); err != nil {
		return err
	}
	body := &wire.AccessRequest{Group: g.id, Key: [32]byte(key.Public().Public)}
	err = g.c.account.Call(ctx, &account.Call{Domain: g.domain, Operation: wire.OpAccessRequest, Body: body,
		Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, Sign: g.sign, Answer: new(wire.Empty)})
	if err != nil {
		return err
	}
	return ErrAccessAsked
}

// grantAll answers requests for access that the service handed over with an
// answer. Whom the service asks for in vain asks again.
func (g *Group) grantAll(ctx context.Context, requests [][]byte) {
	for _, encoded := range requests {
		g.grant(ctx, encoded)
	}
}

// grant answers one request. The client checks for itself that a member made it:
// the service sees the key with every request, but nobody else shall.
func (g *Group) grant(ctx context.Context, encoded []byte) {
	r, err := wire.ParseRequest(encoded, 1<<16)
	if err != nil || r.Operation != wire.OpAccessRequest || r.Auth.Type != wire.AuthLeaf || r.RecipientDomain != g.domain || g.active() != nil {
		return
	}
	var body wire.AccessRequest
	if mls.Unmarshal(r.Body, &body) != nil || body.Group != g.id {
		return
	}
	leaf, err := g.mls.Member(r.Auth.Leaf)
	if err != nil {
		return
	}
	suite, err := g.mls.CipherSuite().Suite()
	if err != nil {
		return
	}
	tbs, err := r.TBS()
	if err != nil || suite.VerifyWithLabel(leaf.SignatureKey, wire.SignatureLabel, tbs, r.Auth.Signature) != nil {
		return
	}
	key, err := g.stateKey()
	if err != nil {
		return
	}
	sealed, err := seal.SealAccess(body.Key, g.id, &wire.AccessGrant{Epoch: g.mls.Epoch(), GroupStateKey: key})
	if err != nil {
		return
	}
	// Requests that come back with this one's answer are other ones.
	answer, err := g.call(ctx, wire.OpTargetedMessage, &wire.TargetedMessage{Group: g.id, Leaf: r.Auth.Leaf, Content: append([]byte{grantMark}, sealed...)})
	if err == nil {
		g.grantAll(ctx, answer.Access)
	}
}
