package abuse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client"
)

var inviteSpam = Scenario{
	Name: "invite-spam", Models: []string{"S02"},
	Attacker: "each account is a contact of the victim, and every three seconds makes a group and adds the victim to it",
	Load:     "another contact adds the victim to a group every minute; the victim's client reads every second and refills its pools every half an hour",
	Effect:   "a group in which the victim found itself",
	Sessions: 1, Window: 8 * time.Minute, Quick: 4 * time.Minute,
	Play: playInviteSpam,
}

func playInviteSpam(ctx context.Context, w *World) error {
	victim, friend, err := w.pair(ctx)
	if err != nil {
		return err
	}
	wants := map[[32]byte]func(){}
	victim.Heard = func(e client.Event) {
		if e.Kind != client.EventJoined {
			return
		}
		if got := wants[e.Group]; got != nil {
			got()
		} else if strings.HasPrefix(e.Member.Name, "mallory") {
			w.Effect(1)
		}
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for refill := w.Now().Add(30 * time.Minute); ; {
				if err := w.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if err := victim.Hear(ctx); err != nil {
					return err
				}
				if !w.Now().Before(refill) {
					refill = refill.Add(30 * time.Minute)
					if err := unlessRefused(victim.Maintain(ctx)); err != nil {
						return err
					}
				}
			}
		})
	})
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, time.Minute); err != nil {
					return err
				}
				got := w.Want()
				g, err := friend.CreateGroup(ctx, "ours", client.GroupOptions{})
				if err == nil {
					wants[g.ID()] = got
					err = friend.invite(ctx, g, victim)
				}
				if err := unlessRefused(err); err != nil {
					return err
				}
			}
		})
	})
	for n := range w.Budget.Accounts {
		mallory, err := w.Home.Person(ctx, Attacker, fmt.Sprint("mallory ", n))
		if err != nil {
			return err
		}
		if err := mallory.Meet(ctx, victim); err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return mallory.every(ctx, 3*time.Second, func() error {
					g, err := mallory.CreateGroup(ctx, "spam", client.GroupOptions{})
					if err != nil {
						return err
					}
					return mallory.invite(ctx, g, victim)
				})
			})
		})
	}
	return w.Run()
}

// invite adds a contact to a group.
func (x *Person) invite(ctx context.Context, g *client.Group, other *Person) error {
	c, err := x.Client.Account().Contact(other.Name)
	if err != nil {
		return err
	}
	return g.Invite(ctx, c)
}
