package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

var rejoinChurn = Scenario{
	Name: "rejoin-churn", Models: []string{"S08", "S09"},
	Attacker: "each account is a member of one group and rejoins it by external commit five times a second, by its user key, with a new leaf key each time; when it is told to wait it waits",
	Load:     "two members of the group write to each other every five seconds",
	Effect:   "an epoch that the attacker began and an honest member had to follow",
	Sessions: 2, Window: 3 * time.Minute, Quick: 20 * time.Second,
	Play: playChurn,
}

func playChurn(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 5*time.Second); err != nil {
		return err
	}
	before := g.Epoch()
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 200*time.Millisecond, func() error {
					w.reportSoon(i.Party)
					if err := i.Hear(ctx); err != nil {
						return err
					}
					err := i.Rejoin(ctx)
					if errors.Is(err, &wire.Error{Code: wire.CodeWrongEpoch}) {
						return nil
					}
					return err
				})
			})
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(int(g.Epoch() - before))
	return nil
}
