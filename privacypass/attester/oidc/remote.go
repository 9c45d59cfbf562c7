package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"

	"github.com/pseudods/pseudods/privacypass/attester"
)

const (
	fetchInterval = 10 * time.Second
	maxKeySet     = 1 << 20
)

// errThrottled: the key set was fetched moments ago and is taken as current.
var errThrottled = errors.New("oidc: key set is fresh")

// remote is a key set behind a URL. The upstream set fetches again at every
// token that it cannot verify, which would let anyone make this server hammer
// the provider; the transport below puts an interval between fetches.
type remote struct {
	set  *upstream.RemoteKeySet
	gate *gate
}

func newRemote(url string, client *http.Client) *remote {
	if client == nil {
		client = &http.Client{
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	gated := *client
	g := &gate{next: client.Transport, now: time.Now}
	gated.Transport = g
	return &remote{upstream.NewRemoteKeySet(upstream.ClientContext(context.Background(), &gated), url), g}
}

func (r *remote) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := r.set.VerifySignature(ctx, jwt)
	if errors.Is(err, errFetch) {
		err = fmt.Errorf("%w: %w", attester.ErrUnavailable, err)
	}
	return payload, err
}

// errFetch: the provider could not be asked, or did not answer with 200.
var errFetch = errors.New("oidc: key set not fetched")

type gate struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	last time.Time // when the last fetch began
	ok   bool      // whether it was answered
}

func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	g.mu.Lock()
	wait := !g.last.IsZero() && g.now().Sub(g.last) < fetchInterval
	ok := g.ok
	if !wait {
		g.last, g.ok = g.now(), false
	}
	g.mu.Unlock()
	switch {
	case wait && ok:
		return nil, errThrottled
	case wait:
		return nil, errFetch
	}
	next := g.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%w: status %d", errFetch, resp.StatusCode)
	}
	resp.Body = limited{io.LimitReader(resp.Body, maxKeySet), resp.Body}
	g.mu.Lock()
	g.ok = true
	g.mu.Unlock()
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}
