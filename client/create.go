package client

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// GroupOptions say what is special about a new group. The zero value is a
// pseudonymous group with the default policy.
type GroupOptions struct {
	// Policy, if not nil, is put into the GroupContext, so that all members agree
	// on it.
	Policy *wire.GroupPolicy
	// Admin makes the creator the one admin of the policy.
	Admin bool
	// NoServerProposals keeps the service from proposing to remove members whose
	// queues are gone. Some MLS clients cannot read the extension that lets it.
	NoServerProposals bool
}

// CreateGroup makes a group of one at the client's own provider. If it fails with
// [account.ErrUncertain] or [account.ErrService] the group may be there; [Client.Sync] finds out.
func (c *Client) CreateGroup(ctx context.Context, label string, o GroupOptions) (*Group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	domain := c.account.Domain()
	persona, err := c.account.NewPersona(nil)
	if err != nil {
		return nil, err
	}
	extensions, err := c.contextExtensions(ctx, domain, persona, o)
	if err != nil {
		return nil, err
	}
	var id wire.NewGroupID
	if err := c.account.Call(ctx, &account.Call{Domain: domain, Operation: wire.OpRequestGroupID, Body: &wire.Empty{}, Answer: &id}); err != nil {
		return nil, err
	}
	g := &Group{c: c, id: id.Group, record: record{state: StateCreating, bound: true, domain: domain, label: label, persona: *persona,
		told: map[wire.Pseudonym]identity.LinkKey{}}}
	if g.mls, err = group.Create(c.mlsConfig(g), c.account.Client(persona), id.Group[:], extensions); err != nil {
		return nil, err
	}
	body, err := g.creation(ctx)
	if err != nil {
		return nil, err
	}
	request := &pendingCommit{until: uint64(c.now().Add(requestLife).Unix()), op: wire.OpCreateGroup}
	if request.key, err = g.stateKey(); err != nil {
		return nil, err
	}
	encoded, err := mls.Marshal(body)
	if err != nil {
		return nil, err
	}
	request.body = secret.New(encoded)
	g.record.commit = request
	if err := g.save(); err != nil {
		return nil, err
	}
	c.groups[g.id] = g
	err = g.register(ctx)
	if err == nil {
		return g, nil
	}
	if !unanswered(err) {
		err = errors.Join(err, g.drop())
	}
	return nil, err
}

// register hands in the request that makes the group.
func (g *Group) register(ctx context.Context) error {
	p := g.record.commit
	err := g.c.account.Call(ctx, &account.Call{Domain: g.domain, Operation: p.op, Body: encoded{p.body}, GroupStateKey: p.key,
		Auth: wire.Auth{Type: wire.AuthJoiner}, Sign: g.sign, Answer: new(wire.Accepted)})
	if err != nil {
		return err
	}
	return g.registered()
}

// registered takes note that the group is there.
func (g *Group) registered() error {
	g.state, g.record.commit = StateActive, nil
	return g.save()
}

// contextExtensions are those of a new group's GroupContext.
func (c *Client) contextExtensions(ctx context.Context, domain string, p *account.Persona, o GroupOptions) (mls.Extensions, error) {
	var out mls.Extensions
	policy := o.Policy
	if o.Admin {
		with := wire.DefaultPolicy
		if policy != nil {
			with = *policy
		}
		with.Admins = append(with.Admins, p.Pseudonym.Credential.User[:])
		policy = &with
	}
	var err error
	if policy != nil {
		if out, err = out.With(wire.ExtensionGroupPolicy, policy); err != nil {
			return nil, err
		}
	}
	if o.NoServerProposals {
		return out, nil
	}
	var keys wire.VerificationKeys
	if err := c.account.Call(ctx, &account.Call{Domain: domain, Operation: wire.OpVerificationKey, Body: &wire.Empty{}, Answer: &keys}); err != nil {
		return nil, err
	}
	return out.With(mls.ExtensionTypeExternalSenders, &mls.ExternalSenders{{SignatureKey: keys[0][:], Credential: mls.BasicCredential([]byte(domain))}})
}

// creation is the body of the request that registers a new group.
func (g *Group) creation(ctx context.Context) (*wire.CreateGroup, error) {
	info, err := g.mls.GroupInfo(group.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		return nil, err
	}
	body := &wire.CreateGroup{Group: g.id}
	if body.GroupInfo, err = mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: info}); err != nil {
		return nil, err
	}
	nodes, err := g.mls.Tree()
	if err != nil {
		return nil, err
	}
	if body.Tree, err = mls.Marshal(&nodes); err != nil {
		return nil, err
	}
	if body.Address, g.address, err = g.c.account.BoundAddress(ctx, g.domain, g.id); err != nil {
		return nil, err
	}
	key, err := g.exportRosterKey(g.mls.Export)
	if err != nil {
		return nil, err
	}
	own := map[wire.Pseudonym]identity.LinkKey{g.persona.Pseudonym.Credential.Client: g.persona.Pseudonym.LinkKey}
	part, err := identity.NewRoster(g.id[:], key).Add(g.c.rand, own)
	if err != nil {
		return nil, err
	}
	body.Roster = &wire.RosterPart{Part: part}
	g.setRoster(&wire.Roster{Parts: [][]byte{part}}, key)
	return body, nil
}

// drop forgets a group that never came to be, or is gone.
func (g *Group) drop() error {
	delete(g.c.groups, g.id)
	return g.c.cfg.Account.Vault.Delete(g.name())
}
