package abuse

import (
	"context"
	"time"
)

var epochEdge = Scenario{
	Name: "epoch-edge", Models: []string{"S53"},
	Attacker: "each account is a member of one group and sends four messages a second, from five minutes before an allowance epoch ends to five minutes after, so that two rations are there to be spent at once; in brief from twenty-four seconds before to sixteen after, at twenty a second",
	Load:     "two members of the group write to each other every ten seconds",
	Effect:   "a message of the attacker that an honest member has read",
	Sessions: 1, Window: 10 * time.Minute, Quick: 40 * time.Second,
	Play: playMidnight,
}

func playMidnight(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	pace, lead := 250*time.Millisecond, 5*time.Minute
	if w.Window < lead {
		pace, lead = 50*time.Millisecond, 24*time.Second
	}
	midnight := w.Now().Truncate(ration).Add(ration)
	if err := w.Sleep(ctx, midnight.Add(-lead).Sub(w.Now())); err != nil {
		return err
	}
	c, err := w.converse(g.ID(), alice, bob, 10*time.Second)
	if err != nil {
		return err
	}
	c.other = func(string) {
		w.Effect(1)
		w.reportSoon(parties(insiders)...)
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				for {
					if err := i.flood(ctx, pace); err != nil {
						return err
					}
					// All tokens of the day are spent.
					if err := w.Sleep(ctx, time.Second); err != nil {
						return err
					}
				}
			})
		})
	}
	return w.Run()
}
