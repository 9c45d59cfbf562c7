package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// smallQueue is how many entries the victim's queue takes in this scenario: a
// twenty-fifth of the default, as the attack is shorter by as much.
const smallQueue = 400

var queueOverflow = Scenario{
	Name: "queue-overflow", Models: []string{"S29"},
	Attacker: "each account is a member of one group with the victim and sends five messages a second, while the victim is offline; it pays for bursts",
	Load:     "the victim reads when the session is about to end; a friend writes to it in another group every five seconds. Its queue takes 400 entries, not 10,000",
	Effect:   "a message of the friend that found the victim's queue full",
	Sessions: 1, Window: 6 * time.Minute, Quick: 150 * time.Second,
	Play: playOverflow,
}

func playOverflow(ctx context.Context, w *World) error {
	victim, friend, err := w.pair(ctx)
	if err != nil {
		return err
	}
	if _, err := victim.Client.Account().Configure(ctx, wire.QueueSettings{MaxEntries: smallQueue}); err != nil {
		return err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	if _, err := victim.Found(ctx, client.GroupOptions{}, nil, insiders...); err != nil {
		return err
	}
	g, err := friend.Found(ctx, client.GroupOptions{}, []*Person{victim})
	if err != nil {
		return err
	}
	if err := w.writeTo(g, friend, victim, 5*time.Second); err != nil {
		return err
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			if err := w.Sleep(ctx, w.Window-time.Second); err != nil {
				return err
			}
			return victim.Hear(ctx)
		})
	})
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error { return i.flood(ctx, 200*time.Millisecond) })
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(w.tally.Lost)
	return nil
}
