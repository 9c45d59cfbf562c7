package abuse

import (
	"context"
	"time"

	"github.com/pseudods/pseudods/client"
)

var scraping = Scenario{
	Name: "tree-scraping", Models: []string{"S07"},
	Attacker: "each account is a member of one group of twelve and asks for its GroupInfo and tree, as a joiner would, ten times a second; when it is told to wait it waits",
	Load:     "two members of the group write to each other every ten seconds",
	Effect:   "a tree that the service sent to the attacker",
	Sessions: 2, Window: 10 * time.Minute, Quick: 40 * time.Second,
	Play: playScraping,
}

func playScraping(ctx context.Context, w *World) error {
	alice, bob, err := w.pair(ctx)
	if err != nil {
		return err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	others, err := w.extras(ctx, 10-len(insiders))
	if err != nil {
		return err
	}
	g, err := alice.Found(ctx, client.GroupOptions{}, []*Person{bob}, append(others, insiders...)...)
	if err != nil {
		return err
	}
	if _, err := w.converse(g.ID(), alice, bob, 10*time.Second); err != nil {
		return err
	}
	for _, i := range insiders {
		if err := i.Hear(ctx); err != nil {
			return err
		}
		key, err := StateKey(i.Group)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 100*time.Millisecond, func() error {
					w.reportSoon(i.Party)
					_, err := i.Scout(ctx, g.ID(), key)
					if err == nil {
						w.Effect(1)
					}
					return err
				})
			})
		})
	}
	return w.Run()
}

// extras are honest members that only fill a group.
func (w *World) extras(ctx context.Context, n int) ([]*Insider, error) {
	var out []*Insider
	for range n {
		q, err := w.Home.Party(Honest)
		if err != nil {
			return nil, err
		}
		i, err := q.Insider(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}
