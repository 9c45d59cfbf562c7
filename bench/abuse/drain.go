package abuse

import (
	"context"
	"errors"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var keyPackageDrain = Scenario{
	Name: "keypackage-drain", Models: []string{"S03"},
	Attacker: "each account has the victim's contact card and takes a KeyPackage from the card's pool every ten seconds",
	Load:     "somebody else with the card takes a KeyPackage every five minutes, and wants one that is not the last resort; the victim's client refills its pools every half an hour",
	Effect:   "a KeyPackage for one use that the attacker got",
	Sessions: 2, Window: 4 * time.Hour, Quick: time.Hour,
	Play: playDrain,
}

func playDrain(ctx context.Context, w *World) error {
	victim, other, err := w.pair(ctx)
	if err != nil {
		return err
	}
	card, err := victim.Client.Account().Card()
	if err != nil {
		return err
	}
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, 30*time.Minute); err != nil {
					return err
				}
				if err := victim.Maintain(ctx); err != nil && !errors.Is(err, account.ErrNoTokens) {
					if _, refused := Refused(err); !refused {
						return err
					}
				}
			}
		})
	})
	w.Go(func(ctx context.Context) error {
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, 5*time.Minute); err != nil {
					return err
				}
				got := w.Want()
				k, err := other.Client.Account().FetchConnectionPackage(ctx, card)
				if err == nil && !k.LastResort() {
					got()
				}
			}
		})
	})
	for range w.Budget.Accounts {
		q, err := w.Home.Party(Attacker)
		if err != nil {
			return err
		}
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return q.every(ctx, 10*time.Second, func() error {
					k, err := q.TakeKeyPackage(ctx, card)
					if err == nil && !k.LastResort() {
						w.Effect(1)
					}
					return err
				})
			})
		})
	}
	return w.Run()
}

// octets is an answer that is not encoded further.
type octets []byte

// UnmarshalTLS implements [mls.Unmarshaler].
func (o *octets) UnmarshalTLS(r *tlscodec.Reader) { *o = r.Rest() }

// TakeKeyPackage takes a KeyPackage from the first pool of a card, and pays for it.
func (q *Party) TakeKeyPackage(ctx context.Context, card *wire.ContactCard) (*mls.KeyPackage, error) {
	paid, err := q.Pay(ctx, wire.OpConnectionPackages)
	if err != nil {
		return nil, err
	}
	r, err := q.Compose(wire.OpConnectionPackages, &wire.FetchKeyPackage{Pool: card.Pools[0]}, wire.Auth{}, secret.Bytes{}, nil, paid)
	if err != nil {
		return nil, err
	}
	var sealed octets
	if err := q.Do(ctx, q.p, r, &sealed); err != nil {
		return nil, err
	}
	b, err := seal.OpenKeyPackage(seal.KeyPackageKey{Bytes: secret.Clone(card.PackageKey[:])}, card.Pools[0], sealed)
	if err != nil {
		return nil, err
	}
	k := new(mls.KeyPackage)
	return k, mls.Unmarshal(b, k)
}
