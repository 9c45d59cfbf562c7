package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var invalidCommit = Scenario{
	Name: "invalid-commit", Models: []string{"S06"},
	Attacker: "each account is a member of one group and commits every five seconds what the service cannot judge and no member can follow: a commit with a wrong membership tag",
	Load:     "two members of the group write to each other every five seconds, and rejoin when they cannot follow",
	Effect:   "an honest member that could not follow and had to rejoin",
	Sessions: 2, Window: 3 * time.Minute, Quick: 30 * time.Second,
	Play: playInvalidCommit,
}

func playInvalidCommit(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 5*time.Second); err != nil {
		return err
	}
	for _, x := range []*Person{alice, bob} {
		heard := x.Heard
		x.Heard = func(e client.Event) {
			if e.Kind == client.EventLost {
				w.Effect(1)
			}
			heard(e)
		}
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 5*time.Second, func() error {
					w.reportSoon(i.Party)
					return i.desync(ctx)
				})
			})
		})
	}
	return w.Run()
}

// desync commits what nobody else can follow.
func (i *Insider) desync(ctx context.Context) error {
	if err := i.Hear(ctx); err != nil {
		return err
	}
	paid, err := i.Pay(ctx, wire.OpUpdate)
	if err != nil {
		return err
	}
	body, err := i.CommitBody(nil)
	if err != nil {
		return err
	}
	// The tag is the end of a PublicMessage. It takes a secret of the group to check.
	body.Commit[len(body.Commit)-1] ^= 1
	err = i.Renew(ctx, body, paid)
	if errors.Is(err, &wire.Error{Code: wire.CodeWrongEpoch}) {
		return nil
	}
	return err
}
