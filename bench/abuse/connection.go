package abuse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var connectionSpam = Scenario{
	Name: "connection-spam", Models: []string{"S01", "S41"},
	Attacker: "each account has the victim's contact card and asks for contact every two seconds, each time under a new name",
	Load:     "three people with the card ask for contact at some time of the first day; the victim looks at one request every ten seconds, accepts those people and blocks all others",
	Effect:   "a request for contact that the victim's client had to open",
	Sessions: 2, Window: 20 * time.Minute, Quick: 6 * time.Minute, Sweep: true,
	Play: playConnectionSpam,
}

func playConnectionSpam(ctx context.Context, w *World) error {
	victim, err := w.Home.Person(ctx, Honest, "victim")
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	w.Go(func(ctx context.Context) error { return w.Daily(ctx, victim.sift) })
	if err := w.friends(ctx, card, friends); err != nil {
		return err
	}
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return q.every(ctx, 2*time.Second, func() error {
					paid, err := q.Pay(ctx, wire.OpConnectionRequest)
					if err != nil {
						return err
					}
					return q.Offer(ctx, w.Home, card, paid)
				})
			})
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	w.Effect(max(0, victim.Read-friends))
	return nil
}

// friend begins the names of honest people who ask for contact, of whom there are
// so many.
const (
	friend  = "friend"
	friends = 3
)

// friends are people who ask the holder of a card for contact in the first session,
// and want to be accepted.
func (w *World) friends(ctx context.Context, card *wire.ContactCard, n int) error {
	for i := range n {
		x, err := w.Home.Person(ctx, Honest, fmt.Sprint(friend, " ", i))
		if err != nil {
			return err
		}
		at := time.Duration(w.Rand.Int64N(int64(w.Window / 2)))
		var got func()
		x.Heard = func(e client.Event) {
			if e.Kind == client.EventContact {
				got()
			}
		}
		w.Go(func(ctx context.Context) error {
			if err := w.Sleep(ctx, at); err != nil {
				return err
			}
			got = w.Want()
			if err := x.Client.Account().Connect(ctx, card, []byte("hello")); err != nil {
				if _, refused := Refused(err); !refused {
					return err
				}
			}
			return w.Daily(ctx, func(ctx context.Context) error {
				for {
					if err := w.Sleep(ctx, 5*time.Second); err != nil {
						return err
					}
					if err := x.Hear(ctx); err != nil {
						return err
					}
				}
			})
		})
	}
	return nil
}

// sift reads what arrives and answers one request for contact every ten seconds,
// whichever comes first to hand.
func (x *Person) sift(ctx context.Context) error {
	for {
		if err := x.w.Sleep(ctx, 10*time.Second); err != nil {
			return err
		}
		if err := x.Hear(ctx); err != nil {
			return err
		}
		all, err := x.Client.Account().Contacts()
		if err != nil {
			return err
		}
		var asked []*account.Contact
		for _, c := range all {
			if c.State == account.ContactAsked {
				asked = append(asked, c)
			}
		}
		if len(asked) == 0 {
			continue
		}
		c := asked[x.w.Rand.IntN(len(asked))]
		answer := x.Client.Account().Block
		if strings.HasPrefix(c.Name, friend) {
			answer = x.Client.Account().Accept
		}
		if err := answer(ctx, c.Name); err != nil {
			if _, refused := Refused(err); !refused {
				return err
			}
		}
	}
}

// every does something at a pace until the session ends or no tokens are left. It
// waits when it is told to.
func (q *Party) every(ctx context.Context, pace time.Duration, f func() error) error {
	for {
		err := f()
		wait, refused := Refused(err)
		if errors.Is(err, ErrNoTokens) || errors.Is(err, account.ErrNoTokens) {
			return nil
		}
		if err != nil && !refused {
			return err
		}
		if err := q.w.Sleep(ctx, max(pace, wait)); err != nil {
			return err
		}
	}
}
