package host

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) string {
	return base64.URLEncoding.EncodeToString(key(n).Public().(ed25519.PublicKey))
}

// The keys of the tests: a service, a stranger, and two accounts.
const (
	service, stranger, spammer, neighbour = 1, 2, 3, 4
)

func verdictHost(t *testing.T, alter func(*Config)) *Host {
	t.Helper()
	dir := t.TempDir()
	data, err := daemon.OpenDir(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Classes = []Class{{Name: "default", Types: []string{"0x0005"}, Tokens: 32, BatchSizes: []int{8}}}
	c.Attesters = Attesters{AccountKey: &AccountKey{Keys: filepath.Join(dir, "accounts")}}
	c.Verdicts.Keys = []string{public(service)}
	if err := os.WriteFile(c.Attesters.AccountKey.Keys, []byte(public(spammer)+"\n"+public(neighbour)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if alter != nil {
		alter(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	h, err := Open(&c, Options{Data: data, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func verdictOn(n byte, id byte) *attester.Verdict {
	return &attester.Verdict{Issuer: "localhost", ID: [16]byte{id}, Day: attester.DayOf(time.Now()), Weight: attester.Severe,
		Key: [32]byte(key(n).Public().(ed25519.PublicKey)), Credential: []byte("credential")}
}

func sign(t *testing.T, v *attester.Verdict, by byte) []byte {
	t.Helper()
	b, err := v.Sign(key(by))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// counted returns how many verdicts had an outcome.
func counted(t *testing.T, h *Host, outcome string) (n float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(h.court.outcomes)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == outcome {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func post(h *Host, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, VerdictsPath, bytes.NewReader(body)))
	return w
}

func TestVerdicts(t *testing.T) {
	h := verdictHost(t, nil)
	good := sign(t, verdictOn(spammer, 1), service)
	foreign, stale := verdictOn(spammer, 2), verdictOn(spammer, 3)
	foreign.Issuer = "issuer.example"
	stale.Day -= 20
	for _, tc := range []struct {
		name    string
		body    []byte
		status  int
		err     error
		outcome string
	}{
		{"good", good, 204, nil, "applied"},
		{"again", good, 204, nil, "repeated"},
		{"of nobody", sign(t, verdictOn(stranger, 4), service), 204, nil, "unknown"},
		{"of a stranger", sign(t, verdictOn(spammer, 5), stranger), 403, attester.ErrVerdictForged, "forged"},
		{"mauled", append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), 403, attester.ErrVerdictForged, "forged"},
		{"foreign", sign(t, foreign, service), 421, attester.ErrVerdictForeign, "foreign"},
		{"stale", sign(t, stale, service), 410, attester.ErrVerdictStale, "stale"},
		{"cut short", good[:50], 400, attester.ErrVerdictMalformed, "malformed"},
		{"nothing", nil, 400, attester.ErrVerdictMalformed, "malformed"},
		{"endless", make([]byte, attester.MaxVerdict+1), 400, attester.ErrVerdictMalformed, "malformed"},
	} {
		before := counted(t, h, tc.outcome)
		w := post(h, tc.body)
		if w.Code != tc.status || !errors.Is(VerdictError(w.Code), tc.err) {
			t.Errorf("%s: %d, which means %v", tc.name, w.Code, VerdictError(w.Code))
		}
		if got := counted(t, h, tc.outcome) - before; got != 1 {
			t.Errorf("%s: counted %v times as %s", tc.name, got, tc.outcome)
		}
	}
	if err := VerdictError(503); err == nil || errors.Is(err, attester.ErrVerdict) {
		t.Errorf("503 means %v", err)
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, VerdictsPath, nil)); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
	h.store.Close()
	if w := post(h, sign(t, verdictOn(spammer, 9), service)); w.Code != 503 || strings.Contains(w.Body.String(), "badger") {
		t.Errorf("a closed store: %d %s", w.Code, w.Body)
	}
	none := verdictHost(t, func(c *Config) { c.Verdicts.Keys = nil })
	if w := post(none, good); w.Code != 404 {
		t.Errorf("without services: %d", w.Code)
	}
	if err := none.TakeVerdict(t.Context(), good); !errors.Is(err, attester.ErrVerdictForged) {
		t.Errorf("without services: %v", err)
	}
}

// capture keeps the last answer that passes.
type capture struct{ last *http.Response }

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	kept := *res
	kept.Body, res.Body, kept.Header = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body)), res.Header.Clone()
	c.last = &kept
	return res, err
}

// requestTokens asks for a batch of tokens with an account's key, and returns the
// issuer's answer.
func requestTokens(t *testing.T, h *Host, n byte) *http.Response {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	wire := new(capture)
	issuer, err := issuers.Discover(t.Context(), &http.Client{Transport: wire}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	class, err := issuer.Class(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := class.Keys(privacypass.VOPRFRistretto255, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	challenge := &privacypass.TokenChallenge{TokenType: privacypass.VOPRFRistretto255, IssuerName: "localhost"}
	pending, err := client.Amortized(rand.Reader, client.Want{Key: keys[0], Challenge: challenge}, 8)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = class.Send(t.Context(), pending.Kind(), pending.Request(), time.Now(), issuers.AccountKey(key(n))) // the answer is looked at
	return wire.last
}

// TestCutLooksLikeAnyRefusal: an account with a cut gets in the next epoch what one
// gets that has used up its allowance, to the octet.
func TestCutLooksLikeAnyRefusal(t *testing.T) {
	const period = 10 * 365 * 24 * time.Hour // no epoch ends meanwhile
	h := verdictHost(t, func(c *Config) { c.Period = daemon.Duration(period) })
	before, v := time.Now().Add(-period), verdictOn(spammer, 1)
	v.Day = attester.DayOf(before)
	if err := h.court.apply(context.Background(), sign(t, v, service), before); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if res := requestTokens(t, h, neighbour); res.StatusCode != 200 {
			t.Fatalf("an honest account gets %d", res.StatusCode)
		}
	}
	young, cut := requestTokens(t, h, neighbour), requestTokens(t, h, spammer)
	if young.StatusCode != http.StatusTooManyRequests || cut.StatusCode != young.StatusCode {
		t.Fatalf("%d and %d", young.StatusCode, cut.StatusCode)
	}
	a, _ := io.ReadAll(young.Body)
	b, _ := io.ReadAll(cut.Body)
	if !bytes.Equal(a, b) {
		t.Errorf("%q and %q", a, b)
	}
	for _, r := range []*http.Response{young, cut} {
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		r.Header.Set("Retry-After", "") // differs by the second, as does the date
		r.Header.Set("Date", "")
	}
	if !reflect.DeepEqual(young.Header, cut.Header) {
		t.Errorf("%v and %v", young.Header, cut.Header)
	}
}

// TestVerdictsByAccountSystem: accounts that are no keys here are the account
// system's to name.
func TestVerdictsByAccountSystem(t *testing.T) {
	answer, status := "alice", 200
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Issuer, Credential, Key string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Issuer != "localhost" || q.Credential != "Y3JlZGVudGlhbA==" || q.Key != public(stranger) || r.Header.Get("Webhook-Signature") == "" {
			t.Errorf("asked %+v, %v", q, err)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"account": answer})
	}))
	defer system.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, bytes.Repeat([]byte("x"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	h := verdictHost(t, func(c *Config) {
		c.Attesters.Webhook = &Webhook{URL: system.URL, Secret: secret}
		c.Verdicts.Accounts = &Accounts{URL: system.URL, Secret: secret}
	})
	if err := h.TakeVerdict(t.Context(), sign(t, verdictOn(stranger, 1), service)); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, h, "applied"); n != 1 {
		t.Errorf("applied %v", n)
	}
	if err := h.TakeVerdict(t.Context(), sign(t, verdictOn(spammer, 2), service)); err != nil { // is a key here
		t.Fatal(err)
	}
	status = 404
	if err := h.TakeVerdict(t.Context(), sign(t, verdictOn(stranger, 3), service)); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, h, "unknown"); n != 1 {
		t.Errorf("unknown %v", n)
	}
	status = 500
	if w := post(h, sign(t, verdictOn(stranger, 4), service)); w.Code != 503 {
		t.Errorf("the account system is away: %d", w.Code)
	}
}

func TestVerdictConfig(t *testing.T) {
	for name, v := range map[string]Verdicts{
		"no key":         {Keys: []string{"x"}},
		"short key":      {Keys: []string{"AAAA"}},
		"weight":         {Weights: map[string]Penalty{"heavy": {Percent: 1, Hold: 1, Epochs: 1}}},
		"percent":        {Weights: map[string]Penalty{"low": {Percent: 101, Hold: 1, Epochs: 1}}},
		"hold":           {Weights: map[string]Penalty{"low": {Percent: 10, Hold: 2, Epochs: 1}}},
		"repeat":         {Repeat: &Repeat{Most: 101}},
		"account system": {Accounts: &Accounts{URL: "https://accounts.example", Secret: "x"}},
		"other scheme":   {Accounts: &Accounts{URL: "https://accounts.example", Secret: "x", Scheme: "Invite"}},
		"plain":          {Accounts: &Accounts{URL: "http://accounts.example", Secret: "x", Scheme: "Bearer"}},
	} {
		c := Default()
		c.Verdicts = v
		if err := c.Validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	c := Default()
	c.Attesters.OIDC = &OIDC{}
	c.Verdicts = Verdicts{Keys: []string{public(service)}, Weights: map[string]Penalty{"low": {Percent: 10, Hold: 1, Epochs: 1}},
		Accounts: &Accounts{URL: "https://accounts.example", Secret: "x", Scheme: "Bearer"}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	p, err := c.Verdicts.penalties()
	if err != nil || p.Weights[attester.Low] != (attester.Penalty{Percent: 10, Hold: 1, Epochs: 1}) || p.Weights[attester.Severe].Percent != 100 {
		t.Errorf("%+v, %v", p, err)
	}
}
