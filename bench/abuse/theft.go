package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

var tokenTheft = Scenario{
	Name: "token-theft", Models: []string{"S12"},
	Attacker: "has copied the tokens of an honest user and asks somebody for contact with them every two seconds; where accounts are demanded it shows one of its own",
	Load:     "the owner of the tokens asks others for contact every ten seconds, with the tokens that are left",
	Effect:   "a request for contact that arrived, for which the attacker paid nothing",
	Sessions: 1, Window: 10 * time.Minute, Quick: 4 * time.Minute,
	Play: playTheft,
}

func playTheft(ctx context.Context, w *World) error {
	victim, err := w.Home.Person(ctx, Honest, "victim")
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	owner, err := w.Home.Party(Honest)
	if err != nil {
		return err
	}
	thief, err := w.Home.Party(Attacker)
	if err != nil {
		return err
	}
	_, sold := w.Home.Prices.Classes[tokens.Connect]
	var stolen [][]byte
	if sold {
		if _, err := owner.Hoard(ctx, tokens.Connect); err != nil {
			return err
		}
		stolen = append(stolen, owner.purse.held[tokens.Connect]...)
	}
	w.Go(func(ctx context.Context) error { return w.Daily(ctx, victim.sift) })
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				got := w.Want()
				for {
					paid, err := owner.Pay(ctx, wire.OpConnectionRequest)
					if err == nil {
						err = owner.Offer(ctx, w.Home, card, paid)
					}
					if err == nil {
						got()
					}
					if !errors.Is(err, &wire.Error{Code: wire.CodeTokenSpent}) {
						break
					}
				}
				if err := w.Sleep(ctx, 10*time.Second); err != nil {
					return err
				}
			}
		})
	})
	w.Attack(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			return thief.every(ctx, 2*time.Second, func() error {
				var paid [][]byte
				if sold {
					if len(stolen) == 0 {
						return ErrNoTokens
					}
					// From the end, which the owner comes to last.
					paid, stolen = stolen[len(stolen)-1:], stolen[:len(stolen)-1]
				}
				err := thief.Offer(ctx, w.Home, card, paid)
				if err == nil {
					w.Effect(1)
				}
				return err
			})
		})
	})
	return w.Run()
}
