package client

import (
	"bytes"
	"context"
	"errors"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	// maxTold is how many notes about groups one Sync puts into the outbox at most.
	maxTold = 64
	// maxReady bounds KeyPackages that wait to be used.
	maxReady = 1 << 10
	// readyLife is for how many seconds a KeyPackage that was made for another client
	// of the user may be handed out.
	readyLife = 7 * 24 * 3600
)

// errPresent: what a commit was to do is done already.
var errPresent = errors.New("client: already done")

// settleDevices does what this client owes to the user's others: it answers their
// notes, tells them of its groups, and removes from them those that the user has
// removed.
func (c *Client) settleDevices(ctx context.Context) error {
	all := c.account.Devices()
	if len(all) == 0 {
		return nil
	}
	for _, n := range c.account.Notes() {
		if err := c.takeNote(ctx, &n); errors.Is(err, ErrPending) || errors.Is(err, ErrBusy) || errors.Is(err, account.ErrNoTokens) {
			break // the next call tries again
		} else if err != nil {
			return err
		}
		if err := c.account.Noted(&n); err != nil && !errors.Is(err, account.ErrNoDevice) {
			return err
		}
	}
	left := maxTold
	for _, g := range c.groups {
		for _, d := range all {
			k := placeKey{g.id, d.ID}
			switch {
			case d.Removed:
				if err := g.removeDevice(ctx, k); err != nil {
					return err
				}
			case left > 0 && g.shared() && !c.places.at[k].told:
				left--
				if err := g.tellMember(k, false); err != nil && !errors.Is(err, account.ErrTooManyNotes) {
					return err
				}
			}
		}
	}
	return c.deliverDevices(ctx)
}

// shared reports whether the user's other clients are to be in the group too.
func (g *Group) shared() bool {
	return g.mls != nil && g.state == StateActive && g.bound && !g.unwanted && g.policy().Profile == wire.ProfilePseudonymous
}

// tellMember tells a device what lets it join the group.
func (g *Group) tellMember(k placeKey, asked bool) error {
	p := &g.persona
	b, err := mls.Marshal(&note{kind: noteMember, group: g.id, asked: asked, label: g.label, client: p.Pseudonym.Credential.Client,
		user: p.Pseudonym.Credential.User, userAuth: p.UserAuth.Private()})
	if err != nil {
		return err
	}
	if err := g.c.account.Tell(k.device, b); err != nil {
		return err
	}
	at := g.c.places.at[k]
	at.told = true
	return g.c.setPlace(k, at)
}

// takeNote does what a note asks for. What makes no sense is dropped.
func (c *Client) takeNote(ctx context.Context, from *account.Note) error {
	n := new(note)
	if mls.Unmarshal(from.Body, n) != nil {
		return nil
	}
	k := placeKey{n.group, from.From}
	if n.kind == notePackage {
		if g := c.groups[n.group]; g != nil && g.shared() && c.places.at[k].told {
			return g.addDevice(ctx, k, n)
		}
		return nil
	}
	at := c.places.at[k]
	at.present, at.client = true, n.client
	if err := c.setPlace(k, at); err != nil {
		return err
	}
	return c.answerMember(ctx, k.device, n)
}

// answerMember hands a KeyPackage to a device that is in a group where this client
// is not, unless it left the group of its own.
func (c *Client) answerMember(ctx context.Context, to account.DeviceID, n *note) error {
	if g := c.groups[n.group]; g != nil && (g.state != StateLeft || g.persona.Pseudonym.Credential.User == n.user && !n.asked) {
		return nil
	}
	now := uint64(c.now().Unix())
	ready, ok := c.places.ready[n.group]
	if !ok || ready.user != n.user || now > ready.until {
		var err error
		if ready, err = c.makeReady(ctx, n); err != nil {
			return err
		}
		for id, old := range c.places.ready {
			if now > old.until || len(c.places.ready) >= maxReady {
				delete(c.places.ready, id)
			}
		}
		c.places.ready[n.group] = ready
		if err := c.savePlaces(); err != nil {
			return err
		}
	}
	b, err := mls.Marshal(&note{kind: notePackage, group: n.group, keyPackage: ready.keyPackage, link: ready.link})
	if err != nil {
		return err
	}
	return c.account.Tell(to, b)
}

func (c *Client) makeReady(ctx context.Context, n *note) (out readyPackage, err error) {
	persona, err := c.account.NewPersona(n.persona)
	if err != nil {
		return out, err
	}
	p, err := c.account.NewKeyPackage(ctx, persona)
	if err != nil {
		return out, err
	}
	out = readyPackage{user: n.user, label: n.label, link: persona.Pseudonym.LinkKey.Bytes, until: uint64(c.now().Unix()) + readyLife}
	if out.keyPackage, err = mls.Marshal(p); err != nil {
		return out, err
	}
	suite, err := p.CipherSuite.Suite()
	if err != nil {
		return out, err
	}
	out.ref, err = p.Ref(suite)
	return out, err
}

// isReady reports whether a Welcome is for a KeyPackage that another client of the
// user asked for, and what that one calls the group.
func (c *Client) isReady(id wire.GroupID, ref mls.KeyPackageRef) (label string, ok bool) {
	r, ok := c.places.ready[id]
	return r.label, ok && string(r.ref) == string(ref)
}

// addDevice adds a device by the KeyPackage that it sent. One that is not this user's
// is refused, and the application told.
func (g *Group) addDevice(ctx context.Context, k placeKey, n *note) error {
	p, link := new(mls.KeyPackage), identity.LinkKey{Bytes: n.link}
	err := mls.Unmarshal(n.keyPackage, p)
	if err == nil {
		err = g.c.account.CheckDevicePackage(p, &g.persona, link)
	}
	if err != nil {
		return g.refuse(err)
	}
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &p.LeafNode.Credential)
	if err != nil {
		return err
	}
	client := name.Credential.Client
	err = g.commit(ctx, &change{op: wire.OpAddClients, joiners: []joiner{{p, link}}, proposals: func() ([]*mls.Proposal, error) {
		if g.clientOf(client) {
			return nil, errPresent // by another device
		}
		return []*mls.Proposal{group.Add(p)}, nil
	}})
	refused, _ := asRefusal(err)
	switch {
	case err == nil, errors.Is(err, errPresent):
		return g.c.setPlace(k, place{told: true, present: true, client: client})
	case refused != nil && (refused.Code == wire.CodeRateLimited || refused.Code == wire.CodeTokenRequired || refused.Code == wire.CodeInternal):
		return ErrBusy
	case errors.Is(err, ErrPending), errors.Is(err, ErrBusy), errors.Is(err, account.ErrNoTokens), errors.Is(err, account.ErrUncertain),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, ErrNotMember), errors.Is(err, ErrLost):
		return nil
	}
	return g.refuse(err)
}

// refuse tells the application that a device cannot be added by what it sent, which
// is dropped: [Group.AddDevices] asks for another.
func (g *Group) refuse(err error) error {
	g.tell(Event{Kind: EventRefused, Text: []byte("KeyPackage of another device: " + err.Error())})
	return g.save()
}

// removeDevice removes a device that is no more from the group.
func (g *Group) removeDevice(ctx context.Context, k placeKey) error {
	at, ok := g.c.places.at[k]
	if !ok {
		return nil
	}
	if at.present && g.active() == nil && g.state == StateActive {
		err := g.commit(ctx, &change{op: wire.OpRemoveClients, proposals: func() ([]*mls.Proposal, error) {
			l, ok := g.leafOf(at.client)
			if !ok {
				return nil, errPresent
			}
			return []*mls.Proposal{group.Remove(l)}, nil
		}})
		if _, refused := asRefusal(err); refused || errors.Is(err, ErrPending) || errors.Is(err, ErrBusy) || errors.Is(err, ErrNotMember) || errors.Is(err, ErrLost) {
			return nil // the next call tries again
		}
		if err != nil && !errors.Is(err, errPresent) {
			return err
		}
	} else if at.present && g.state != StateLeft {
		return nil
	}
	delete(g.c.places.at, k)
	return g.c.savePlaces()
}

// leafOf returns the leaf of another client of this user, by its pseudonym.
func (g *Group) leafOf(p wire.Pseudonym) (leaf mls.LeafIndex, ok bool) {
	own := &g.persona.Pseudonym.Credential
	g.mls.EachMember(func(l mls.LeafIndex, node *mls.LeafNode) error {
		name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &node.Credential)
		if err == nil && name.Credential != nil && name.Credential.User == own.User && name.Credential.Client == p && p != own.Client {
			leaf, ok = l, true
		}
		return nil
	})
	return leaf, ok
}

// sameUser reports whether a credential is of this client's user in the group.
func (g *Group) sameUser(c *wire.PseudonymousCredential) bool {
	own := &g.persona.Pseudonym.Credential
	return c.User == own.User && bytes.Equal(c.UserAuthKey, own.UserAuthKey)
}
