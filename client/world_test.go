package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/server"
)

const domain = "localhost"

// world is a provider with all its roles, and the people who use it.
type world struct {
	testing.TB
	cfg server.Config
	url string
	// admin is where its operator looks.
	admin string
	stop  func()
	all   []*person
	// attestor is how somebody pays the issuer's attester. Nil: by work.
	attestor func(name string) account.Attestor
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// generous is a rate that nobody exceeds.
var generous = server.Rate{Every: daemon.Duration(time.Millisecond), Burst: 1 << 20}

// newWorld starts a provider. Its issuer gives tokens for next to no work.
func newWorld(t testing.TB, change ...func(*server.Config)) *world {
	t.Helper()
	w := &world{TB: t, cfg: server.Config{Domain: domain, Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}}
	w.cfg.MinFree = 1
	w.cfg.Issuer.Attesters = host.Attesters{ProofOfWork: &host.Work{WorkCost: attester.WorkCost{MemoryKiB: 64, Passes: 1, Attempts: 1}}}
	w.cfg.DS.PerGroup, w.cfg.DS.PerLeaf = generous, generous
	for _, f := range change {
		f(&w.cfg)
	}
	w.start()
	t.Cleanup(func() {
		for _, p := range w.all {
			p.Close()
			p.vault.Close()
		}
		w.stop()
	})
	return w
}

// start runs the provider on what is on disk. It listens where it did before.
func (w *world) start() {
	w.Helper()
	s := must(server.New(w.cfg))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.url, w.admin = s.URL(server.DS), s.Running().Admin
	w.cfg.Listen = w.url[len("http://"):]
	w.stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.Errorf("server: %v", err)
		}
	}
}

// person is a user with one client.
type person struct {
	*client.Client
	w     *world
	name  string
	dir   string
	vault *vault.Vault
	cfg   client.Config
	// net, if not nil, carries the client's requests from the next restart on.
	net http.RoundTripper
	// heard are the events so far.
	heard []client.Event
}

func (w *world) person(name string) *person {
	w.Helper()
	p := &person{w: w, name: name, dir: filepath.Join(w.TempDir(), "vault")}
	p.open()
	p.Client = must(client.Create(w.Context(), p.cfg, name, domain))
	w.all = append(w.all, p)
	return p
}

var vaultKey = secret.New(bytes.Repeat([]byte{1}, 32))

func (p *person) open() {
	p.vault = must(vault.Open(p.dir, vaultKey))
	p.cfg = client.Config{Account: account.Config{Vault: p.vault, Attestor: p.w.pays(p.name), Providers: map[string]string{domain: p.w.url}}}
	if p.net != nil {
		p.cfg.Account.HTTP = &http.Client{Transport: p.net}
	}
}

func (w *world) pays(name string) account.Attestor {
	if w.attestor == nil {
		return issuer.ProofOfWork(rand.Reader)
	}
	return w.attestor(name)
}

// restart opens the client anew from its files.
func (p *person) restart() {
	p.w.Helper()
	p.ok(p.Close())
	p.ok(p.vault.Close())
	p.open()
	p.Client = must(client.Open(p.w.Context(), p.cfg))
}

func (p *person) ok(err error) {
	p.w.Helper()
	if err != nil {
		p.w.Fatalf("%s: %v", p.name, err)
	}
}

// longest is for what takes milliseconds on an idle machine.
const longest = time.Minute

// delivered waits until everything that the provider has accepted is in queues.
func (w *world) delivered() {
	w.Helper()
	for end := time.Now().Add(longest); w.metric("pseudods_deliveries_waiting") != "0"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatal("messages wait to be delivered")
		}
	}
}

// metric returns a figure of the provider's by its name and labels, "" if there is
// none.
func (w *world) metric(name string) string {
	w.Helper()
	res := must(http.Get(w.admin + "/metrics"))
	defer res.Body.Close()
	for line := range strings.Lines(string(must(io.ReadAll(res.Body)))) {
		if n, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(n)
		}
	}
	return ""
}

// sync takes what has been sent until all is read, also what came of reading it.
func (p *person) sync() []client.Event {
	p.w.Helper()
	var out []client.Event
	for quiet := 0; quiet < 2; quiet++ {
		p.w.delivered()
		events, err := p.Sync(p.w.Context(), 0)
		p.ok(err)
		if len(events) > 0 {
			quiet = -1
		}
		out = append(out, events...)
	}
	p.heard = append(p.heard, out...)
	return out
}

// until syncs until an event of a kind has come, which it returns.
func (p *person) until(kind client.EventKind) client.Event {
	p.w.Helper()
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); {
		events, err := p.Sync(p.w.Context(), time.Second)
		p.ok(err)
		p.heard = append(p.heard, events...)
		if i := slices.IndexFunc(events, func(e client.Event) bool { return e.Kind == kind }); i >= 0 {
			return events[i]
		}
	}
	p.w.Fatalf("%s waits in vain for event %d", p.name, kind)
	return client.Event{}
}

// meets has p ask other for contact, who accepts.
func (p *person) meets(other *person) {
	p.w.Helper()
	p.ok(p.Account().Connect(p.w.Context(), must(other.Account().Card()), []byte("hello")))
	other.until(client.EventOffer)
	other.ok(other.Account().Accept(p.w.Context(), p.name))
	p.until(client.EventContact)
}

func (p *person) create(label string, o client.GroupOptions) *client.Group {
	p.w.Helper()
	g, err := p.CreateGroup(p.w.Context(), label, o)
	p.ok(err)
	return g
}

// invites adds contacts to a group, who take notice.
func (p *person) invites(g *client.Group, others ...*person) {
	p.w.Helper()
	var contacts []*account.Contact
	for _, o := range others {
		c, err := p.Account().Contact(o.name)
		p.ok(err)
		contacts = append(contacts, c)
	}
	p.ok(g.Invite(p.w.Context(), contacts...))
	for _, o := range others {
		o.until(client.EventJoined)
	}
}

// in returns p's own view of a group.
func (p *person) in(g *client.Group) *client.Group {
	p.w.Helper()
	for _, own := range p.Groups() {
		if own.ID() == g.ID() {
			return own
		}
	}
	p.w.Fatalf("%s does not know the group", p.name)
	return nil
}

func (p *person) says(g *client.Group, text string) {
	p.w.Helper()
	p.ok(p.in(g).Send(p.w.Context(), []byte(text)))
}

// texts are the messages that p has read so far, with who sent them.
func (p *person) texts() []string {
	var out []string
	for _, e := range p.heard {
		if e.Kind == client.EventMessage {
			out = append(out, e.Member.String()+": "+string(e.Text))
		}
	}
	return out
}

// names are the members of a group as p sees them.
func (p *person) names(g *client.Group) []string {
	p.w.Helper()
	members, err := p.in(g).Members()
	p.ok(err)
	var out []string
	for _, m := range members {
		out = append(out, m.String())
	}
	slices.Sort(out)
	return out
}

// agree checks that all are in the same state of the group.
func agree(g *client.Group, all ...*person) {
	all[0].w.Helper()
	first := must(all[0].in(g).Authenticator())
	for _, p := range all[1:] {
		if a, err := p.in(g).Authenticator(); err != nil || !a.Equal(first) {
			p.w.Errorf("%s is at epoch %d and %s at %d, %v", p.name, p.in(g).Epoch(), all[0].name, all[0].in(g).Epoch(), err)
		}
	}
}

// circle makes a group of people who all know the first.
func (w *world) circle(o client.GroupOptions, names ...string) (*client.Group, []*person) {
	w.Helper()
	var all []*person
	for _, n := range names {
		all = append(all, w.person(n))
	}
	for _, p := range all[1:] {
		all[0].meets(p)
	}
	g := all[0].create("circle", o)
	if len(all) > 1 {
		all[0].invites(g, all[1:]...)
	}
	for range 2 { // those who joined first hear of those who renew their address
		for _, p := range all {
			p.sync()
		}
	}
	return g, all
}

func numbered(prefix string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}
