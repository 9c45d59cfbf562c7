package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/tokens"
)

// redemptions is how many requests with a token are on their way at once.
const redemptions = 256

// redeem measures durable redemptions of tokens of type 0x0005 per second: each
// is verified, and its nullifier bound to the request in the ledger. What
// verification alone allows bounds that.
//
// The baseline looks a token up in a list of spent ones and then writes it there,
// under a lock: without one, it accepts a token twice that comes twice at once.
func redeem(ctx context.Context, e *env) error {
	m, err := newMint()
	if err != nil {
		return err
	}
	n := sized(e, []int{2_000}, []int{20_000})[0]
	verified, err := best(func() (float64, error) {
		return m.redeem(n, func(tokens.Payment, int) error { return nil })
	})
	if err != nil {
		return err
	}
	value, err := best(func() (rate float64, err error) { return m.throughLedger(ctx, e, n) })
	if err != nil {
		return err
	}
	baseline, err := best(func() (float64, error) {
		p, done, err := e.newPeer()
		if err != nil {
			return 0, err
		}
		defer done()
		return m.redeem(n, func(_ tokens.Payment, i int) error { return p.spend(ctx, m.spent[i]) })
	})
	if err != nil {
		return err
	}
	e.emit(Result{Name: "redeem_tokens", Value: value, Unit: "tokens/s", Baseline: baseline})
	e.emit(Result{Name: "redeem_verification", Value: verified, Unit: "tokens/s"})
	return nil
}

// mint issues tokens. They are issued once, and spent in a new ledger each time.
type mint struct {
	issuer *issuer.Issuer
	want   client.Want
	till   *tokens.Till
	made   []*privacypass.Token
	spent  [][]byte // what a list of spent tokens names each by
}

func newMint() (*mint, error) {
	const class, origin = tokens.Send, "ds.example"
	list := &tokens.PriceList{
		Classes: map[tokens.Class]tokens.Terms{class: {Issuer: "issuer.example", TokenType: privacypass.VOPRFRistretto255}},
		Prices:  map[string]tokens.Price{"send": {Class: class, Count: 1}},
	}
	challenge, err := list.Challenge(class, tokens.Origin{Name: origin})
	if err != nil {
		return nil, err
	}
	key, err := issuer.GenerateKey(challenge.TokenType, rand.Reader)
	if err != nil {
		return nil, err
	}
	m := &mint{}
	if m.issuer, err = issuer.New(issuer.Config{Rand: rand.Reader}, key); err != nil {
		return nil, err
	}
	public, err := client.ParsePublicKey(key.TokenType(), key.PublicKey())
	if err != nil {
		return nil, err
	}
	m.want = client.Want{Key: public, Challenge: challenge}
	checker, err := private.NewKey(key.Marshal())
	if err != nil {
		return nil, err
	}
	m.till, err = tokens.NewTill(list, tokens.Origin{Name: origin}, map[tokens.Class][]verify.Key{class: {checker}})
	return m, err
}

// issue sees to it that n tokens are made.
func (m *mint) issue(n int) error {
	for len(m.made) < n {
		pending, err := client.Amortized(rand.Reader, m.want, 100)
		if err != nil {
			return err
		}
		request, err := m.issuer.Parse(pending.Kind(), pending.Request())
		if err != nil {
			return err
		}
		response, err := request.Issue()
		if err != nil {
			return err
		}
		made, err := pending.Finalize(response.Body)
		if err != nil {
			return err
		}
		for _, t := range made {
			m.made, m.spent = append(m.made, t), append(m.spent, append([]byte("s"), random(31)...))
		}
	}
	return nil
}

// redeem verifies n tokens and spends them, and returns the rate.
func (m *mint) redeem(n int, spend func(p tokens.Payment, i int) error) (float64, error) {
	if err := m.issue(n); err != nil {
		return 0, err
	}
	start := time.Now()
	err := each(n, redemptions, func(i int) error {
		p, err := m.till.Verify("send", m.made[i:i+1])
		if err != nil {
			return err
		}
		return spend(p, i)
	})
	return float64(n) / time.Since(start).Seconds(), err
}

func (m *mint) throughLedger(ctx context.Context, e *env, n int) (float64, error) {
	dir, remove, err := e.tempDir()
	if err != nil {
		return 0, err
	}
	defer remove()
	key, err := tokens.NewNullifierKey(secret.New(random(32)))
	if err != nil {
		return 0, err
	}
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "spent"), Fence: filepath.Join(dir, "fence"), Key: key})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	if err := l.OpenEpoch(ctx, tokens.Epoch{KeyID: m.want.Key.ID(), Capacity: 1 << 40}); err != nil {
		return 0, err
	}
	return m.redeem(n, func(p tokens.Payment, i int) error {
		_, err := p.Spend(ctx, l, tokens.RequestDigest{byte(i), byte(i >> 8), byte(i >> 16)})
		return err
	})
}

// spend looks a token up and then notes it, before the next one is looked up.
func (p *peer) spend(ctx context.Context, token []byte) error {
	p.spending.Lock()
	defer p.spending.Unlock()
	switch _, err := p.db.Get(token); {
	case err == nil:
		return tokens.ErrDoubleSpend
	case !errors.Is(err, badger.ErrNotFound):
		return err
	}
	return p.put(ctx, token, nil)
}
