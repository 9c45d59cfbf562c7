package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var notificationSpam = Scenario{
	Name: "notification-spam", Models: []string{"S05"},
	Attacker: "each account is a member of a group with the victim and sends one short message every two seconds",
	Load:     "the victim's device sleeps until it is notified, and reads four seconds later; a friend in the group writes every half a minute",
	Effect:   "a notification of the victim's device for nothing but messages of the attacker",
	Sessions: 1, Window: time.Hour, Quick: 12 * time.Minute,
	Play: playNotificationSpam,
}

func playNotificationSpam(ctx context.Context, w *World) error {
	victim, friend, err := w.pair(ctx)
	if err != nil {
		return err
	}
	const target = "victim's device"
	if _, err := victim.Client.Account().Configure(ctx, wire.QueueSettings{Push: []byte(target)}); err != nil {
		return err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	g, err := friend.Found(ctx, client.GroupOptions{}, []*Person{victim}, insiders...)
	if err != nil {
		return err
	}
	if err := w.writeTo(g, friend, victim, 30*time.Second); err != nil {
		return err
	}
	useful := false
	heard := victim.Heard
	victim.Heard = func(e client.Event) {
		before := w.tally.Lost
		heard(e)
		useful = useful || w.tally.Lost < before
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for seen := w.Home.Pushed[target]; ; {
				if err := w.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if w.Home.Pushed[target] == seen {
					continue
				}
				seen = w.Home.Pushed[target]
				if err := w.Sleep(ctx, 4*time.Second); err != nil {
					return err
				}
				useful = false
				if err := victim.Hear(ctx); err != nil {
					return err
				}
				if !useful {
					w.Effect(1)
				}
			}
		})
	})
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error { return i.flood(ctx, 2*time.Second) })
		})
	}
	return w.Run()
}
