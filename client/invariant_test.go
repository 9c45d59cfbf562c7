package client_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/audit"
	"github.com/pseudods/pseudods/pseudods/server"
)

// log keeps what a server writes.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// busyRun has people do all that people do at a provider that knows their
// accounts, and returns the directory that is left, the log, the metrics, and all
// by which the people could be recognised.
func busyRun(t *testing.T) (data string, logged, metrics []byte, needles []audit.Needle) {
	names := []string{"alice@home.example", "bob@home.example", "carol@home.example", "dave@home.example"}
	accounts := map[string]ed25519.PrivateKey{}
	var file bytes.Buffer
	for _, n := range names {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		accounts[n] = private
		file.WriteString(base64.URLEncoding.EncodeToString(public) + "\n")
		needles = append(needles, audit.Needle{Kind: "accounts", Octets: public})
	}
	keys := filepath.Join(t.TempDir(), "accounts")
	if err := os.WriteFile(keys, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var l log
	registry := prometheus.NewRegistry()
	w := newWorld(t, func(c *server.Config) {
		c.Issuer.Attesters = host.Attesters{AccountKey: &host.AccountKey{Keys: keys}}
		c.Logger = slog.New(slog.NewJSONHandler(&l, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Registry = registry
	})
	w.attestor = func(name string) account.Attestor { return issuer.AccountKey(accounts[name]) }
	g, all := w.circle(client.GroupOptions{}, names...)
	alice, bob, carol, dave := all[0], all[1], all[2], all[3]
	second := alice.create("second", client.GroupOptions{Admin: true})
	alice.invites(second, bob, carol)
	texts := []string{"what only members read", "and nobody else, in any store"}
	for _, text := range texts {
		for _, p := range all {
			p.says(g, text+" says "+p.name)
			needles = append(needles, audit.Needle{Kind: "texts", Octets: []byte(text + " says " + p.name)})
		}
	}
	alice.says(second, string(bytes.Repeat([]byte("a long text "), 400)))
	settle(all)
	trace := func() { // keys and addresses change on the way
		for _, p := range all {
			for _, x := range p.Traces() {
				needles = append(needles, audit.Needle{Kind: audit.Kind(x.Kind), Octets: x.Octets})
			}
		}
	}
	trace()
	alice.ok(alice.in(g).Remove(t.Context(), dave.name))
	dave.until(client.EventLeft)
	bob.lose()
	alice.ok(alice.in(g).Update(t.Context()))
	alice.ok(alice.in(second).Ban(t.Context(), carol.name))
	bob.until(client.EventLost)
	trace()
	_ = bob.in(g).Rejoin(t.Context()) // or asks for access
	alice.says(g, "anybody there?")
	settle(all)
	trace()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var m bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&m, f); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	w.stop = func() {}
	return w.cfg.Data, l.b.Bytes(), m.Bytes(), needles
}

// TestINV01INV02INV07BusyRun looks after a busy run for everything by which
// somebody could be recognised: no record holds an account beside anything else
// (INV-01), a copy of all stores links nothing (INV-02), and logs and metrics name
// nobody (INV-07).
func TestINV01INV02INV07BusyRun(t *testing.T) {
	data, logged, metrics, needles := busyRun(t)
	scanner, err := audit.New(needles)
	if err != nil {
		t.Fatal(err)
	}
	// What a role must have to find what it keeps.
	expected := map[server.Role][]audit.Kind{
		server.Issuer: nil,
		server.DS:     {client.TraceGroup},
		server.QS:     {account.TraceQueue, account.TraceQueueKey, account.TracePool},
	}
	var reports []*audit.Report
	for _, role := range server.Roles {
		r := scanner.Report(string(role))
		if err := r.Stores(t.Context(), filepath.Join(data, string(role))); err != nil {
			t.Fatal(err)
		}
		if r.Records.Number == 0 {
			t.Fatalf("no records of the %s were looked at", role)
		}
		reports = append(reports, r)
	}
	kinds := map[audit.Kind]bool{}
	for _, n := range needles {
		kinds[n.Kind] = true
	}
	if len(kinds) < 15 {
		t.Fatalf("only %d kinds are looked for", len(kinds))
	}
	for i, role := range server.Roles {
		for kind := range kinds {
			if n, hits := reports[i].Found(kind); n > 0 != slices.Contains(expected[role], kind) {
				t.Errorf("INV-02: the %s store shows %d %s (%v)", role, n, kind, hits)
			}
		}
		for _, together := range reports[i].Together() {
			if slices.Contains(together.Kinds, "accounts") {
				t.Errorf("INV-01: in %d records of the %s store, accounts stand beside something", together.Records, role)
			}
			if len(together.Several) > 0 || !slices.Equal(together.Kinds, []audit.Kind{account.TraceQueue, account.TraceQueueKey}) {
				t.Errorf("INV-02: in %d records of the %s store, %v stand together, several of %v", together.Records, role, together.Kinds, together.Several)
			}
		}
	}
	if shared := audit.Shared(reports...); len(shared) > 0 {
		t.Errorf("INV-02: stores have in common: %v", shared)
	}
	for name, text := range map[string][]byte{"log": logged, "metrics": metrics} {
		if len(text) == 0 {
			t.Fatalf("the %s is empty", name)
		}
		r := scanner.Report(name)
		if err := r.Lines(t.Context(), bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		for kind := range kinds {
			if n, _ := r.Found(kind); n > 0 {
				t.Errorf("INV-07: the %s shows %d %s", name, n, kind)
			}
		}
	}
}
