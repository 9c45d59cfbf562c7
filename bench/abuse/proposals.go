package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var proposalLock = Scenario{
	Name: "proposal-lock", Models: []string{"S32"},
	Attacker: "each account is a member of one group and proposes new keys for its leaf ten times a second; when it is told to wait it waits, and where the service keeps no more proposals of one leaf it goes on trying",
	Load:     "a member of the group, 200 ms away, wants to commit every five seconds, with all that waits, and tries again and again for four",
	Effect:   "a proposal of the attacker that waited, and that members had to carry out",
	Sessions: 2, Window: 3 * time.Minute, Quick: 20 * time.Second,
	Play: playProposals,
}

func playProposals(ctx context.Context, w *World) error {
	insiders, err := w.contend(ctx)
	if err != nil {
		return err
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, 100*time.Millisecond, func() error {
					w.reportSoon(i.Party)
					err := i.proposeUpdate(ctx)
					switch {
					case err == nil:
						w.Effect(1)
					case errors.Is(err, &wire.Error{Code: wire.CodeWrongEpoch}):
						return i.Hear(ctx)
					}
					return err
				})
			})
		})
	}
	return w.Run()
}

// proposeUpdate proposes new keys for the insider's leaf.
func (i *Insider) proposeUpdate(ctx context.Context) error {
	paid, err := i.Pay(ctx, wire.OpPropose)
	if err != nil {
		return err
	}
	m, err := i.Group.ProposeUpdate(nil, group.MessageOptions{})
	if errors.Is(err, group.ErrTooManyProposals) {
		return i.Hear(ctx)
	}
	if err != nil {
		return err
	}
	b, err := mls.Marshal(m)
	if err != nil {
		return err
	}
	return i.AskWith(ctx, wire.OpPropose, &wire.GroupMessage{Group: i.ID(), Message: b}, paid, new(wire.Accepted))
}
