package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/client"
)

// leaves is how many clients the attacker has in its own group: as many as the
// queues that an account gets in a day, and one.
const leaves = 48

var amplification = Scenario{
	Name: "fanout-amplification", Models: []string{"S15"},
	Attacker: "each account makes a group of 48 clients of its own, each with a queue, and sends ten messages a second to it",
	Load:     "two people write to each other every ten seconds in a group without the attacker",
	Effect:   "an entry that the services brought into a queue for the attacker",
	Sessions: 1, Window: time.Minute, Quick: 20 * time.Second,
	Play: playAmplification,
}

func playAmplification(ctx context.Context, w *World) error {
	alice, bob, err := w.pair(ctx)
	if err != nil {
		return err
	}
	g, err := alice.Found(ctx, client.GroupOptions{}, []*Person{bob})
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 10*time.Second); err != nil {
		return err
	}
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		founder, err := q.crowd(ctx, leaves)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return q.every(ctx, 100*time.Millisecond, func() error {
					// Others send while a proof of work is made: whole groups are counted.
					before := w.Home.Delivered.Load()
					err := founder.sayOrPay(ctx, []byte("spam"))
					w.Effect(int(w.Home.Delivered.Load()-before) / leaves * leaves)
					return err
				})
			})
		})
	}
	return w.Run()
}

// crowd makes a group of n clients of one party.
func (q *Party) crowd(ctx context.Context, n int) (*Insider, error) {
	var all []*Insider
	for range n {
		i, err := q.Insider(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	if err := all[0].Create(ctx); err != nil {
		return nil, err
	}
	all[0].crew = all[1:]
	return all[0], all[0].Add(ctx, all[1:]...)
}
