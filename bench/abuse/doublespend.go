package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

var doubleSpend = Scenario{
	Name: "double-spend", Models: []string{"S12", "S37"},
	Attacker: "each account shows each of its tokens at two nodes of the queue service, with another request for contact each time, and then the same requests once more",
	Load:     "three people ask for contact at some time, each with a token of its own",
	Effect:   "a request for contact that arrived without a token of its own",
	Control:  "each node keeps a list of spent tokens of its own", ControlUnder: "tokens",
	Window: 20 * time.Minute, Quick: 10 * time.Minute,
	Play: playDoubleSpend,
}

func playDoubleSpend(ctx context.Context, w *World) error {
	victim, err := w.Home.Person(ctx, Honest, "victim")
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	other, err := w.Home.Node(w.Control)
	if err != nil {
		return err
	}
	w.Go(func(ctx context.Context) error { return w.Daily(ctx, victim.sift) })
	if err := w.friends(ctx, card, friends); err != nil {
		return err
	}
	paidFor := friends
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return q.every(ctx, 5*time.Second, func() error {
					paid, err := q.Pay(ctx, wire.OpConnectionRequest)
					if err != nil {
						return err
					}
					paidFor += len(paid)
					return q.spendTwice(ctx, []*Provider{w.Home, other}, card, paid)
				})
			})
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(max(0, victim.Read-paidFor))
	return nil
}

// spendTwice shows the same tokens at each node with a request of its own, and sends
// each request to each node again.
func (q *Party) spendTwice(ctx context.Context, nodes []*Provider, card *wire.ContactCard, paid [][]byte) error {
	for range 2 {
		for _, n := range nodes {
			if err := q.Offer(ctx, n, card, paid); err != nil {
				if _, refused := Refused(err); !refused {
					return err
				}
			}
		}
	}
	return nil
}
