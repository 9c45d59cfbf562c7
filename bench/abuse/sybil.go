package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

var sybilFarming = Scenario{
	Name: "sybil-farming", Models: []string{"S11"},
	Attacker: "buys accounts, uses each for one day only, and has each ask the victim for contact once a second until nothing is left of its allowance, one account after the other",
	Load:     "three people ask for contact at some time of the first day, as in connection-spam",
	Effect:   "a request for contact that the victim's client had to open",
	Accounts: 6, Sessions: 2, Window: 20 * time.Minute, Quick: 4 * time.Minute,
	Play: playSybil,
}

func playSybil(ctx context.Context, w *World) error {
	victim, err := w.Home.Person(ctx, Honest, "victim")
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	w.Go(func(ctx context.Context) error { return w.Daily(ctx, victim.sift) })
	if err := w.friends(ctx, card, friends); err != nil {
		return err
	}
	var unused []*Party
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		unused = append(unused, q)
	}
	w.Attack(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for range w.Budget.Accounts / w.Sessions {
				q := unused[0]
				unused = unused[1:]
				if err := q.useUp(ctx, card); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(max(0, victim.Read-friends))
	return nil
}

// useUp asks the holder of a card for contact once a second until the account is told
// to wait for long, or has no tokens.
func (q *Party) useUp(ctx context.Context, card *wire.ContactCard) error {
	for range int(q.w.Window/time.Second) * q.w.Sessions / q.w.Budget.Accounts {
		paid, err := q.Pay(ctx, wire.OpConnectionRequest)
		if err == nil {
			err = q.Offer(ctx, q.w.Home, card, paid)
		}
		wait, refused := Refused(err)
		if errors.Is(err, ErrNoTokens) || wait > time.Minute {
			return nil
		}
		if err != nil && !refused {
			return err
		}
		if err := q.w.Sleep(ctx, max(time.Second, wait)); err != nil {
			return err
		}
	}
	return nil
}
