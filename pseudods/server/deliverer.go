package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	deliveryLife    = time.Minute // of a request
	breakAfter      = 5           // failures in a row
	breakFor        = time.Second // at first, then doubled
	breakForAtMost  = 30 * time.Second
	deliveryTimeout = 30 * time.Second
)

var (
	errBroken = errors.New("server: queue service failed lately")
	errReport = errors.New("server: report does not fit the delivery")
)

// deliverer hands deliveries to the queue services: the one in this process, and
// others over HTTP. Both take the same deliveries and report the same outcomes.
type deliverer struct {
	domain string
	own    *qs.Service              // nil if it runs elsewhere
	ownURL string                   // where, if it does
	signer func() *mls.SignatureKey // the one to sign with
	count  func(outcome string)     // of a delivery to a peer
	peers  map[string]*peer         // other providers
	http   *http.Client

	// mu guards targets.
	mu      sync.Mutex
	targets map[string]*target
}

var _ ds.Deliverer = (*deliverer)(nil)

// target is a queue service elsewhere, with a circuit breaker: after some failures
// in a row it is left alone for a while, and then tried by one delivery at a time.
type target struct {
	// mu guards the rest.
	mu       sync.Mutex
	failures int
	until    time.Time // nothing is sent before
	pause    time.Duration
}

// Deliver implements ds.Deliverer. A domain that is neither ours nor a peer's has
// no queues that could be reached: its recipients are unknown.
func (d *deliverer) Deliver(ctx context.Context, domain string, delivery *wire.Delivery) (wire.DeliveryReport, error) {
	if domain == d.domain && d.own != nil {
		return d.own.Deliver(ctx, d.domain, delivery)
	}
	base, err := d.base(ctx, domain)
	if err != nil {
		return nil, err
	}
	if base == "" {
		report := make(wire.DeliveryReport, len(delivery.Recipients))
		for i := range report {
			report[i] = wire.UnknownAddress
		}
		return report, nil
	}
	t := d.target(domain)
	if !t.enter(time.Now()) {
		d.count("held")
		return nil, errBroken
	}
	report, err := d.send(ctx, base, domain, delivery)
	t.leave(err == nil, time.Now())
	if err != nil {
		d.count("failed")
		return nil, err
	}
	d.count("ok")
	return report, nil
}

// base returns the URL of the queue service of a domain, "" for one that is not a
// peer.
func (d *deliverer) base(ctx context.Context, domain string) (string, error) {
	if domain == d.domain {
		return d.ownURL, nil
	}
	p := d.peers[domain]
	if p == nil {
		return "", nil
	}
	doc, err := p.document(ctx, documentAge)
	if err != nil {
		return "", err
	}
	// A peer reached by TLS must not send our deliveries to this machine.
	if checkURL(doc.QS) != nil || strings.HasPrefix(p.base, "https:") && !strings.HasPrefix(doc.QS, "https:") {
		return "", errPeer
	}
	return doc.QS, nil
}

func (d *deliverer) target(domain string) *target {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[domain]
	if t == nil {
		t = &target{}
		d.targets[domain] = t
	}
	return t
}

func (d *deliverer) send(ctx context.Context, base, domain string, delivery *wire.Delivery) (wire.DeliveryReport, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	client, err := httpapi.NewClient(base, d.http)
	if err != nil {
		return nil, err
	}
	request, err := d.request(domain, delivery)
	if err != nil {
		return nil, err
	}
	body, err := client.Do(ctx, wire.OpDeliver, request)
	if err != nil {
		return nil, err
	}
	var report wire.DeliveryReport
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: len(body), MaxElements: qs.MaxRecipients + 1, MaxDepth: 2}, body, &report); err != nil {
		return nil, fmt.Errorf("%w: %w", errReport, err)
	}
	if len(report) != len(delivery.Recipients) {
		return nil, errReport
	}
	return report, nil
}

// request signs a delivery.
func (d *deliverer) request(domain string, delivery *wire.Delivery) ([]byte, error) {
	body, err := mls.Marshal(delivery)
	if err != nil {
		return nil, err
	}
	key := d.signer()
	id := keyID(key.Public())
	r := &wire.Request{RecipientDomain: domain, Operation: wire.OpDeliver, Body: body,
		ExpiresAt: uint64(time.Now().Add(deliveryLife).Unix()), Auth: wire.Auth{Type: wire.AuthService, KeyID: id[:]}}
	rand.Read(r.Nonce[:])
	tbs, err := r.TBS()
	if err != nil {
		return nil, err
	}
	if r.Auth.Signature, err = key.SignWithLabel(wire.SignatureLabel, tbs); err != nil {
		return nil, err
	}
	return mls.Marshal(r)
}

// enter reports whether a delivery may be tried now.
func (t *target) enter(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.until) {
		return false
	}
	if t.failures >= breakAfter {
		t.until = now.Add(t.pause) // others wait for this one's outcome
	}
	return true
}

func (t *target) leave(ok bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ok {
		t.failures, t.until, t.pause = 0, time.Time{}, 0
		return
	}
	if t.failures++; t.failures >= breakAfter {
		t.pause = max(breakFor, min(2*t.pause, breakForAtMost))
		t.until = now.Add(t.pause)
	}
}
