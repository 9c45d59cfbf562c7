package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/pseudods/httpapi"
)

const (
	documentAge     = 5 * time.Minute  // a peer's document is fetched anew after it
	documentRetry   = 10 * time.Second // and not more often than this
	documentTimeout = 10 * time.Second
	maxDocument     = 128 << 10
)

// errPeer: a peer's document cannot be had, or is another's.
var errPeer = errors.New("server: no provider document of the peer")

// peer is another provider, or a part of this one that runs elsewhere.
type peer struct {
	domain, base string
	http         *http.Client

	cached atomic.Pointer[document]

	// mu guards what follows.
	mu       sync.Mutex
	tried    time.Time     // when the last fetch ended
	fetching chan struct{} // closed when the one under way ends; nil for none
}

type document struct {
	*httpapi.Provider
	fetched time.Time
}

// document returns the peer's provider document, not older than age if one can be
// had. The peer speaks for its own domain alone. While it is fetched others than who
// asked first go on with what there is.
func (p *peer) document(ctx context.Context, age time.Duration) (*document, error) {
	doc := p.cached.Load()
	if doc != nil && time.Since(doc.fetched) < age {
		return doc, nil
	}
	if fetched, first := p.refresh(); fetched != nil && (first || doc == nil) {
		select {
		case <-fetched:
		case <-ctx.Done():
		}
	}
	if doc = p.cached.Load(); doc == nil {
		return nil, errPeer
	}
	return doc, nil
}

// refresh has the document fetched, unless that was tried just now. The channel, nil
// if nothing is fetched, is closed at the end. A fetch does not end with the request
// that it is for, or whoever asks and leaves would keep others from the document.
func (p *peer) refresh() (fetched <-chan struct{}, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetching != nil {
		return p.fetching, false
	}
	if !p.tried.IsZero() && time.Since(p.tried) < documentRetry {
		return nil, false
	}
	done := make(chan struct{})
	p.fetching = done
	go func() {
		doc, err := p.fetch(context.Background())
		if err == nil && doc.Domain == p.domain {
			p.cached.Store(&document{doc, time.Now()})
		}
		p.mu.Lock()
		p.tried, p.fetching = time.Now(), nil
		p.mu.Unlock()
		close(done)
	}()
	return done, true
}

func (p *peer) fetch(ctx context.Context) (*httpapi.Provider, error) {
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	u, err := url.JoinPath(p.base, httpapi.PathProvider)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	res, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", errPeer, res.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	return httpapi.ParseProvider(b)
}

// newPeers makes the peers of a configuration. If a part of this provider runs
// elsewhere it is a peer by its own domain.
func newPeers(c *Config, hc *http.Client) map[string]*peer {
	peers := map[string]*peer{}
	for domain, base := range c.Peers {
		peers[domain] = &peer{domain: domain, base: base, http: hc}
	}
	if !c.runs(DS) && c.DS.URL != "" {
		peers[c.Domain] = &peer{domain: c.Domain, base: c.DS.URL, http: hc}
	}
	return peers
}

// newHTTPClient is for what one service asks of another. It follows no redirects:
// addresses are what operators configured.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyFromEnvironment
	transport.MaxIdleConnsPerHost = 32
	transport.ResponseHeaderTimeout = 30 * time.Second
	return &http.Client{
		Transport:     transport,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
