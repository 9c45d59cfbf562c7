package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	issuerapi "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/audit"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// tap notes what clients send by which they, their tokens or their connections
// could be known again.
type tap struct {
	http *http.Client

	mu      sync.Mutex
	needles []audit.Needle
	paths   map[string]int
}

func newTap() *tap {
	t := &tap{paths: map[string]int{}}
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			t.note("client address", []byte(c.LocalAddr().String()))
		}
		return c, err
	}}
	t.http = &http.Client{Transport: tapped{t, transport}}
	return t
}

func (t *tap) note(kind audit.Kind, octets []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(octets) > audit.MaxNeedle {
		octets = octets[:audit.MaxNeedle]
	}
	if len(octets) >= audit.MinNeedle {
		t.needles = append(t.needles, audit.Needle{Kind: kind, Octets: slices.Clone(octets)})
	}
}

type tapped struct {
	*tap
	next http.RoundTripper
}

func (t tapped) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.paths[r.URL.Path]++
	t.mu.Unlock()
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		t.request(body)
		if header := r.Header.Get("Authorization"); header != "" {
			t.note("attestation", []byte(header[max(0, len(header)-40):]))
		}
	}
	return t.next.RoundTrip(r)
}

// request notes what is in a request of package wire, or the whole of any other.
func (t tapped) request(body []byte) {
	r, err := wire.ParseRequest(body, len(body))
	if err != nil {
		t.note("token request", body)
		return
	}
	t.note("nonce", r.Nonce[:])
	t.note("key identifier", r.Auth.KeyID)
	t.note("signature", r.Auth.Signature)
	if !r.GroupStateKey.IsZero() {
		t.note("group state key", r.GroupStateKey.Reveal())
	}
	for _, token := range r.Tokens {
		t.note("token nonce", token[2:34])
		t.note("token", token[len(token)-64:])
	}
	digest := wire.Digest(body)
	t.note("request digest", digest[:])
}

func (t *tap) person(name, url string) *client.Client {
	v := must(vault.Open(filepath.Join(name), secret.New(make([]byte, 32))))
	return must(client.Create(context.Background(), client.Config{Account: account.Config{Vault: v, HTTP: t.http,
		Attestor: issuerapi.ProofOfWork(rand.Reader), Providers: map[string]string{"localhost": url}}}, filepath.Base(name), "localhost"))
}

// until syncs until an event has come.
func until(t *testing.T, c *client.Client, kind client.EventKind) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		events, err := c.Sync(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(events, func(e client.Event) bool { return e.Kind == kind }) {
			return
		}
	}
	t.Fatalf("no event %d", kind)
}

// TestINV07LogsAndMetrics: after a busy run, with refusals, attacks, failures and
// restarts, neither log nor metrics nor error pages hold anything by which a
// client, a group, a queue, a token or a connection could be known again.
func TestINV07LogsAndMetrics(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	c := config(t)
	cheap(&c)
	c.Logger = slog.New(slog.NewJSONHandler(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(b)
	}), &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	gateway := newPushes(t, "shared", func(n int) int { return 500 * (n % 2) })
	c.Push = &PushConfig{URL: gateway.URL, Secret: secretFile(t, "shared")}
	c.Peers = map[string]string{"gone.example": "http://127.0.0.1:1"}
	s, stop := start(t, c)
	tap := newTap()
	dir := t.TempDir()
	alice, bob, carol := tap.person(filepath.Join(dir, "alice"), s.URL(DS)), tap.person(filepath.Join(dir, "bob"), s.URL(DS)), tap.person(filepath.Join(dir, "carol"), s.URL(DS))
	meet := func(a, b *client.Client, name string) *account.Contact {
		t.Helper()
		ok(t, a.Account().Connect(t.Context(), must(b.Account().Card()), []byte("hello there")))
		until(t, b, client.EventOffer)
		ok(t, b.Account().Accept(t.Context(), a.Account().Name()))
		until(t, a, client.EventContact)
		return must(a.Account().Contact(name))
	}
	friend, other := meet(alice, bob, "bob"), meet(alice, carol, "carol")
	must(bob.Account().Configure(t.Context(), wire.QueueSettings{Version: 2, Push: []byte("bob's device 12345")}))
	tap.note("push target", []byte("bob's device 12345"))
	group := must(alice.CreateGroup(t.Context(), "secret group", client.GroupOptions{}))
	ok(t, group.Invite(t.Context(), friend, other))
	until(t, bob, client.EventJoined)
	until(t, carol, client.EventJoined)
	for range 5 {
		ok(t, group.Send(t.Context(), []byte("a text of alice")))
	}
	until(t, carol, client.EventMessage)
	ok(t, carol.Groups()[0].Leave(t.Context()))

	// What goes wrong.
	u := newUser(t, s.URL(DS))
	owner := u.newOwner(wire.QueueSettings{MaxEntries: 1})
	paid := u.pay(wire.OpCreateQueue)
	tap.note("token nonce", paid[0][2:34])
	for range 2 {
		sign := newSigner()
		_ = u.send(wire.OpCreateQueue, u.request(wire.OpCreateQueue, &wire.CreateQueue{OwnerKey: [32]byte(sign.Public()), SegmentKey: *owner.segments.Public()}, sign, paid), nil)
		tap.note("queue key", sign.Public())
	}
	m := owner.join("localhost")
	stranger := newSigner()
	tap.note("signature key", stranger.Public())
	abroad := &deliverer{domain: "gone.example", ownURL: s.URL(QS), http: tap.http, signer: func() *mls.SignatureKey { return stranger }, count: func(string) {}, targets: map[string]*target{}}
	if _, err := abroad.send(t.Context(), s.URL(QS), "localhost", messageTo([]byte("x"), 1, m)); err == nil {
		t.Error("a stranger delivers")
	}
	for _, n := range []uint64{1, 2, 3} { // over its bound
		if _, err := s.qs.service.Deliver(t.Context(), "localhost", messageTo([]byte("x"), n, m)); err != nil {
			t.Fatal(err)
		}
	}
	garbage := random[[]byte](64)
	tap.note("garbage", garbage)
	var pages [][]byte
	for _, path := range []string{httpapi.PathGroupOperation, httpapi.PathQueueRead, httpapi.PathQueueStream, httpapi.PathDeliverMessage, "/no-such-path"} {
		res, err := tap.http.Post(s.URL(DS)+path+"?q="+string(must(json.Marshal(garbage))[1:20]), httpapi.MediaType, bytes.NewReader(garbage))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, must(io.ReadAll(res.Body)))
		res.Body.Close()
	}
	_, metrics := get(t, s.Running().Admin+"/metrics")
	for _, name := range []string{"queues", "groups"} { // the stores fail under the server
		map[string]func() error{"queues": s.qs.embedded.Close, "groups": s.ds.embedded.Close}[name]()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	_ = group.Send(ctx, []byte("nobody takes this"))
	cancel()
	_, more := get(t, s.Running().Admin+"/metrics")
	_, notReady := get(t, s.Running().Admin+"/readyz")
	pages = append(pages, metrics, more, notReady)
	for _, p := range []*client.Client{alice, bob, carol} {
		for _, trace := range p.Traces() {
			tap.note(audit.Kind(trace.Kind), trace.Octets)
		}
	}
	stop()
	if tap.paths[httpapi.PathQueueRead] == 0 || tap.paths[httpapi.PathGroupOperation] == 0 || len(tap.needles) < 200 {
		t.Fatalf("not busy: %v, %d needles", tap.paths, len(tap.needles))
	}
	scanner := must(audit.New(tap.needles))
	mu.Lock()
	defer mu.Unlock()
	for name, text := range map[string][]byte{"log": log.Bytes(), "metrics and error pages": bytes.Join(pages, []byte("\n"))} {
		report := scanner.Report(name)
		ok(t, report.Lines(t.Context(), bytes.NewReader(text)))
		ok(t, report.File(t.Context(), bytes.NewReader(text)))
		for _, n := range tap.needles {
			if found, hits := report.Found(n.Kind); found > 0 {
				t.Errorf("%s: %d of kind %q stand there: %v\n%s", name, found, n.Kind, hits, text)
				break
			}
		}
	}
	control := scanner.Report("control")
	ok(t, control.Lines(t.Context(), strings.NewReader(hex.EncodeToString(tap.needles[0].Octets))))
	if found, _ := control.Found(tap.needles[0].Kind); found != 1 {
		t.Error("what stands there is not found")
	}
	if !bytes.Contains(metrics, []byte("pseudods_requests_total")) || !bytes.Contains(metrics, []byte(`outcome="delivered"`)) || log.Len() == 0 {
		t.Error("nothing was logged or counted")
	}
	checkAttributes(t, log.Bytes())
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkAttributes: a record has no attribute that a program's log would leave out.
func checkAttributes(t *testing.T, log []byte) {
	t.Helper()
	for line := range strings.Lines(string(log)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for name := range record {
			if !slices.Contains(append([]string{"time", "level", "msg", "source"}, daemon.Attributes...), name) {
				t.Errorf("a record has the attribute %q", name)
			}
		}
	}
}
