package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// hoardDays is for how many days tokens are saved. A key's tokens are good for 37
// days at the default schedule.
const hoardDays = 5

var tokenHoarding = Scenario{
	Name: "token-hoarding", Models: []string{"S12"},
	Attacker: "each account fetches all tokens that it gets for first contact on five days, and asks the victim for contact twice a second on the fifth until they are used up",
	Load:     "three people ask for contact at some time of that day, as in connection-spam",
	Effect:   "a request for contact that the victim's client had to open",
	Sessions: 1, Window: 10 * time.Minute, Quick: 4 * time.Minute,
	Play: playHoarding,
}

func playHoarding(ctx context.Context, w *World) error {
	victim, err := w.Home.Person(ctx, Honest, "victim")
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	var hoarders []*Party
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		hoarders = append(hoarders, q)
	}
	_, sold := w.Home.Prices.Classes[tokens.Connect]
	for day := range hoardDays {
		if day > 0 {
			if err := w.Sleep(ctx, ration); err != nil {
				return err
			}
		}
		for _, q := range hoarders {
			if sold && w.Attacking {
				if _, err := q.Hoard(ctx, tokens.Connect); err != nil {
					return err
				}
			}
		}
	}
	w.Go(func(ctx context.Context) error { return w.Daily(ctx, victim.sift) })
	if err := w.friends(ctx, card, friends); err != nil {
		return err
	}
	for _, q := range hoarders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return q.every(ctx, 500*time.Millisecond, func() error {
					paid, err := q.Pay(ctx, wire.OpConnectionRequest)
					if err != nil {
						return err
					}
					return q.Offer(ctx, w.Home, card, paid)
				})
			})
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(max(0, victim.Read-friends))
	return nil
}
