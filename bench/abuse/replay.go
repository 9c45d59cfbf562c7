package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var replayedRequests = Scenario{
	Name: "replay", Models: []string{"S37"},
	Attacker: "has what an honest member sent, whole requests with their signatures, and sends the last three twice a second to the service, to another node of it, and to the service of another domain",
	Load:     "a member of a group writes every five seconds, and another reads",
	Effect:   "an entry in a member's queue beside those of the messages that were sent",
	Control:  "each copy has a nonce of its own, which is to the service what a copy is to one that remembers no nonces",
	Sessions: 1, Window: 5 * time.Minute, Quick: 30 * time.Second,
	Play: playReplay,
}

func playReplay(ctx context.Context, w *World) error {
	alice, err := w.Home.Person(ctx, Honest, "alice")
	if err != nil {
		return err
	}
	members, err := w.extras(ctx, 2)
	if err != nil {
		return err
	}
	if _, err := alice.Found(ctx, client.GroupOptions{}, nil, members...); err != nil {
		return err
	}
	other, err := w.Home.Node(false)
	if err != nil {
		return err
	}
	elsewhere, err := w.Provide("elsewhere.example")
	if err != nil {
		return err
	}
	for _, i := range members {
		if err := i.Hear(ctx); err != nil {
			return err
		}
	}
	writer, reader := members[0], members[1]
	before := reader.after
	// taken are the requests that the attacker has copied; next makes another copy.
	var next []func() ([]byte, error)
	sent := 0
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, 5*time.Second); err != nil {
					return err
				}
				got := w.Want()
				r, copies, err := writer.message(ctx, w.Control)
				if err != nil {
					return err
				}
				if err := writer.Do(ctx, w.Home, r, new(wire.Accepted)); err != nil {
					if unlessRefused(err) != nil {
						return err
					}
					continue
				}
				got()
				sent++
				next = append(next, copies)
			}
		})
	})
	thief, err := w.Home.Party(Attacker)
	if err != nil {
		return err
	}
	w.Attack(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			return thief.every(ctx, 500*time.Millisecond, func() error {
				for _, again := range next[max(0, len(next)-3):] {
					for _, at := range []*Provider{w.Home, other, elsewhere} {
						r, err := again()
						if err != nil {
							return err
						}
						if err := thief.Do(ctx, at, r, nil); unlessRefused(err) != nil {
							return err
						}
					}
				}
				return nil
			})
		})
	})
	if err := w.Run(); err != nil {
		return err
	}
	if err := reader.Hear(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	w.Effect(max(0, int(reader.after-before)-sent))
	return nil
}

// message makes a request that sends a message, and a function that copies it: to
// the octet, or with a nonce of its own.
func (i *Insider) message(ctx context.Context, anew bool) (r []byte, again func() ([]byte, error), err error) {
	paid, err := i.Pay(ctx, wire.OpSendMessage)
	if errors.Is(err, ErrNoTokens) {
		paid, err = nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := i.Hear(ctx); err != nil {
		return nil, nil, err
	}
	body, err := i.franked([]byte("hello"))
	if err != nil {
		return nil, nil, err
	}
	compose := func() ([]byte, error) {
		key, err := StateKey(i.Group)
		if err != nil {
			return nil, err
		}
		leaf, err := i.Group.OwnLeaf()
		if err != nil {
			return nil, err
		}
		return i.Compose(wire.OpSendMessage, body, wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, key, i.MLS.Signer, paid)
	}
	if r, err = compose(); err != nil {
		return nil, nil, err
	}
	if anew {
		return r, compose, nil
	}
	return r, func() ([]byte, error) { return r, nil }, nil
}
