package httpapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// site is a real issuer.
type site struct {
	*testing.T
	url     string
	data    daemon.Dir
	account ed25519.PrivateKey
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "accounts")
	if err := os.WriteFile(keys, []byte(base64.URLEncoding.EncodeToString(public)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := host.Default()
	c.Name = "issuer.example"
	c.Period = daemon.Duration(100 * 365 * 24 * time.Hour) // no epoch ends meanwhile
	c.Classes = []host.Class{
		{Name: "default", Types: []string{"0x0005", "0x0002"}, Tokens: 16, BatchSizes: []int{1, 4, 8}},
		{Name: "create", Types: []string{"0x0005"}, Tokens: 16, BatchSizes: []int{2}},
	}
	c.Attesters = host.Attesters{Invite: &struct{}{}, AccountKey: &host.AccountKey{Keys: keys},
		ProofOfWork: &host.Work{WorkCost: attester.WorkCost{MemoryKiB: 64, Passes: 1, Attempts: 1}, Parallel: 1}}
	s := &site{T: t, data: daemon.Dir(filepath.Join(dir, "data")), account: private}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(&c, host.Options{Data: s.data, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) class(name string) *httpapi.Class {
	s.Helper()
	i, err := httpapi.Discover(s.Context(), nil, s.url+"/")
	s.must(err)
	c, err := i.Class(s.Context(), name)
	s.must(err)
	return c
}

func (s *site) want(c *httpapi.Class, t privacypass.TokenType) client.Want {
	s.Helper()
	keys, err := c.Keys(t, time.Now())
	s.must(err)
	if len(keys) != 1 {
		s.Fatalf("%d keys", len(keys))
	}
	return client.Want{Key: keys[0], Challenge: &privacypass.TokenChallenge{TokenType: t, IssuerName: "issuer.example"}}
}

// TestTokensOfEveryKindAndAttestation gets tokens from a real issuer.
func TestTokensOfEveryKindAndAttestation(t *testing.T) {
	s := newSite(t)
	invites, err := host.Invites(s.data)
	s.must(err)
	code, err := invites.New(rand.Reader, time.Now().Add(time.Hour))
	s.must(err)
	c := s.class("")
	want := s.want(c, privacypass.VOPRFRistretto255)
	single, err := client.Single(rand.Reader, s.want(c, privacypass.BlindRSA))
	s.must(err)
	amortized, err := client.Amortized(rand.Reader, want, 8)
	s.must(err)
	generic, err := client.Generic(rand.Reader, []client.Want{want, s.want(c, privacypass.BlindRSA), want, want})
	s.must(err)
	for i, p := range []*client.Pending{single, amortized, generic} {
		a := []httpapi.Attestor{httpapi.Header(attester.InviteAuthorization(code)), httpapi.AccountKey(s.account), httpapi.ProofOfWork(rand.Reader)}[i]
		reply, err := c.Send(t.Context(), p.Kind(), p.Request(), time.Now(), a)
		s.must(err)
		again, err := c.Send(t.Context(), p.Kind(), p.Request(), time.Now(), a)
		s.must(err)
		for _, r := range [][]byte{reply, again} {
			got, err := p.Finalize(r)
			if err != nil || len(got) != p.Count() {
				t.Fatalf("%v: %d tokens, %v", p.Kind(), len(got), err)
			}
		}
	}
	if n, small, none := c.Batch(128), c.Batch(7), c.Batch(0); n != 8 || small != 4 || none != 0 {
		t.Errorf("batches %d, %d, %d", n, small, none)
	}
	if s.class("create").Description.Name != "create" {
		t.Error("another class")
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	c := s.class("")
	send := func(n int, a httpapi.Attestor) error {
		p, err := client.Amortized(rand.Reader, s.want(c, privacypass.VOPRFRistretto255), n)
		s.must(err)
		_, err = c.Send(t.Context(), p.Kind(), p.Request(), time.Now(), a)
		return err
	}
	for name, r := range map[string]struct {
		n                int
		a                httpapi.Attestor
		status           int
		final, exhausted bool
	}{
		"no attestation": {4, httpapi.Header("Nothing"), http.StatusUnauthorized, false, false},
		"forged code":    {4, httpapi.Header(attester.InviteAuthorization(strings.Repeat("a", 48))), http.StatusForbidden, false, false},
		"batch size":     {3, httpapi.AccountKey(s.account), http.StatusUnprocessableEntity, true, false},
	} {
		var refused *httpapi.StatusError
		if err := send(r.n, r.a); !errors.As(err, &refused) || refused.Status != r.status || refused.Final() != r.final || refused.Exhausted() != r.exhausted {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.must(send(8, httpapi.AccountKey(s.account)))
	s.must(send(8, httpapi.AccountKey(s.account)))
	var refused *httpapi.StatusError
	if err := send(1, httpapi.AccountKey(s.account)); !errors.As(err, &refused) || !refused.Exhausted() || refused.Final() || refused.RetryAfter == 0 {
		t.Errorf("over the allowance: %v", err)
	}
	failed := errors.New("no card at hand")
	if err := send(1, httpapi.AttestorFunc(func(context.Context, *attester.Description, *attester.Request) (string, error) { return "", failed })); !errors.Is(err, failed) {
		t.Errorf("attestor's error: %v", err)
	}
	if _, err := c.Send(t.Context(), privacypass.Amortized, []byte{1}, time.Now(), httpapi.Header("x")); err == nil {
		t.Error("sent what is no request")
	}
	if _, err := c.Send(t.Context(), 9, nil, time.Now(), httpapi.Header("x")); err == nil {
		t.Error("sent a request of no kind")
	}
	i, err := httpapi.Discover(t.Context(), nil, s.url)
	s.must(err)
	if _, err := i.Class(t.Context(), "none"); !errors.Is(err, httpapi.ErrClass) {
		t.Errorf("unknown class: %v", err)
	}
	if keys, err := c.Keys(privacypass.VOPRFP384, time.Now()); err != nil || len(keys) != 0 {
		t.Errorf("%d keys of another type, %v", len(keys), err)
	}
	if keys, err := c.Keys(privacypass.BlindRSA, time.Unix(0, 0)); err != nil || len(keys) != 0 {
		t.Errorf("%d keys before their time, %v", len(keys), err)
	}
	_, err = httpapi.ProofOfWork(rand.Reader).Authorize(t.Context(), &attester.Description{}, nil)
	if !errors.Is(err, httpapi.ErrNoWork) {
		t.Errorf("no work: %v", err)
	}
}

// TestHostileIssuers: what they send ends in an error, and nothing is sent in the
// clear.
func TestHostileIssuers(t *testing.T) {
	const description = `{"issuer": "issuer.example", "period_seconds": 1, "classes": [{"name": "default", "directory": "%s", "batch_sizes": [1], "tokens_per_epoch": 1}], "attesters": []}`
	const key = `{"token-type": 5, "token-key": "%s"}`
	serve := func(description, directory string, status int) string {
		mux := http.NewServeMux()
		mux.HandleFunc(attester.DescriptionPath, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(description))
		})
		mux.HandleFunc("/directory", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(directory)) })
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		return server.URL
	}
	class := func(url string) error {
		i, err := httpapi.Discover(t.Context(), nil, url)
		if err != nil {
			return err
		}
		c, err := i.Class(t.Context(), "")
		if err != nil {
			return err
		}
		_, err = c.Keys(privacypass.VOPRFRistretto255, time.Now())
		return err
	}
	local := fmt.Sprintf(description, "/directory")
	var refused *httpapi.StatusError
	for name, c := range map[string]struct {
		url  string
		want func(error) bool
	}{
		"plain http":         {"http://issuer.example", is(httpapi.ErrURL)},
		"no URL":             {"issuer", is(httpapi.ErrURL)},
		"nobody there":       {"http://127.0.0.1:1", is(httpapi.ErrUnreachable)},
		"status":             {serve("a\x1b[2Jb", "", http.StatusTeapot), func(err error) bool { return errors.As(err, &refused) && refused.Text == "a [2Jb" }},
		"no description":     {serve("{}", "", 200), is(attester.ErrDescription)},
		"huge description":   {serve(local+strings.Repeat(" ", attester.MaxDescription), "", 200), is(attester.ErrDescription)},
		"directory in clear": {serve(fmt.Sprintf(description, "http://issuer.example/directory"), "", 200), is(httpapi.ErrURL)},
		"no directory":       {serve(local, "{}", 200), func(err error) bool { return err != nil }},
		"huge directory":     {serve(local, strings.Repeat(" ", 2*privacypass.MaxDirectorySize), 200), func(err error) bool { return err != nil }},
		"requests in clear":  {serve(local, `{"issuer-request-uri": "http://issuer.example/request", "token-keys": []}`, 200), is(httpapi.ErrURL)},
		"no key": {serve(local, `{"issuer-request-uri": "/request", "token-keys": [`+fmt.Sprintf(key, base64.URLEncoding.EncodeToString(make([]byte, 32)))+`]}`, 200),
			is(client.ErrKey)},
	} {
		if err := class(c.url); !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
