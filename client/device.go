package client

import (
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ErrNoDevice: no other client of the user has this name, or several have.
var ErrNoDevice = errors.New("client: no such device")

// Link makes one more client of the user who handed out a code with
// [Client.LinkCode], see [account.ParseLink] and [account.CreateLinked]. Name is
// what the user calls it.
func Link(ctx context.Context, cfg Config, l *account.Link, name string) (*Client, error) {
	a, err := account.CreateLinked(ctx, cfg.Account, l, name)
	if err != nil {
		return nil, err
	}
	return start(cfg, a)
}

// LinkCode makes a code by which [Link] makes one more client of this user. It is
// good once, for a day. Whoever sees it is the user, for good. See
// [account.Account.NewLink] for the name.
func (c *Client) LinkCode(name string) (secret.Bytes, error) { return c.account.NewLink(name) }

// Devices returns the user's other clients, by name.
func (c *Client) Devices() []*account.Device {
	return slices.DeleteFunc(c.account.Devices(), func(d *account.Device) bool { return d.Removed })
}

// RemoveDevice removes another client of the user from all groups, and takes nothing
// more from it. It is named as in [account.Device], or by the beginning of its
// identifier. Groups that cannot be reached now are left by the next [Client.Sync],
// of this client or of another of the user's. It fails with [ErrNoDevice].
//
// What the removed client was given it keeps, the identity and what contacts granted
// among it: it can still introduce itself to others as the user, and add contacts to
// groups of its own.
func (c *Client) RemoveDevice(ctx context.Context, name string) error {
	var found []*account.Device
	for _, d := range c.Devices() {
		if d.Name == name || d.ID.String() == name {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return ErrNoDevice
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.account.RemoveDevice(found[0].ID); err != nil {
		return err
	}
	return c.settleDevices(ctx)
}

// AddDevices asks the user's other clients that are not in the group to come in,
// also those that have left it. It takes a Sync of theirs, and one of this client.
// That is done by itself for each group and device once.
func (g *Group) AddDevices(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	for _, d := range g.c.Devices() {
		k := placeKey{g.id, d.ID}
		p := g.c.places.at[k]
		if p.present && g.clientOf(p.client) {
			continue
		}
		if err := g.tellMember(k, true); err != nil {
			return err
		}
	}
	return g.c.deliverDevices(ctx)
}

// deliverDevices sends what the user's other clients are to know. What a service
// does not take now waits.
func (c *Client) deliverDevices(ctx context.Context) error {
	err := c.account.DeliverDevices(ctx)
	if _, refused := asRefusal(err); refused || errors.Is(err, account.ErrNoTokens) {
		return nil
	}
	return err
}

// clientOf reports whether the member of that pseudonym is a client of this user.
func (g *Group) clientOf(p wire.Pseudonym) bool {
	_, ok := g.leafOf(p)
	return ok
}
