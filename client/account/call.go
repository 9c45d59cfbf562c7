package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

const (
	// requestLife is how long a request may be sent again, if the provider allows
	// that long.
	requestLife = 2 * time.Minute
	firstPause  = 100 * time.Millisecond
	longPause   = 10 * time.Second
	// maxSpent is how many tokens that were spent before are tried for one call.
	maxSpent = 16
)

// Call is one request to a service.
type Call struct {
	Domain    string // the provider's
	Operation wire.Operation
	Body      mls.Marshaler // nil for none
	// GroupStateKey is for requests that read or change a group.
	GroupStateKey secret.Bytes
	// Auth says who signs; its Signature is not looked at.
	Auth wire.Auth
	// Sign signs [wire.Request.TBS] under [wire.SignatureLabel]. Nil for
	// [wire.AuthNone].
	Sign func(tbs []byte) ([]byte, error)
	// Answer takes the body of the answer. Nil ignores it.
	Answer mls.Unmarshaler
	// Pay pays also where that is optional, to exceed a limit.
	Pay bool

	unpaid bool // bring no tokens though the operation has a price
	once   bool // send the request once
}

// Call sends a request and waits for its answer. If the operation has a price at
// the provider, tokens are taken from the wallet, and fetched if there are too
// few. Without an answer the same octets are sent again until the request
// expires.
//
// A refusal is a [*wire.Error]. Without an answer, or if the service failed, the
// error wraps [ErrUncertain] and is an [*UncertainError]; a request that cost
// tokens is then sent again by the next Refill or Open as long as it has not
// expired. Other errors mean that nothing was sent: [ErrProvider], [ErrNoTokens],
// [httpapi.ErrTransport] if the provider document is not to be had, and those of
// Sign, of encoding, and of the vault. [ErrService] means that the answer does not
// decode.
func (a *Account) Call(ctx context.Context, c *Call) error {
	p, err := a.provider(c.Domain)
	if err != nil {
		return err
	}
	ctx, cancel := a.whileOpen(ctx)
	defer cancel()
	body, err := a.call(ctx, p, c)
	for spent, refreshed := 0, false; err != nil && !c.unpaid; body, err = a.call(ctx, p, c) {
		switch {
		case errors.Is(err, &wire.Error{Code: wire.CodeTokenSpent}) && spent < maxSpent:
			spent++ // the wallet is older than it was: try the next token
		case !refreshed && (errors.Is(err, &wire.Error{Code: wire.CodeTokenRequired}) || errors.Is(err, &wire.Error{Code: wire.CodeTokenInvalid})):
			// Prices or keys have changed. What was refused has cost nothing but
			// the tokens shown.
			refreshed = true
			if err := p.refresh(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
	if err != nil || c.Answer == nil {
		return err
	}
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: len(body) + 1}, body, c.Answer); err != nil {
		return fmt.Errorf("%w: %w", ErrService, err)
	}
	return nil
}

// call sends one request and returns the body of the answer.
func (a *Account) call(ctx context.Context, p *provider, c *Call) ([]byte, error) {
	service, doc, err := p.service(ctx, c.Operation)
	if err != nil {
		return nil, err
	}
	life := requestLife
	if most := time.Duration(doc.Limits.RequestLife) * time.Second; most > 0 {
		life = min(life, most)
	}
	expires := a.cfg.Now().Add(life)
	compose := func(tokens [][]byte) ([]byte, error) { return a.compose(c, expires, tokens) }
	price, priced := c.price(doc.Prices)
	if !priced {
		request, err := compose(nil)
		if err != nil {
			return nil, err
		}
		return a.transmit(ctx, service, c, request, expires)
	}
	s, err := p.purse.spend(ctx, price, compose)
	if err != nil {
		return nil, err
	}
	request := s.Request()
	defer p.purse.land(request)
	body, err := a.transmit(ctx, service, c, request, expires)
	if settled(err, a.cfg.Now()) {
		// What the service said counts, also if the wallet cannot be written: the
		// request is then outstanding, and changes nothing when it is sent again.
		if failed := done(s); err != nil && failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return body, err
}

// price returns what a call costs.
func (c *Call) price(list *tokens.PriceList) (tokens.Price, bool) {
	if list == nil || c.unpaid {
		return tokens.Price{}, false
	}
	price, priced := list.Prices[c.Operation.PriceName()]
	if !priced && c.Pay && c.Operation.IsGroup() {
		price, priced = list.Prices[wire.PriceBurst]
	}
	return price, priced
}

// settled reports whether a request needs not be sent again.
func settled(err error, now time.Time) bool {
	var uncertain *UncertainError
	return !errors.As(err, &uncertain) || now.After(uncertain.Until)
}

// done has the wallet forget a spending, which may have been settled elsewhere.
func done(s *wallet.Spending) error {
	if err := s.Done(); err != nil && !errors.Is(err, wallet.ErrSettled) {
		return err
	}
	return nil
}

// compose encodes and signs a request.
func (a *Account) compose(c *Call, expires time.Time, tokens [][]byte) ([]byte, error) {
	r := &wire.Request{
		RecipientDomain: c.Domain, Operation: c.Operation, GroupStateKey: c.GroupStateKey,
		ExpiresAt: uint64(expires.Unix()), Tokens: tokens, Auth: c.Auth,
	}
	r.Auth.Signature = nil
	if _, err := io.ReadFull(a.cfg.Rand, r.Nonce[:]); err != nil {
		return nil, fmt.Errorf("account: reading randomness: %w", err)
	}
	var err error
	if c.Body != nil {
		if r.Body, err = mls.Marshal(c.Body); err != nil {
			return nil, err
		}
	}
	if c.Auth.Type != wire.AuthNone {
		tbs, err := r.TBS()
		if err != nil {
			return nil, err
		}
		if r.Auth.Signature, err = c.Sign(tbs); err != nil {
			return nil, err
		}
	}
	return mls.Marshal(r)
}

// transmit sends a request until it is answered, or expires, or ctx is done.
func (a *Account) transmit(ctx context.Context, service *httpapi.Client, c *Call, request []byte, expires time.Time) ([]byte, error) {
	var last error // of an attempt that ctx did not end
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		body, err := service.Do(ctx, c.Operation, request)
		if err == nil || !errors.Is(err, httpapi.ErrTransport) && !errors.Is(err, &wire.Error{Code: wire.CodeInternal}) {
			return body, err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if !c.once && a.cfg.Now().Add(pause).Before(expires) && sleep(ctx, pause) == nil {
			continue
		}
		return nil, &UncertainError{Until: expires, Err: errors.Join(last, ctx.Err())}
	}
}

// sleep waits, or fails with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle sends paid requests again that were not answered, and drops those that
// have expired. It fails with the first that is not answered now.
func (p *provider) settle(ctx context.Context) error {
	w, err := p.purse.open()
	if err != nil {
		return err
	}
	for _, s := range w.Outstanding() {
		request := s.Request()
		if p.purse.flying(request) {
			continue
		}
		r, err := wire.ParseRequest(request, wallet.MaxRequest)
		if err == nil && uint64(p.now().Unix()) <= r.ExpiresAt {
			service, _, err := p.service(ctx, r.Operation)
			if err != nil {
				return err
			}
			if _, err := service.Do(ctx, r.Operation, request); errors.Is(err, httpapi.ErrTransport) || errors.Is(err, &wire.Error{Code: wire.CodeInternal}) {
				return &UncertainError{Until: time.Unix(int64(r.ExpiresAt), 0), Err: err}
			}
		}
		if err := done(s); err != nil {
			return err
		}
	}
	return nil
}
