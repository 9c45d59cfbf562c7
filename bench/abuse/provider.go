package abuse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	issuing "github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
	"github.com/pseudods/pseudods/tokens"
)

// Provider is a provider with all its roles, over the reference stores in memory,
// in virtual time. Its attester knows accounts by registered keys.
type Provider struct {
	w      *World
	Domain string
	// DS and QS are the services. Clients reach them by [Party]; what a scenario
	// asks of them directly passes no defence.
	DS         *ds.Service
	QS         *qs.Service
	Prices     *tokens.PriceList
	Allowances *attester.Allowances
	// Docket has the reports of abuse that wait for a decision.
	Docket *moderation.Docket
	// Pushed counts the notifications that went out, by target.
	Pushed map[string]int
	// Delivered counts the entries that the delivery service brought into queues.
	Delivered atomic.Int64
	// Groups and Queues are the stores of the services.
	Groups *grouptest.Reference
	Queues *queuetest.Reference

	host       string
	accounts   attester.Keys
	signer     *mls.SignatureKey
	node       secret.Bytes // of the delivery service
	groups     *counter
	queues     *counter
	ring       *addresskeys.Ring
	issuer     http.Handler
	handler    http.Handler
	dispatcher *ds.Dispatcher
	progress   chan struct{}
	stop       func()
	away       bool
}

const issuerName = "issuer.example"

// Provide opens a provider under a domain, with the world's defence.
func (w *World) Provide(domain string) (p *Provider, err error) {
	t := w.defence.Traits()
	p = &Provider{w: w, Domain: domain, host: fmt.Sprintf("127.0.0.1:%d", len(w.providers)+1), Prices: free(), Pushed: map[string]int{}, Groups: grouptest.NewReference(), Queues: queuetest.NewReference(), node: secret.New(random(ds.KeySize)), accounts: attester.Keys{},
		progress: make(chan struct{}, 1)}
	if t.Prices != nil {
		p.Prices = t.Prices(issuerName)
	}
	dir := filepath.Join(w.dir, domain)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	keys, err := p.openIssuer(dir)
	if err != nil {
		return nil, err
	}
	if p.ring, err = addresskeys.Open(addresskeys.Config{Dir: filepath.Join(dir, "addresses")}, w.clock.Now()); err != nil {
		return nil, err
	}
	if p.groups, err = p.till(w.ctx, keys, append(slices.Collect(maps.Values(wire.PriceNames(wire.Operation.IsGroup))), wire.PriceBurst)); err != nil {
		return nil, err
	}
	if p.queues, err = p.till(w.ctx, keys, slices.Collect(maps.Values(wire.PriceNames(wire.Operation.IsQueue)))); err != nil {
		return nil, err
	}
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return nil, err
	}
	if p.signer, err = suite.GenerateSignatureKey(rand.Reader); err != nil {
		return nil, err
	}
	judge, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return nil, err
	}
	p.Docket, err = moderation.New(moderation.Config{Store: &reporttest.Reference{}, Key: judge.Public(), Secret: secret.New(random(32)),
		Issuers: map[string]string{domain: issuerName}, Now: w.clock.Now})
	if err != nil {
		return nil, err
	}
	if err := p.serve(); err != nil {
		return nil, err
	}
	w.providers[domain] = p
	return p, nil
}

// serve starts the services over the provider's stores.
func (p *Provider) serve() (err error) {
	w, t := p.w, p.w.defence.Traits()
	// A read does not wait in real time: see Party.await.
	p.QS, err = qs.New(qs.Config{Domain: p.Domain, Store: p.Queues, Keys: p.ring, Payments: qs.NewDesk(p.queues.till, p.queues.ledger),
		Push: pusher{p}, MaxWait: time.Nanosecond, Now: w.clock.Now})
	if err != nil {
		return err
	}
	c := ds.Config{Domain: p.Domain, Reports: p.Docket, Signers: []*mls.SignatureKey{p.signer}, Store: p.Groups, Key: p.node, Payments: ds.NewDesk(p.groups.till, p.groups.ledger),
		Now: w.clock.Now, Wake: func(refs []ds.Ref) { p.dispatcher.Wake(refs) }}
	if !t.Limits {
		c.PerGroup, c.PerLeaf = ds.Limit{Every: time.Nanosecond, Burst: 1 << 30}, ds.Limit{Every: time.Nanosecond, Burst: 1 << 30}
	}
	if p.DS, err = ds.New(c); err != nil {
		return err
	}
	p.handler = httpapi.NewHandler(httpapi.Config{DS: service{p}, QS: service{p}, Provider: p.document, Else: p.issuer})
	p.dispatch()
	return nil
}

// Node starts the provider's services once more, over the same stores. With own the
// node keeps a list of spent tokens of its own, as no node of the product does.
func (p *Provider) Node(own bool) (*Provider, error) {
	n := &Provider{w: p.w, Domain: p.Domain, Prices: p.Prices, Docket: p.Docket, Allowances: p.Allowances, Pushed: p.Pushed, Groups: p.Groups, Queues: p.Queues,
		accounts: p.accounts, signer: p.signer, node: p.node, groups: p.groups, queues: p.queues, ring: p.ring, issuer: p.issuer,
		progress: make(chan struct{}, 1)}
	if own {
		var err error
		if n.groups, err = p.groups.apart(p.w.ctx); err != nil {
			return nil, err
		}
		if n.queues, err = p.queues.apart(p.w.ctx); err != nil {
			return nil, err
		}
	}
	if err := n.serve(); err != nil {
		return nil, err
	}
	p.w.nodes = append(p.w.nodes, n)
	return n, nil
}

// openIssuer opens issuer and attester, and returns the keys of all classes.
func (p *Provider) openIssuer(dir string) (map[tokens.Class][]verify.Key, error) {
	var slots []keyring.Slot
	var classes []issuing.Class
	for _, class := range []tokens.Class{tokens.Send, tokens.Create, tokens.Queue, tokens.Publish, tokens.Connect, tokens.Report} {
		slots = append(slots, keyring.Slot{Class: string(class), Type: privacypass.VOPRFRistretto255})
		classes = append(classes, issuing.Class{Name: string(class), Types: []privacypass.TokenType{privacypass.VOPRFRistretto255}})
	}
	ring, err := keyring.Open(keyring.Config{Dir: filepath.Join(dir, "issuer"), Slots: slots, Rand: rand.Reader,
		Schedule: keyring.Schedule{Period: 30 * ration, Overlap: 7 * ration, Lead: ration}})
	if err != nil {
		return nil, err
	}
	if err := ring.Advance(p.w.clock.Now()); err != nil {
		return nil, err
	}
	if p.Allowances, err = attester.NewAllowances(&attester.Memory{}, attester.NewNames(secret.New(random(32))), ration, policies); err != nil {
		return nil, err
	}
	p.issuer, err = issuing.New(issuing.Config{Name: issuerName, Classes: classes, Keys: ring, Allowances: p.Allowances,
		Attesters: []attester.Attester{attester.NewAccountKeys(p.accounts)}, Clock: p.w.clock.Now, Rand: rand.Reader,
		Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	out := map[tokens.Class][]verify.Key{}
	for _, k := range ring.All() {
		key, err := private.NewKey(k.Key.Marshal())
		if err != nil {
			return nil, err
		}
		out[tokens.Class(k.Class)] = append(out[tokens.Class(k.Class)], key)
	}
	return out, nil
}

// counter is a till with its ledger, and the keys whose tokens it takes.
type counter struct {
	till   *tokens.Till
	ledger tokens.Ledger
	keys   []privacypass.KeyID
}

// apart returns the same till with an empty ledger.
func (c *counter) apart(ctx context.Context) (*counter, error) {
	ledger, err := storagetest.NewReferenceSite().Open()
	if err != nil {
		return nil, err
	}
	for _, id := range c.keys {
		if err := ledger.OpenEpoch(ctx, tokens.Epoch{KeyID: id, Capacity: 1 << 30}); err != nil {
			return nil, err
		}
	}
	return &counter{c.till, ledger, c.keys}, nil
}

// till opens the till of one role for the prices of its operations.
func (p *Provider) till(ctx context.Context, keys map[tokens.Class][]verify.Key, names []string) (*counter, error) {
	part, live := free(), map[tokens.Class][]verify.Key{}
	for _, name := range names {
		if price, ok := p.Prices.Prices[name]; ok {
			part.Prices[name], part.Classes[price.Class] = price, p.Prices.Classes[price.Class]
			live[price.Class] = keys[price.Class]
		}
	}
	till, err := tokens.NewTill(part, tokens.Origin{Name: p.Domain}, live)
	if err != nil {
		return nil, err
	}
	c := &counter{till: till}
	for _, all := range live {
		for _, k := range all {
			c.keys = append(c.keys, k.ID())
		}
	}
	return c.apart(ctx)
}

// url is the base URL. Nothing listens there: see transport.
func (p *Provider) url() string { return "http://" + p.host }

// document is the provider document.
func (p *Provider) document() *httpapi.Provider {
	d := &httpapi.Provider{Domain: p.Domain, Versions: []wire.Version{wire.Version1}, DS: p.url(), QS: p.url(), Issuer: p.url(),
		Profiles: []string{httpapi.ProfileName(wire.ProfilePseudonymous)}, Keys: [][]byte{p.signer.Public()}, Limits: httpapi.Limits{RequestLife: 300}}
	if len(p.Prices.Prices) > 0 {
		d.Prices = p.Prices
	}
	return d
}

// pusher counts notifications.
type pusher struct{ *Provider }

// Notify implements [qs.Push].
func (p pusher) Notify(target []byte, _ func()) { p.Pushed[string(target)]++ }

// dispatch starts the dispatcher. It works in real time, and requests wait for it:
// see settle.
func (p *Provider) dispatch() {
	p.dispatcher = ds.NewDispatcher(p.DS, deliverer{p}, ds.DispatcherConfig{Retry: time.Millisecond, MaxRetry: 10 * time.Millisecond,
		Report: func(outcomes map[wire.Outcome]int) {
			p.Delivered.Add(int64(outcomes[wire.Delivered]))
			select {
			case p.progress <- struct{}{}:
			default:
			}
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.dispatcher.Run(ctx) }()
	p.stop = func() { cancel(); <-done; p.QS.Close() }
}

// settle waits until nothing waits in the outbox but for providers that are away.
func (p *Provider) settle(ctx context.Context) error {
	for !p.w.anyAway() {
		waiting, err := p.Groups.Waiting(ctx, ds.Ref{}, 1)
		if err != nil || len(waiting) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.progress:
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// Away has other providers' deliveries to this one fail, or succeed again.
func (p *Provider) Away(away bool) { p.away = away }

// deliverer hands a provider's deliveries to the queue service of each domain.
type deliverer struct{ *Provider }

var errAway = errors.New("abuse: the provider is away")

// Deliver implements [ds.Deliverer].
func (d deliverer) Deliver(ctx context.Context, domain string, m *wire.Delivery) (wire.DeliveryReport, error) {
	to := d.w.providers[domain]
	if to == nil {
		return nil, fmt.Errorf("abuse: there is no provider %q", domain)
	}
	if to.away {
		return nil, errAway
	}
	return to.QS.Deliver(ctx, d.Domain, m)
}

// handle has the service that an operation is for answer a request.
func (p *Provider) handle(ctx context.Context, r *wire.Request, encoded []byte) []byte {
	if !r.Operation.IsQueue() {
		answer := p.DS.Handle(ctx, encoded)
		if err := p.settle(ctx); err != nil {
			return refusal(&wire.Error{Code: wire.CodeInternal})
		}
		return answer
	}
	body, err := p.QS.Handle(ctx, r, wire.Digest(encoded))
	if err != nil {
		e := new(wire.Error)
		if !errors.As(err, &e) {
			e.Code = wire.CodeInternal
		}
		return refusal(e)
	}
	b, err := mls.Marshal(&wire.Response{Body: body})
	if err != nil {
		return refusal(&wire.Error{Code: wire.CodeInternal})
	}
	return b
}

func refusal(e *wire.Error) []byte {
	b, err := mls.Marshal(&wire.Response{Err: e})
	if err != nil {
		panic("abuse: refusal has no encoding")
	}
	return b
}
