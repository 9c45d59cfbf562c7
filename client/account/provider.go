package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	documentAge   = time.Hour       // a provider document is fetched anew after it
	documentRetry = 5 * time.Second // and at most this often when a service asks for it
	maxDocument   = 128 << 10
	clientTimeout = 90 * time.Second // longer than a read waits
)

// provider is a provider that the account deals with.
type provider struct {
	domain  string
	base    string
	clients *clients
	now     func() time.Time

	// mu is held while the document is fetched, so that it is fetched once, and
	// guards what follows.
	mu      sync.Mutex
	doc     *httpapi.Provider
	fetched time.Time
	ds, qs  *httpapi.Client
	stream  *httpapi.Client // of the queue service
	// keysAsked is when the document was last fetched for an unknown key.
	keysAsked time.Time

	// purse has its own lock.
	purse purse
}

// clients are HTTP clients, one for each role, so that no connection carries
// requests of two.
type clients struct {
	ds, qs, stream, issuer, document *http.Client
	own                              bool // and not the caller's
}

func newClients(hc *http.Client) *clients {
	if hc != nil {
		return &clients{hc, hc, hc, hc, hc, false}
	}
	one := func() *http.Client {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 4
		return &http.Client{Transport: transport, Timeout: clientTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	stream := one()
	stream.Timeout = 0 // see silence
	return &clients{one(), one(), stream, one(), one(), true}
}

// close ends connections that nothing uses.
func (c *clients) close() {
	if !c.own {
		return
	}
	for _, hc := range []*http.Client{c.ds, c.qs, c.stream, c.issuer, c.document} {
		hc.CloseIdleConnections()
	}
}

// baseOf returns the URL below which a domain's provider document is. It fails with
// [ErrProvider].
func (c *Config) baseOf(domain string) (string, error) {
	base := c.Providers[domain]
	if base == "" {
		if !validDomain(domain) {
			return "", fmt.Errorf("%w: malformed domain", ErrProvider)
		}
		base = "https://" + domain
	}
	if attester.CheckURL(base) != nil {
		return "", fmt.Errorf("%w: neither https nor http on loopback", ErrProvider)
	}
	return base, nil
}

// provider returns the provider of a domain. It fails with [ErrProvider].
func (a *Account) provider(domain string) (*provider, error) {
	base, err := a.cfg.baseOf(domain)
	if err != nil {
		return nil, err
	}
	a.providersMu.Lock()
	defer a.providersMu.Unlock()
	if a.closed {
		return nil, ErrClosed
	}
	p := a.providers[domain]
	if p == nil {
		p = &provider{domain: domain, base: base, clients: a.clients, now: a.cfg.Now}
		p.purse.account, p.purse.provider = a, p
		a.providers[domain] = p
	}
	return p, nil
}

// Provider returns the document of a provider, which is cached for an hour. It
// fails with [ErrProvider] or [httpapi.ErrTransport].
func (a *Account) Provider(ctx context.Context, domain string) (*httpapi.Provider, error) {
	p, err := a.provider(domain)
	if err != nil {
		return nil, err
	}
	return p.document(ctx, documentAge)
}

// document returns the provider's document, not older than age.
func (p *provider) document(ctx context.Context, age time.Duration) (*httpapi.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.doc != nil && now.Sub(p.fetched).Abs() <= age {
		return p.doc, nil
	}
	doc, err := p.fetch(ctx)
	if err != nil {
		if p.doc != nil && errors.Is(err, httpapi.ErrTransport) {
			return p.doc, nil // an older one is better than none
		}
		return nil, err
	}
	if doc.Domain != p.domain {
		return nil, fmt.Errorf("%w: of another domain", ErrProvider)
	}
	ds, err := p.client(doc.DS, p.clients.ds)
	if err != nil {
		return nil, err
	}
	qs, err := p.client(doc.QS, p.clients.qs)
	if err != nil {
		return nil, err
	}
	stream, err := p.client(doc.QS, p.clients.stream)
	if err != nil {
		return nil, err
	}
	p.doc, p.fetched, p.ds, p.qs, p.stream = doc, now, ds, qs, stream
	return doc, nil
}

// client returns a client of a service in the document, nil if it is not there.
func (p *provider) client(base string, hc *http.Client) (*httpapi.Client, error) {
	if base == "" {
		return nil, nil
	}
	if attester.CheckURL(base) != nil {
		return nil, fmt.Errorf("%w: a service that is neither https nor http on loopback", ErrProvider)
	}
	c, err := httpapi.NewClient(base, hc)
	if err != nil {
		return nil, fmt.Errorf("%w: URL of a service", ErrProvider)
	}
	return c, nil
}

func (p *provider) fetch(ctx context.Context) (*httpapi.Provider, error) {
	u, err := url.JoinPath(p.base, httpapi.PathProvider)
	if err != nil {
		return nil, fmt.Errorf("%w: URL", ErrProvider)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: URL", ErrProvider)
	}
	res, err := p.clients.document.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: provider document: %w", httpapi.ErrTransport, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("%w: provider document: %w", httpapi.ErrTransport, err)
	}
	if res.StatusCode >= 500 {
		return nil, fmt.Errorf("%w: provider document: status %d", httpapi.ErrTransport, res.StatusCode)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrProvider, res.StatusCode)
	}
	doc, err := httpapi.ParseProvider(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	return doc, nil
}

// refresh fetches the document and what follows from it anew, after a service
// refused what was right by the old one.
func (p *provider) refresh(ctx context.Context) error {
	if _, err := p.document(ctx, documentRetry); err != nil {
		return err
	}
	p.purse.forget()
	return nil
}

// service returns the client of the service that an operation is for, and the
// document.
func (p *provider) service(ctx context.Context, o wire.Operation) (*httpapi.Client, *httpapi.Provider, error) {
	doc, err := p.document(ctx, documentAge)
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.ds
	if o.IsQueue() {
		c = p.qs
	}
	if c == nil {
		return nil, nil, errNoService
	}
	return c, doc, nil
}

var errNoService = fmt.Errorf("%w: it names no service for the operation", ErrProvider)

// streamService returns the client that reads the queue by a stream.
func (p *provider) streamService(ctx context.Context) (*httpapi.Client, error) {
	if _, err := p.document(ctx, documentAge); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		return nil, errNoService
	}
	return p.stream, nil
}
