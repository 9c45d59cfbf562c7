package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// way is how long a commit is under way, from when its maker last read the group.
const way = 200 * time.Millisecond

var commitStarvation = Scenario{
	Name: "commit-starvation", Models: []string{"S31"},
	Attacker: "each account is a member of one group and commits a renewal of its keys as soon as it has read the last commit, at half the distance of others; when it is told to wait it pays with a token if it has one, and waits else",
	Load:     "a member of the group, 200 ms away, wants to commit every five seconds, and tries again and again for four",
	Effect:   "a commit of the attacker that began an epoch",
	Sessions: 2, Window: 3 * time.Minute, Quick: 15 * time.Second,
	Play: playStarvation,
}

func playStarvation(ctx context.Context, w *World) error {
	insiders, err := w.contend(ctx)
	if err != nil {
		return err
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.commitOn(ctx, way/2, func() { w.Effect(1); w.reportSoon(i.Party) })
			})
		})
	}
	return w.Run()
}

// persist wants one commit of the insider's, and tries for a time.
func (i *Insider) persist(ctx context.Context, d time.Duration) error {
	got, until := i.w.Want(), i.w.Now().Add(d)
	for i.w.Now().Before(until) {
		if err := i.Hear(ctx); err != nil {
			return err
		}
		body, err := i.CommitBody(nil)
		if err != nil {
			return err
		}
		if err := i.w.Sleep(ctx, way); err != nil {
			return err
		}
		paid, err := i.Pay(ctx, wire.OpUpdate)
		if err != nil {
			return err
		}
		wait, refused := time.Duration(0), false
		if err = i.Renew(ctx, body, paid); err == nil {
			got()
			break
		} else if wait, refused = Refused(err); !refused {
			return err
		}
		if err := i.w.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	return i.w.Sleep(ctx, max(0, until.Sub(i.w.Now())))
}

// commitOn commits as often as it can, from a place at some distance. began is told
// of each epoch.
func (i *Insider) commitOn(ctx context.Context, distance time.Duration, began func()) error {
	for {
		if err := i.Hear(ctx); err != nil {
			return err
		}
		body, err := i.CommitBody(nil)
		if err != nil {
			return err
		}
		if err := i.w.Sleep(ctx, distance); err != nil {
			return err
		}
		paid, err := i.Pay(ctx, wire.OpUpdate)
		if errors.Is(err, ErrNoTokens) {
			return nil
		}
		if err != nil {
			return err
		}
		err = i.Renew(ctx, body, paid)
		wait, refused := Refused(err)
		switch {
		case err == nil:
			began()
		case !refused:
			return err
		case wait > 0:
			if err := i.payOr(ctx, wait, began); err != nil {
				return err
			}
		}
	}
}

// payOr commits with a token for a burst, or waits if there is none.
func (i *Insider) payOr(ctx context.Context, wait time.Duration, began func()) error {
	paid, poor := i.Burst(ctx)
	if poor != nil {
		return i.w.Sleep(ctx, wait)
	}
	if err := i.Hear(ctx); err != nil {
		return err
	}
	body, err := i.CommitBody(nil)
	if err != nil {
		return err
	}
	err = i.Renew(ctx, body, paid)
	if err == nil {
		began()
		return nil
	}
	if _, refused := Refused(err); !refused {
		return err
	}
	return i.w.Sleep(ctx, wait)
}
