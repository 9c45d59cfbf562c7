package account_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
	"github.com/pseudods/pseudods/tokens"
)

const (
	domain    = "home.example"
	batchSize = 8
	someKeys  = 4 // KeyPackages of a batch
)

// site is a provider: a real issuer and a real queue service over a store in
// memory, over HTTP. Its delivery service is the test.
type site struct {
	testing.TB
	ctx      context.Context
	url      string
	queues   *qs.Service
	prices   *tokens.PriceList
	messages *deliveryService

	// mu guards what follows.
	mu  sync.Mutex
	now time.Duration // that the clock is ahead of the world's
	ops []wire.Operation
	lie func(r *wire.Request) (answer []byte, lie bool) // what a hostile queue service answers
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{TB: t, ctx: t.Context(), prices: &tokens.PriceList{Classes: map[tokens.Class]tokens.Terms{}, Prices: map[string]tokens.Price{}}}
	s.messages = &deliveryService{site: s}
	c := host.Default()
	c.Name, c.Classes = "issuer.example", nil
	for class, operations := range map[tokens.Class][]wire.Operation{
		tokens.Queue:   {wire.OpCreateQueue},
		tokens.Publish: {wire.OpPublishKeyPackages},
		tokens.Connect: {wire.OpGroupPackages, wire.OpConnectionPackages, wire.OpConnectionRequest},
		tokens.Send:    {wire.OpSendMessage},
	} {
		c.Classes = append(c.Classes, host.Class{Name: string(class), Types: []string{"0x0005"}, Tokens: 1000, BatchSizes: []int{1, batchSize}})
		s.prices.Classes[class] = tokens.Terms{Issuer: c.Name, TokenType: privacypass.VOPRFRistretto255}
		for _, o := range operations {
			s.prices.Prices[o.PriceName()] = tokens.Price{Class: class, Count: 1}
		}
	}
	s.prices.Prices[wire.PriceBurst] = tokens.Price{Class: tokens.Send, Count: 2}
	c.Attesters = host.Attesters{ProofOfWork: &host.Work{WorkCost: attester.WorkCost{MemoryKiB: 64, Passes: 1, Attempts: 1}, Parallel: 4}}
	data, err := daemon.OpenDir(filepath.Join(t.TempDir(), "issuer"))
	s.must(err)
	issuer, err := host.Open(&c, host.Options{Data: data, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), MinFree: 1})
	s.must(err)
	t.Cleanup(func() { issuer.Close() })
	keys, err := addresskeys.Open(addresskeys.Config{Dir: filepath.Join(t.TempDir(), "keys")}, s.clock())
	s.must(err)
	s.queues, err = qs.New(qs.Config{Domain: domain, Store: queuetest.NewReference(), Keys: keys, Payments: s.desk(&c, data), Now: s.clock})
	s.must(err)
	t.Cleanup(s.queues.Close)
	server := httptest.NewServer(httpapi.NewHandler(httpapi.Config{
		DS: s.messages, QS: &queueService{s},
		Provider: s.provider, Else: issuer,
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// desk takes the issuer's tokens.
func (s *site) desk(c *host.Config, data daemon.Dir) *qs.Desk {
	s.Helper()
	ring, err := c.OpenRing(data)
	s.must(err)
	s.must(ring.Reload())
	ledger, err := storagetest.NewReferenceSite().Open()
	s.must(err)
	live := map[tokens.Class][]verify.Key{}
	for _, k := range ring.All() {
		key, err := private.NewKey(k.Key.Marshal())
		s.must(err)
		s.must(ledger.OpenEpoch(s.ctx, tokens.Epoch{KeyID: (*keyring.Key)(k).ID(), Capacity: 1 << 20}))
		live[tokens.Class(k.Class)] = append(live[tokens.Class(k.Class)], key)
	}
	till, err := tokens.NewTill(s.prices, tokens.Origin{Name: domain}, live)
	s.must(err)
	s.messages.till = till
	return qs.NewDesk(till, ledger)
}

func (s *site) provider() *httpapi.Provider {
	return &httpapi.Provider{Domain: domain, Versions: []wire.Version{wire.Version1}, DS: s.url, QS: s.url, Issuer: s.url, Prices: s.prices,
		Profiles: []string{}, Keys: [][]byte{}, Limits: httpapi.Limits{RequestLife: 300}}
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.now)
}

// sleep lets time pass.
func (s *site) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += d
}

// took returns how often the queue service was asked for an operation.
func (s *site) took(o wire.Operation) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.ops {
		if op == o {
			n++
		}
	}
	return n
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) want(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got error %v, want %v", err, want)
	}
}

func refused(c wire.Code) error { return &wire.Error{Code: c} }

// service makes an httpapi.Service of a function.
type service func(ctx context.Context, r *wire.Request, digest [32]byte) ([]byte, error)

func (f service) Handle(ctx context.Context, encoded []byte) []byte {
	var answer wire.Response
	r, err := wire.ParseRequest(encoded, 4<<20)
	if err == nil {
		answer.Body, err = f(ctx, r, wire.Digest(encoded))
	}
	if err != nil {
		refusal := new(wire.Error)
		if !errors.As(err, &refusal) {
			refusal.Code = wire.CodeInternal
		}
		answer = wire.Response{Err: refusal}
	}
	b, err := mls.Marshal(&answer)
	if err != nil {
		panic(err)
	}
	return b
}

// queueService answers with the queue service, or lies.
type queueService struct{ *site }

var _ httpapi.Streamer = (*queueService)(nil)

// Handle implements httpapi.Service.
func (q *queueService) Handle(ctx context.Context, encoded []byte) []byte {
	return service(func(ctx context.Context, r *wire.Request, digest [32]byte) ([]byte, error) {
		q.mu.Lock()
		q.ops = append(q.ops, r.Operation)
		lie := q.lie
		q.mu.Unlock()
		if lie != nil {
			if b, ok := lie(r); ok {
				return b, nil
			}
		}
		return q.queues.Handle(ctx, r, digest)
	}).Handle(ctx, encoded)
}

// Stream implements httpapi.Streamer.
func (q *queueService) Stream(ctx context.Context, encoded []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		r, err := wire.ParseRequest(encoded, 1<<20)
		if err != nil {
			q.Error(err)
			return
		}
		for body, err := range q.queues.HandleStream(ctx, r, wire.Digest(encoded)) {
			one := service(func(context.Context, *wire.Request, [32]byte) ([]byte, error) { return body, err })
			if !yield(one.Handle(ctx, encoded)) {
				return
			}
		}
	}
}

// person is a user with a vault, and a network that can fail.
type person struct {
	*site
	name string
	dir  string
	key  secret.Bytes
	cfg  account.Config
	net  *network
	v    *vault.Vault
	*account.Account
}

// newPerson returns a user without an account.
func (s *site) newPerson(name string) *person {
	s.Helper()
	key := make([]byte, vault.KeySize)
	rand.Read(key)
	p := &person{site: s, name: name, dir: filepath.Join(s.TempDir(), "vault"), key: secret.New(key), net: &network{}}
	p.cfg = account.Config{
		Attestor: issuers.AttestorFunc(func(ctx context.Context, d *attester.Description, r *attester.Request) (string, error) {
			now := *r
			now.Now = time.Now() // the issuer's clock is the world's
			return issuers.ProofOfWork(rand.Reader).Authorize(ctx, d, &now)
		}),
		HTTP: &http.Client{Transport: p.net}, Providers: map[string]string{domain: s.url}, KeyPackages: someKeys, Now: s.clock,
	}
	p.openVault()
	s.Cleanup(func() { p.stop() })
	return p
}

// join returns a user with an account.
func (s *site) join(name string) *person {
	s.Helper()
	p := s.newPerson(name)
	var err error
	p.Account, err = account.Create(s.ctx, p.cfg, name, domain)
	s.must(err)
	return p
}

func (p *person) openVault() {
	p.Helper()
	v, err := vault.Open(p.dir, p.key)
	p.must(err)
	p.v, p.cfg.Vault = v, v
}

// stop ends the program.
func (p *person) stop() {
	if p.Account != nil {
		if err := p.Account.Close(); err != nil {
			p.Error(err)
		}
		p.Account = nil
	}
	if err := p.v.Close(); err != nil {
		p.Error(err)
	}
}

// restart ends the program and begins it again.
func (p *person) restart() {
	p.Helper()
	p.stop()
	p.openVault()
	var err error
	p.Account, err = account.Open(p.ctx, p.cfg)
	p.must(err)
}

func (p *person) card() *wire.ContactCard {
	p.Helper()
	c, err := p.Card()
	p.must(err)
	return c
}

// receive receives and acknowledges everything there is.
func (p *person) receive() (out []account.Incoming) {
	p.Helper()
	for {
		in, err := p.Receive(p.ctx, 0)
		p.must(err)
		if len(in) == 0 {
			return out
		}
		out = append(out, in...)
		p.must(p.Ack(p.ctx, in[len(in)-1].Seq))
	}
}

// contact returns the contact of a name in a state.
func (p *person) contact(name string, state account.ContactState) *account.Contact {
	p.Helper()
	c, err := p.Contact(name)
	p.must(err)
	if c.State != state {
		p.Fatalf("contact is %v, want %v", c.State, state)
	}
	return c
}

// befriend makes contacts of two people.
func (p *person) befriend(q *person) {
	p.Helper()
	p.must(p.Connect(p.ctx, q.card(), []byte("hello")))
	q.receive()
	q.must(q.Accept(q.ctx, p.name))
	p.receive()
	p.contact(q.name, account.ContactAccepted)
	q.contact(p.name, account.ContactAccepted)
}

// network loses requests or answers.
type network struct {
	// mu guards what follows.
	mu   sync.Mutex
	rule func(path string) (before, after bool) // whether to lose the request, or the answer
	sent [][]byte                               // bodies of what was sent
}

var errLost = errors.New("lost on the way")

func (n *network) lose(rule func(path string) (before, after bool)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rule, n.sent = rule, nil
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	rule := n.rule
	before, after := false, false
	if rule != nil {
		before, after = rule(r.URL.Path)
		if r.GetBody != nil {
			if body, err := r.GetBody(); err == nil {
				b, _ := io.ReadAll(body)
				n.sent = append(n.sent, b)
			}
		}
	}
	n.mu.Unlock()
	if before {
		return nil, errLost
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after {
		res.Body.Close()
		return nil, errLost
	}
	return res, err
}

// once loses what has the path, the first time.
func once(path string, before, after bool) func(string) (bool, bool) {
	done := false
	return func(p string) (bool, bool) {
		if done || p != path {
			return false, false
		}
		done = true
		return before, after
	}
}

func always(path string) func(string) (bool, bool) {
	return func(p string) (bool, bool) { return p == path, false }
}

// deliveryService answers as the test says, takes tokens, and knows retries.
type deliveryService struct {
	site *site
	till *tokens.Till
	// mu guards what follows.
	mu      sync.Mutex
	answer  func(r *wire.Request) ([]byte, error)
	digests [][32]byte
}

// Handle implements httpapi.Service.
func (d *deliveryService) Handle(ctx context.Context, encoded []byte) []byte {
	return service(func(_ context.Context, r *wire.Request, digest [32]byte) ([]byte, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !slices.Contains(d.digests, digest) {
			d.digests = append(d.digests, digest)
		}
		return d.answer(r)
	}).Handle(ctx, encoded)
}

// unanswered loses all answers from a path, and cancels once it is asked again.
func unanswered(path string, cancel context.CancelFunc) func(string) (bool, bool) {
	asked := 0
	return func(p string) (before, after bool) {
		if p != path {
			return false, false
		}
		if asked++; asked > 1 {
			cancel()
		}
		return asked > 1, true
	}
}

// shortly returns a context that ends soon.
func shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 300*time.Millisecond)
}
