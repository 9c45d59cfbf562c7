package crash

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pseudods/pseudods/client"
)

// meet makes the clients of a run: all are contacts of the first one, members are in
// its groups, and the payer has tokens in its wallet. It returns the account keys of the
// members, a line for each.
func meet(members []*MemberConfig, payer *MemberConfig, groups int) (keys []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	everybody := append(append([]*MemberConfig{}, members...), payer)
	clients := make([]*client.Client, len(everybody))
	for i, m := range everybody {
		r, err := openRecord(m.Record)
		if err != nil {
			return nil, err
		}
		defer r.file.Close()
		cfg, err := m.client(r)
		if err != nil {
			return nil, err
		}
		defer cfg.Account.Vault.Close()
		if clients[i], err = client.Create(ctx, cfg, m.Name, domain); err != nil {
			return nil, err
		}
	}
	first := clients[0]
	card, err := first.Account().Card()
	if err != nil {
		return nil, err
	}
	for i, c := range clients[1:] {
		name := everybody[i+1].Name
		err := c.Account().Connect(ctx, card, []byte("hello"))
		if err == nil {
			err = until(ctx, first, client.EventOffer)
		}
		if err == nil {
			err = first.Account().Accept(ctx, name)
		}
		if err == nil {
			err = until(ctx, c, client.EventContact)
		}
		if err != nil {
			return nil, fmt.Errorf("crash: %s and %s do not meet: %w", members[0].Name, name, err)
		}
	}
	for n := range groups {
		g, err := first.CreateGroup(ctx, fmt.Sprint("group ", n+1), client.GroupOptions{})
		if err != nil {
			return nil, err
		}
		for _, m := range members[1:] {
			contact, err := first.Account().Contact(m.Name)
			if err == nil {
				err = g.Invite(ctx, contact)
			}
			if err != nil {
				return nil, err
			}
		}
		for _, c := range clients[1:len(members)] {
			if err := until(ctx, c, client.EventJoined); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range clients[:len(members)] {
		keys = append(base64.URLEncoding.AppendEncode(keys, c.Account().Identity().Key.Public()), '\n')
	}
	for _, c := range clients {
		err = errors.Join(err, c.Maintain(ctx), c.Taken(), c.Close())
	}
	return keys, err
}

// until has a client read until there is an event of the kind.
func until(ctx context.Context, c *client.Client, kind client.EventKind) error {
	for {
		events, err := c.Sync(ctx, time.Second)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Kind == kind {
				return nil
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// people makes the clients and starts them.
func (r *run) people() error {
	config := func(name string) *MemberConfig {
		return &MemberConfig{Name: name, Vault: r.path(name), Record: r.path(name + ".record"), URL: r.url}
	}
	for n := range r.Members {
		r.members = append(r.members, config(fmt.Sprintf("member%d", n+1)))
	}
	first, payer := r.members[0], config("payer")
	for _, m := range append(r.members[1:], payer) {
		first.Friends = append(first.Friends, m.Name)
		m.Friends = []string{first.Name}
	}
	payer.Payer = true
	keys, err := meet(r.members, payer, r.Groups)
	if err == nil {
		err = os.WriteFile(r.path(accountKeys), keys, 0o600)
	}
	if err != nil {
		return err
	}
	double := *payer
	double.Name, double.Vault, double.Record = "double", r.path("double"), r.path("double.record")
	r.payers = [2]*MemberConfig{payer, &double}
	if err := r.copyWallet(); err != nil {
		return err
	}
	for _, m := range append(append([]*MemberConfig{}, r.members...), payer, &double) {
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		path := r.path(m.Name + ".member")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		p := &program{name: m.Name, args: append(append([]string{}, r.Self...), path), log: r.path(m.Name + ".log")}
		r.clients = append(r.clients, p)
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}
