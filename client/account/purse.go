package account

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pseudods/pseudods/client/wallet"
	"github.com/pseudods/pseudods/privacypass"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

const (
	maxBatch   = 128 // tokens that a wallet fetches at a time
	maxFetches = 16  // for one request
)

// purse pays one provider: a wallet, and where its tokens come from.
type purse struct {
	account  *Account
	provider *provider

	// mu is held while the issuer is asked what it publishes, and guards what
	// follows.
	mu      sync.Mutex
	wallet  *wallet.Wallet
	classes map[tokens.Class]*issuers.Class // that the wallet uses
	fetched time.Time

	// flightMu guards flight: requests that a Call is sending, which nobody else
	// sends.
	flightMu sync.Mutex
	flight   map[[32]byte]bool
}

var _ wallet.Fetcher = (*purse)(nil)

// open returns the wallet.
func (p *purse) open() (*wallet.Wallet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.openLocked()
}

func (p *purse) openLocked() (*wallet.Wallet, error) {
	if p.wallet != nil {
		return p.wallet, nil
	}
	path, key, err := p.account.store.File("wallet/" + p.provider.domain)
	if err != nil {
		return nil, err
	}
	if p.wallet, err = wallet.Open(wallet.Config{Path: path, Key: key, Fetcher: p, Rand: p.account.cfg.Rand}); err != nil {
		return nil, err
	}
	return p.wallet, nil
}

// Tokens returns how many tokens of each class there are for a provider. It asks
// nobody. It fails with [ErrProvider].
func (a *Account) Tokens(domain string) (map[tokens.Class]int, error) {
	p, err := a.provider(domain)
	if err != nil {
		return nil, err
	}
	w, err := p.purse.open()
	if err != nil {
		return nil, err
	}
	return w.Counts(), nil
}

func (p *purse) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wallet == nil {
		return nil
	}
	return p.wallet.Close()
}

// forget has what the issuer publishes read anew.
func (p *purse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.classes = nil
}

// use tells the wallet where tokens of the classes come from. Nothing is asked of
// the issuer for those that it knows. It fails with [ErrNoTokens].
func (p *purse) use(ctx context.Context, classes ...tokens.Class) (*wallet.Wallet, error) {
	doc, err := p.provider.document(ctx, documentAge)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w, err := p.openLocked()
	if err != nil {
		return nil, err
	}
	if now := p.account.cfg.Now(); now.Sub(p.fetched).Abs() > documentAge || p.classes == nil {
		p.classes, p.fetched = map[tokens.Class]*issuers.Class{}, now
	}
	var issuer *issuers.Issuer
	for _, class := range classes {
		if p.classes[class] != nil {
			continue
		}
		if issuer == nil {
			if doc.Issuer == "" {
				return nil, fmt.Errorf("%w: the provider names no issuer", ErrNoTokens)
			}
			if issuer, err = issuers.Discover(ctx, p.provider.clients.issuer, doc.Issuer); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoTokens, err)
			}
		}
		source, published, err := p.source(ctx, doc.Prices, doc.Origin(), issuer, class)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoTokens, err)
		}
		if err := w.Use(class, *source); err != nil {
			return nil, err
		}
		p.classes[class] = published
	}
	return w, nil
}

// source returns where tokens of a class come from. The issuer must be the one
// that the price list names.
func (p *purse) source(ctx context.Context, list *tokens.PriceList, origin tokens.Origin, issuer *issuers.Issuer, class tokens.Class) (*wallet.Source, *issuers.Class, error) {
	challenge, err := list.Challenge(class, origin)
	if err != nil {
		return nil, nil, err
	}
	if issuer.Description.Issuer != challenge.IssuerName {
		return nil, nil, errors.New("account: the issuer is not the one of the price list")
	}
	c, err := issuer.Class(ctx, string(class))
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.Keys(challenge.TokenType, p.account.cfg.Now())
	if err != nil {
		return nil, nil, err
	}
	batch := c.Batch(maxBatch)
	if len(keys) == 0 || batch == 0 {
		return nil, nil, errors.New("account: the issuer has no key or batch size for the class")
	}
	most := 1
	for _, price := range list.Prices {
		if price.Class == class {
			most = max(most, price.Count)
		}
	}
	return &wallet.Source{Challenge: challenge, Keys: keys, Batch: batch, Mark: max(most, batch/2)}, c, nil
}

// attestor vouches for the user at the purse's issuer.
func (p *purse) attestor() Attestor {
	own := p.account.static
	if !p.account.cfg.AccountKey || p.provider.domain != own.domain {
		return p.account.cfg.Attestor
	}
	return issuers.AccountKey(ed25519.NewKeyFromSeed(own.identity.Key.Private().Reveal()))
}

// Fetch implements [wallet.Fetcher].
func (p *purse) Fetch(ctx context.Context, class tokens.Class, kind privacypass.Kind, request []byte) ([]byte, error) {
	p.mu.Lock()
	c := p.classes[class]
	p.mu.Unlock()
	if c == nil {
		return nil, wallet.ErrClass
	}
	b, err := c.Send(ctx, kind, request, p.account.cfg.Now(), p.attestor())
	var refused *issuers.StatusError
	if errors.As(err, &refused) && refused.Final() {
		return nil, fmt.Errorf("%w: %w", wallet.ErrRefused, err)
	}
	return b, err
}

// spend composes a request around the price of an operation. The request flies
// until land. It fails with [ErrNoTokens].
func (p *purse) spend(ctx context.Context, price tokens.Price, compose func([][]byte) ([]byte, error)) (*wallet.Spending, error) {
	w, err := p.use(ctx, price.Class)
	if err != nil {
		return nil, err
	}
	var composed []byte
	around := func(held []*privacypass.Token) (request []byte, err error) {
		encoded := make([][]byte, len(held))
		for i, t := range held {
			b, err := t.Marshal()
			if err != nil {
				return nil, err
			}
			encoded[i] = b
		}
		if composed, err = compose(encoded); err == nil {
			p.fly(composed)
		}
		return composed, err
	}
	for tries := 0; ; tries++ { // others may take what was fetched
		s, err := w.Spend(price.Class, price.Count, around)
		if !errors.Is(err, wallet.ErrEmpty) || tries == maxFetches {
			if err != nil {
				p.land(composed)
			}
			if errors.Is(err, wallet.ErrEmpty) {
				err = ErrNoTokens
			}
			return s, err
		}
		// A failure may be of another class: what counts is whether there are
		// tokens of this one now.
		if err := w.Refill(ctx); err != nil && w.Count(price.Class) < price.Count {
			return nil, fmt.Errorf("%w: %w", ErrNoTokens, err)
		}
	}
}

func (p *purse) fly(request []byte) {
	p.flightMu.Lock()
	defer p.flightMu.Unlock()
	if p.flight == nil {
		p.flight = map[[32]byte]bool{}
	}
	p.flight[wire.Digest(request)] = true
}

// land ends the flight of a request.
func (p *purse) land(request []byte) {
	p.flightMu.Lock()
	defer p.flightMu.Unlock()
	delete(p.flight, wire.Digest(request))
}

func (p *purse) flying(request []byte) bool {
	p.flightMu.Lock()
	defer p.flightMu.Unlock()
	return p.flight[wire.Digest(request)]
}

// refill fetches tokens of all classes that the provider takes, ahead of use.
func (p *purse) refill(ctx context.Context) error {
	doc, err := p.provider.document(ctx, documentAge)
	if err != nil || doc.Prices == nil {
		return err
	}
	var classes []tokens.Class
	for class := range doc.Prices.Classes {
		classes = append(classes, class)
	}
	w, err := p.use(ctx, classes...)
	if err != nil {
		return err
	}
	if err := w.Refill(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNoTokens, err)
	}
	return nil
}
