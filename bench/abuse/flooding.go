package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

var groupFlooding = Scenario{
	Name: "group-flooding", Models: []string{"S04"},
	Attacker: "each account is a member of one group and sends ten messages a second; when it is told to wait it pays with a token if it has one, and waits else",
	Load:     "two members of the group write to each other every ten seconds",
	Effect:   "a message of the attacker that an honest member has read",
	Sessions: 3, Window: 2 * time.Minute, Quick: 40 * time.Second,
	Play: playFlooding,
}

func playFlooding(ctx context.Context, w *World) error {
	alice, bob, g, insiders, err := w.infiltrate(ctx)
	if err != nil {
		return err
	}
	c, err := w.converse(g.ID(), alice, bob, 10*time.Second)
	if err != nil {
		return err
	}
	c.other = func(text string) {
		w.Effect(1)
		w.reportSoon(parties(insiders)...)
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error { return i.flood(ctx, 100*time.Millisecond) })
		})
	}
	return w.Run()
}

// flood sends messages at a pace, pays where that helps, and waits when it must. It
// returns when nothing more can be sent, or time is up.
func (i *Insider) flood(ctx context.Context, pace time.Duration) error {
	return i.every(ctx, pace, func() error {
		err := i.sayOrPay(ctx, []byte("spam"))
		if errors.Is(err, &wire.Error{Code: wire.CodeWrongEpoch}) {
			return errors.Join(i.Hear(ctx), err)
		}
		return err
	})
}

// sayOrPay is Say, and pays to be exempt from a limit if that is sold.
func (i *Insider) sayOrPay(ctx context.Context, text []byte) error {
	err := i.Say(ctx, text)
	if wait, refused := Refused(err); !refused || wait == 0 {
		return err
	}
	paid, poor := i.Burst(ctx)
	if poor != nil {
		return err // without tokens there is time to wait
	}
	return i.SayWith(ctx, text, paid)
}
