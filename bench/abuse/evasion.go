package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var banEvasion = Scenario{
	Name: "ban-evasion", Models: []string{"S10"},
	Attacker: "one account is a quiet member of the group and gives its key away; each other one writes every second, and when it is banned it comes back from outside under a new pseudonym",
	Load:     "two members write to each other every five seconds; a third looks every five seconds and bans whoever has written spam",
	Effect:   "a message of somebody who was banned before, that an honest member has read",
	Sessions: 2, Window: 10 * time.Minute, Quick: 40 * time.Second, Accounts: 2,
	Play: playEvasion,
}

func playEvasion(ctx context.Context, w *World) error {
	alice, bob, err := w.pair(ctx)
	if err != nil {
		return err
	}
	carol, err := w.Home.Person(ctx, Honest, "carol")
	if err != nil {
		return err
	}
	if err := alice.Meet(ctx, carol); err != nil {
		return err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	g, err := alice.Found(ctx, client.GroupOptions{}, []*Person{bob, carol}, insiders...)
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 5*time.Second); err != nil {
		return err
	}
	var accused []*Party
	for _, i := range insiders[1:] {
		accused = append(accused, i.Party)
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error { return carol.moderate(ctx, g.ID(), accused) })
	})
	for _, i := range insiders[1:] {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, time.Second, func() error { return i.evade(ctx, g.ID(), insiders[0]) })
			})
		})
	}
	return w.Run()
}

// moderate bans who has written spam to a group, and reports it. It counts what comes
// after the first ban.
func (x *Person) moderate(ctx context.Context, id wire.GroupID, accused []*Party) error {
	g, err := x.In(id)
	if err != nil {
		return err
	}
	var guilty []string
	banned := 0
	x.Heard = func(e client.Event) {
		if e.Kind == client.EventMessage && string(e.Text) == "spam" {
			guilty = append(guilty, e.Member.User)
			x.w.reportSoon(accused...)
			if banned > 0 {
				x.w.Effect(1)
			}
		}
	}
	for {
		if err := x.w.Sleep(ctx, 5*time.Second); err != nil {
			return err
		}
		if err := x.Hear(ctx); err != nil {
			return err
		}
		for ; len(guilty) > 0; guilty = guilty[1:] {
			switch err := g.Ban(ctx, guilty[0]); {
			case err == nil:
				banned++
			case errors.Is(err, client.ErrNoMember): // gone already
			default:
				if _, refused := Refused(err); !refused {
					return err
				}
			}
		}
	}
}

// evade writes to a group, and enters it again if it was thrown out.
func (i *Insider) evade(ctx context.Context, id wire.GroupID, accomplice *Insider) error {
	if i.Group == nil {
		if err := accomplice.Hear(ctx); err != nil {
			return err
		}
		key, err := StateKey(accomplice.Group)
		if err != nil {
			return err
		}
		return i.Enter(ctx, id, key)
	}
	err := i.Say(ctx, []byte("spam"))
	switch {
	case errors.Is(err, &wire.Error{Code: wire.CodeWrongEpoch}):
		return i.Hear(ctx)
	case errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}):
		return i.Rename()
	}
	return err
}
