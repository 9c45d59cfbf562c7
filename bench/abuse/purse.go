package abuse

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/pseudods/pseudods/privacypass/client"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// purse holds the tokens of a party that is not a client of the SDK.
type purse struct {
	party  *Party
	issuer *issuers.Issuer
	held   map[tokens.Class][][]byte
}

// ErrNoTokens: the account's allowance is used up.
var ErrNoTokens = errors.New("abuse: no more tokens")

// Pay takes what an operation costs at the party's provider from the purse, and
// fetches tokens if there are too few. It fails with [ErrNoTokens].
func (q *Party) Pay(ctx context.Context, o wire.Operation) ([][]byte, error) {
	price, priced := q.p.Prices.Prices[o.PriceName()]
	if !priced {
		return nil, nil
	}
	return q.Take(ctx, price.Class, price.Count)
}

// Burst takes the price of one request beyond the limits, or nothing where that is
// not sold. It fails with [ErrNoTokens].
func (q *Party) Burst(ctx context.Context) ([][]byte, error) {
	price, priced := q.p.Prices.Prices[wire.PriceBurst]
	if !priced {
		return nil, ErrNoTokens
	}
	return q.Take(ctx, price.Class, price.Count)
}

// Take takes encoded tokens of a class. It fails with [ErrNoTokens].
func (q *Party) Take(ctx context.Context, class tokens.Class, n int) ([][]byte, error) {
	for len(q.purse.held[class]) < n {
		if err := q.purse.fetch(ctx, class); err != nil {
			return nil, err
		}
	}
	held := q.purse.held[class]
	q.purse.held[class] = held[n:]
	return held[:n:n], nil
}

// Hoard fetches all tokens of a class that the account gets now, and returns how
// many it has then.
func (q *Party) Hoard(ctx context.Context, class tokens.Class) (int, error) {
	for {
		err := q.purse.fetch(ctx, class)
		if errors.Is(err, ErrNoTokens) {
			return len(q.purse.held[class]), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// fetch gets a batch of tokens from the issuer, or a single one if the rest of the
// allowance is less. It fails with [ErrNoTokens].
func (p *purse) fetch(ctx context.Context, class tokens.Class) error {
	err := p.fetchUpTo(ctx, class, 32)
	if errors.Is(err, ErrNoTokens) {
		err = p.fetchUpTo(ctx, class, 1)
	}
	return err
}

func (p *purse) fetchUpTo(ctx context.Context, class tokens.Class, most int) error {
	q := p.party
	if p.issuer == nil {
		issuer, err := issuers.Discover(ctx, q.HTTP(), q.p.url())
		if err != nil {
			return err
		}
		p.issuer, p.held = issuer, map[tokens.Class][][]byte{}
	}
	c, err := p.issuer.Class(ctx, string(class))
	if err != nil {
		return err
	}
	challenge, err := q.p.Prices.Challenge(class, tokens.Origin{Name: q.p.Domain})
	if err != nil {
		return err
	}
	now := q.w.clock.Now()
	keys, err := c.Keys(challenge.TokenType, now)
	if err != nil {
		return err
	}
	pending, err := client.Amortized(rand.Reader, client.Want{Key: keys[0], Challenge: challenge}, c.Batch(most))
	if err != nil {
		return err
	}
	reply, err := c.Send(ctx, pending.Kind(), pending.Request(), now, q.Attestor())
	var refused *issuers.StatusError
	if errors.As(err, &refused) && (refused.Exhausted() || q.disowned) {
		return ErrNoTokens
	}
	if err != nil {
		return err
	}
	got, err := pending.Finalize(reply)
	if err != nil {
		return err
	}
	for _, t := range got {
		b, err := t.Marshal()
		if err != nil {
			return err
		}
		p.held[class] = append(p.held[class], b)
	}
	return nil
}
