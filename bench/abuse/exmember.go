package abuse

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var exMemberKey = Scenario{
	Name: "ex-member-key", Models: []string{"S34"},
	Attacker: "each account was a member and kept the group state key when it was removed; it has a copy of the service's store, as good as the store itself, and tries every five seconds to open the group there",
	Load:     "two members of the group write to each other every ten seconds",
	Effect:   "a GroupInfo with the tree of the group that the attacker could read after its removal",
	Control:  "nobody is removed, and the key opens the group for ever, as it does where the key at rest is never changed",
	Sessions: 1, Window: 10 * time.Minute, Quick: time.Minute,
	Play: playExMember,
}

func playExMember(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	copied, err := w.Home.Node(false)
	if err != nil {
		return err
	}
	for _, i := range insiders {
		if err := i.Hear(ctx); err != nil {
			return err
		}
		key, err := StateKey(i.Group)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 5*time.Second, func() error {
					paid, err := i.Pay(ctx, wire.OpExternalCommitInfo)
					if err != nil {
						return err
					}
					r, err := i.Compose(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: g.ID()}, wire.Auth{}, key, nil, paid)
					if err != nil {
						return err
					}
					if err = i.Do(ctx, copied, r, new(wire.ExternalCommitInfo)); err == nil {
						w.Effect(1)
					}
					return err
				})
			})
		})
		if w.Control {
			continue
		}
		if err := alice.removes(ctx, g, i); err != nil {
			return err
		}
	}
	if _, err := w.converse(g.ID(), alice, bob, 10*time.Second); err != nil {
		return err
	}
	return w.Run()
}

// removes takes an insider out of a group.
func (x *Person) removes(ctx context.Context, g *client.Group, i *Insider) error {
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &i.MLS.Credential)
	if err != nil {
		return err
	}
	if err := g.Remove(ctx, name.User); err != nil {
		return errors.Join(errors.New("abuse: removing "+hex.EncodeToString([]byte(name.User))[:8]), err)
	}
	return x.Hear(ctx)
}
