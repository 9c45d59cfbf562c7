package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
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
	// Queue is how many pushes wait at most; further ones are dropped. Default
	// 1024.
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
// its device wait until it asks by itself.
type gateway struct {
	url     string
	key     secret.Bytes
	http    *http.Client
	waiting chan []byte
	workers int
	count   func(outcome string)
	pause   time.Duration
}

var _ qs.Push = (*gateway)(nil)

func newGateway(c *PushConfig, hc *http.Client, count func(string)) (*gateway, error) {
	key, err := daemon.SecretFile(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return &gateway{url: c.URL, key: key, http: hc, waiting: make(chan []byte, c.Queue), workers: c.Parallel, count: count, pause: time.Second}, nil
}

// Notify implements qs.Push.
func (g *gateway) Notify(target []byte) {
	select {
	case g.waiting <- bytes.Clone(target):
	default:
		g.count("dropped")
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
				case target := <-g.waiting:
					g.push(ctx, target)
				}
			}
		})
	}
	wg.Wait()
}

func (g *gateway) push(ctx context.Context, target []byte) {
	pause := g.pause
	for attempt := 1; ; attempt++ {
		err := g.send(ctx, target)
		if err == nil {
			g.count("sent")
			return
		}
		if attempt == pushAttempts || ctx.Err() != nil {
			g.count("failed")
			return
		}
		sleep(ctx, pause)
		pause *= 4
	}
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
