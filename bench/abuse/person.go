package abuse

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Person is a client of the SDK with its party. One process uses it at a time.
type Person struct {
	*client.Client
	*Party
	Name  string
	vault *vault.Vault
	// Heard, if set, is told of each event.
	Heard func(client.Event)
}

// Person makes a user of the SDK at the provider. It stays in groups that anybody
// adds it to.
func (p *Provider) Person(ctx context.Context, side Side, name string) (*Person, error) {
	who, err := p.Party(side)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.w.dir, fmt.Sprintf("person-%d", len(p.w.people)))
	v, err := vault.Open(dir, secret.New(random(vault.KeySize)))
	if err != nil {
		return nil, err
	}
	x := &Person{Party: who, Name: name, vault: v}
	p.w.people = append(p.w.people, x)
	urls := map[string]string{}
	for domain, other := range p.w.providers {
		urls[domain] = other.url()
	}
	cfg := client.Config{AcceptInvitation: func(client.Member) bool { return true }, Account: account.Config{Vault: v, Attestor: who.Attestor(),
		HTTP: who.HTTP(), Providers: urls, Now: p.w.clock.Now}}
	if x.Client, err = client.Create(ctx, cfg, name, p.Domain); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, nil
}

func (x *Person) close() error {
	var err error
	if x.Client != nil {
		err = x.Client.Close()
	}
	return errors.Join(err, x.vault.Close())
}

// Hear takes what has arrived, and does what the client owes to others.
func (x *Person) Hear(ctx context.Context) error {
	for {
		events, err := x.Sync(ctx, 0)
		if err != nil {
			return err
		}
		for _, e := range events {
			if x.Heard != nil {
				x.Heard(e)
			}
		}
		if len(events) == 0 {
			return nil
		}
	}
}

// Meet makes two people contacts of each other.
func (x *Person) Meet(ctx context.Context, other *Person) error {
	card, err := other.Client.Account().Card()
	if err != nil {
		return err
	}
	if err := x.Client.Account().Connect(ctx, card, []byte("hello")); err != nil {
		return err
	}
	if err := other.Hear(ctx); err != nil {
		return err
	}
	if err := other.Client.Account().Accept(ctx, x.Name); err != nil {
		return err
	}
	return x.Hear(ctx)
}

// Found makes a group of a person and others, whom it must know; insiders are added
// by their KeyPackages. All have joined when it returns.
func (x *Person) Found(ctx context.Context, o client.GroupOptions, others []*Person, insiders ...*Insider) (*client.Group, error) {
	g, err := x.CreateGroup(ctx, "group", o)
	if err != nil {
		return nil, err
	}
	var contacts []*account.Contact
	for _, other := range others {
		c, err := x.Client.Account().Contact(other.Name)
		if err != nil {
			return nil, err
		}
		contacts = append(contacts, c)
	}
	if len(contacts) > 0 {
		if err := g.Invite(ctx, contacts...); err != nil {
			return nil, err
		}
	}
	for _, i := range insiders {
		if err := g.InviteKeyPackage(ctx, i.KeyPackage()); err != nil {
			return nil, err
		}
		if err := x.Hear(ctx); err != nil {
			return nil, err
		}
	}
	for _, other := range append([]*Person{x}, others...) {
		if err := other.Hear(ctx); err != nil {
			return nil, err
		}
	}
	for _, i := range insiders {
		if err := i.Hear(ctx); err != nil {
			return nil, err
		}
		if i.Group == nil {
			return nil, errors.New("abuse: an insider has not joined")
		}
	}
	return g, nil
}

// In returns a person's own view of a group.
func (x *Person) In(id wire.GroupID) (*client.Group, error) {
	for _, g := range x.Groups() {
		if g.ID() == id {
			return g, nil
		}
	}
	return nil, client.ErrNoGroup
}
