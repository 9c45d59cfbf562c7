package abuse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
)

// conversation is honest load: two people who write to each other in a group.
type conversation struct {
	w     *World
	wants map[string]func()
	// other is told of messages that are not of the conversation, as one of the two
	// reads them.
	other func(text string)
}

// converse has two people write to each other at a pace while the attacker is
// there. Each reads every second, and rejoins the group if it cannot follow.
func (w *World) converse(id [32]byte, a, b *Person, pace time.Duration) (*conversation, error) {
	c := &conversation{w: w, wants: map[string]func(){}, other: func(string) {}}
	for n, x := range []*Person{a, b} {
		g, err := x.In(id)
		if err != nil {
			return nil, err
		}
		x.Heard = func(e client.Event) {
			if e.Kind != client.EventMessage {
				return
			}
			if got := c.wants[string(e.Text)]; got != nil {
				got()
			} else if x == a {
				c.other(string(e.Text))
			}
		}
		w.Go(func(ctx context.Context) error {
			sent := 0
			return w.Daily(ctx, func(ctx context.Context) error {
				for next := w.Now().Add(pace); ; {
					if err := w.Sleep(ctx, time.Second); err != nil {
						return err
					}
					if !w.Now().Before(next) {
						next = next.Add(pace)
						sent++
						text := fmt.Sprintf("%d says %d", n, sent)
						c.wants[text] = w.Want()
						if err := g.Send(ctx, []byte(text)); err != nil && !errors.Is(err, client.ErrKept) && !errors.Is(err, client.ErrOutbox) && !errors.Is(err, client.ErrLost) {
							return err
						}
					}
					if err := x.Hear(ctx); err != nil && ctx.Err() == nil {
						if _, refused := Refused(err); !refused {
							return err
						}
					}
					if g.State() == client.StateLost {
						if err := g.Rejoin(ctx); err != nil && !errors.Is(err, client.ErrAccessAsked) && unlessRefused(err) != nil {
							return err
						}
					}
				}
			})
		})
	}
	return c, nil
}

// writeTo has one person write to another in a group at a pace. The other wants each
// message, and reads when its own process does.
func (w *World) writeTo(g *client.Group, from, to *Person, pace time.Duration) error {
	wants := map[string]func(){}
	to.Heard = func(e client.Event) {
		if got := wants[string(e.Text)]; e.Kind == client.EventMessage && got != nil {
			got()
		}
	}
	w.Go(func(ctx context.Context) error {
		sent := 0
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, pace); err != nil {
					return err
				}
				sent++
				text := fmt.Sprintf("message %d", sent)
				wants[text] = w.Want()
				if err := g.Send(ctx, []byte(text)); err != nil && !errors.Is(err, client.ErrKept) && !errors.Is(err, client.ErrOutbox) {
					return err
				}
			}
		})
	})
	_, err := to.In(g.ID())
	return err
}

// unlessRefused drops an error that is a refusal, or comes of an empty purse.
func unlessRefused(err error) error {
	if _, refused := Refused(err); refused || errors.Is(err, account.ErrNoTokens) || errors.Is(err, ErrNoTokens) {
		return nil
	}
	return err
}

// pair makes two honest people who are contacts.
func (w *World) pair(ctx context.Context) (a, b *Person, err error) {
	if a, err = w.Home.Person(ctx, Honest, "alice"); err != nil {
		return nil, nil, err
	}
	if b, err = w.Home.Person(ctx, Honest, "bob"); err != nil {
		return nil, nil, err
	}
	return a, b, a.Meet(ctx, b)
}

// insiders makes a wire-level client for each account of the attacker.
func (w *World) insiders(ctx context.Context) ([]*Insider, error) {
	var out []*Insider
	for range w.Budget.Accounts {
		who, err := w.Home.Party(Attacker)
		if err != nil {
			return nil, err
		}
		i, err := who.Insider(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// infiltrate is what most scenarios about groups begin with: two honest people and the
// attacker's insiders in one group.
func (w *World) infiltrate(ctx context.Context) (alice, bob *Person, g *client.Group, insiders []*Insider, err error) {
	if alice, bob, err = w.pair(ctx); err != nil {
		return nil, nil, nil, nil, err
	}
	if insiders, err = w.insiders(ctx); err != nil {
		return nil, nil, nil, nil, err
	}
	g, err = alice.Found(ctx, client.GroupOptions{}, []*Person{bob}, insiders...)
	return alice, bob, g, insiders, err
}

// contend makes a group of an honest member, 200 ms away, who wants to commit every
// five seconds and tries for four, and the attacker's insiders.
func (w *World) contend(ctx context.Context) ([]*Insider, error) {
	alice, err := w.Home.Person(ctx, Honest, "alice")
	if err != nil {
		return nil, err
	}
	far, err := w.Home.Party(Honest)
	if err != nil {
		return nil, err
	}
	bob, err := far.Insider(ctx)
	if err != nil {
		return nil, err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return nil, err
	}
	all := append([]*Insider{bob}, insiders...)
	if _, err := alice.Found(ctx, client.GroupOptions{}, nil, all...); err != nil {
		return nil, err
	}
	for _, i := range all {
		if err := i.Hear(ctx); err != nil {
			return nil, err
		}
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if err := bob.persist(ctx, 4*time.Second); err != nil {
					return err
				}
			}
		})
	})
	return insiders, nil
}

// parties are the accounts of insiders.
func parties(insiders []*Insider) (out []*Party) {
	for _, i := range insiders {
		out = append(out, i.Party)
	}
	return out
}
