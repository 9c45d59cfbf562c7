package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/pseudods/qs"
)

// PushConfig is the gateway that wakes devices. The operator names it: what queue
// owners put in their settings goes there as it is, and nowhere else.
type PushConfig struct {
	// URL gets a POST for each push, with the target as its body, as
	// application/octet-stream. It answers with any status of 200 to 299.
	URL string `json:"url"`
	// Secret names the file of a secret that both know. The header
	// Webhook-Signature is that of package webhook, made with it.
	Secret string `json:"secret"`
	// Queue is how many pushes wait at most, and how many more for their next
	// attempt; further ones are dropped. Default 1024.
	Queue int `json:"queue"`
	// Parallel is how many are sent at once. Default 4.
	Parallel int `json:"parallel"`
}

const (
	pushTimeout  = 10 * time.Second
	pushAttempts = 3
)

func (c *PushConfig) validate() error {
	switch {
	case checkURL(c.URL) != nil:
		return errors.New("push.url must be https, or http on loopback")
	case c.Secret == "":
		return errors.New("push.secret must name a file")
	case c.Queue < 0 || c.Parallel < 0:
		return errors.New("push: a bound is negative")
	}
	orDefault(&c.Queue, 1024)
	orDefault(&c.Parallel, 4)
	return nil
}

// gateway tells a push gateway which device to wake. A push that is lost makes
// its device wait for the next one, or until it asks by itself.
type gateway struct {
	url     string
	key     secret.Bytes
	http    *http.Client
	waiting chan *push
	failing atomic.Int64 // wait for their next attempt
	workers int
	count   func(outcome string)
	pause   time.Duration
}

// push is a push on its way.
type push struct {
	target   []byte
	attempts int
	lost     func()
}

var _ qs.Push = (*gateway)(nil)

func newGateway(c *PushConfig, hc *http.Client, count func(string)) (*gateway, error) {
	key, err := daemon.SecretFile(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return &gateway{url: c.URL, key: key, http: hc, waiting: make(chan *push, c.Queue), workers: c.Parallel, count: count, pause: time.Second}, nil
}

// Notify implements qs.Push.
func (g *gateway) Notify(target []byte, lost func()) {
	g.enqueue(&push{target: bytes.Clone(target), lost: lost})
}

func (g *gateway) enqueue(p *push) {
	select {
	case g.waiting <- p:
	default:
		g.count("dropped")
		p.lost()
	}
}

// run sends pushes until ctx is done.
func (g *gateway) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range g.workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case p := <-g.waiting:
					g.push(ctx, p)
				}
			}
		})
	}
	wg.Wait()
}

// push makes one attempt. The next one comes later and keeps no worker meanwhile,
// or whoever names targets that the gateway does not take would keep all of them.
func (g *gateway) push(ctx context.Context, p *push) {
	if g.send(ctx, p.target) == nil {
		g.count("sent")
		return
	}
	pause := g.pause << (2 * p.attempts)
	if p.attempts++; p.attempts < pushAttempts && ctx.Err() == nil {
		if g.failing.Add(1) <= int64(cap(g.waiting)) {
			time.AfterFunc(pause, func() {
				g.failing.Add(-1)
				g.enqueue(p)
			})
			return
		}
		g.failing.Add(-1)
	}
	g.count("failed")
	p.lost()
}

var errGateway = errors.New("server: the push gateway refused")

func (g *gateway) send(ctx context.Context, target []byte) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(target))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(g.key, time.Now(), target))
	res, err := g.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return errGateway
	}
	return nil
}
