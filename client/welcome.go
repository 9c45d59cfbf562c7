package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// welcome joins a group that somebody has added this client to. Only answers that do
// not come are errors: then the entry stays in the queue. A Welcome that is refused, not
// wanted, or of a provider that is not to be found, is an event.
func (c *Client) welcome(ctx context.Context, in *account.Incoming) error {
	f := in.Fanout
	if old := c.groups[f.Group]; old != nil && old.state != StateLeft || in.JoinInfo == nil {
		return nil
	}
	err := c.join(ctx, in)
	var refused *wire.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, account.ErrUncertain):
		return err
	case errors.As(err, &refused) && refused.Code == wire.CodeInternal:
		return err
	}
	c.refuse(Event{Kind: EventRefused, Group: f.Group, Sequence: in.Sequence, Text: []byte(err.Error())})
	return nil
}

func (c *Client) join(ctx context.Context, in *account.Incoming) error {
	f := in.Fanout
	m, err := parse(f.Message)
	if err != nil {
		return err
	}
	if m.Welcome == nil {
		return fmt.Errorf("client: %w: not a Welcome", wire.ErrMalformed)
	}
	persona, _, err := c.account.KeyPackagePersona(in.KeyPackage)
	if err != nil {
		return err
	}
	g := &Group{c: c, id: f.Group, record: record{state: StateActive, domain: f.Domain, persona: *persona, address: in.Stream,
		sequence: in.Sequence, told: map[wire.Pseudonym]identity.LinkKey{}}}
	info := new(wire.WelcomeInfo)
	err = c.account.Call(ctx, &account.Call{Domain: f.Domain, Operation: wire.OpWelcomeInfo, Body: &wire.GroupQuery{Group: f.Group},
		GroupStateKey: in.JoinInfo.GroupStateKey, Auth: wire.Auth{Type: wire.AuthJoiner, KeyID: in.KeyPackage}, Sign: g.sign, Answer: info})
	if err != nil {
		return err
	}
	var nodes mls.RatchetTree
	if err := mls.Unmarshal(info.Tree, &nodes); err != nil {
		return err
	}
	// Before the KeyPackage is used up: a crash after that would leave neither.
	if err := c.account.Adopt(in.Stream, seal.DeliverySecret{Bytes: in.JoinInfo.DeliverySecret}); err != nil {
		return err
	}
	if g.mls, err = group.JoinWelcome(c.mlsConfig(g), m.Welcome, group.JoinOptions{Tree: nodes}); err != nil {
		return err
	}
	if string(g.mls.GroupID()) != string(g.id[:]) {
		return fmt.Errorf("client: %w: Welcome for another group", wire.ErrMalformed)
	}
	g.setRoster(info.Roster, in.JoinInfo.RosterKey)
	if g.generation != in.JoinInfo.RosterGeneration {
		g.rosterKey, g.roster = secret.Bytes{}, nil
	}
	if old := c.groups[g.id]; old != nil { // a group that the user was in before
		g.label, g.events = old.label, old.events
	}
	c.groups[g.id] = g
	by := Member{}
	if signer, ok := g.mls.WelcomedBy(); ok {
		by = g.at(signer)
	}
	label, asked := c.isReady(g.id, in.KeyPackage)
	if asked && g.label == "" {
		g.label = label
	}
	g.unwanted = !(asked && by.OwnUser) && !c.accepts(by)
	g.tell(Event{Kind: EventJoined, Sequence: in.Sequence, Member: by})
	if err := g.save(); err != nil {
		return err
	}
	return c.cameIn(g.id)
}

// accepts decides whether to stay in a group.
func (c *Client) accepts(by Member) bool {
	if c.cfg.AcceptInvitation != nil {
		return c.cfg.AcceptInvitation(by)
	}
	if !by.Verified {
		return false
	}
	contacts, err := c.account.Contacts()
	return err == nil && slices.ContainsFunc(contacts, func(x *account.Contact) bool {
		return x.Name == by.Name && x.State == account.ContactAccepted
	})
}
