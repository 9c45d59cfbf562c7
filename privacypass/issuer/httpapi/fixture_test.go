package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

const (
	name = "issuer.example"
	day  = 24 * time.Hour
)

var noon = time.Unix(1728043200, 0)

// slow holds requests of the account of that name.
var slow = make(chan struct{})

// trust is an attester that believes what it is told, unless that is the name of
// an error.
type trust struct{}

func (trust) Scheme() string { return "Trust" }

func (trust) Attest(_ context.Context, r *attester.Request) (attester.Identity, error) {
	who, err := attester.Token68(r.Authorization, "Trust")
	switch {
	case err != nil:
		return attester.Identity{}, err
	case who == "refused":
		return attester.Identity{}, attester.ErrRefused
	case who == "unavailable":
		return attester.Identity{}, attester.ErrUnavailable
	case who == "slow":
		<-slow
	case who == "once":
		return attester.Identity{Subject: who, Once: r.Now.Add(time.Hour)}, nil
	}
	return attester.Identity{Subject: who}, nil
}

// fixture is an issuer under test with its clock.
type fixture struct {
	*Handler
	ring     *keyring.Ring
	registry *prometheus.Registry
	log      *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// sleep lets time pass and the ring do what is due.
func (f *fixture) sleep(t testing.TB, d time.Duration) {
	t.Helper()
	f.mu.Lock()
	f.now = f.now.Add(d)
	f.mu.Unlock()
	if err := f.ring.Advance(f.clock()); err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(); err != nil {
		t.Fatal(err)
	}
}

var allTypes = []privacypass.TokenType{privacypass.VOPRFRistretto255, privacypass.BlindRSA, privacypass.VOPRFP384}

func newFixture(t testing.TB, store attester.Store, types ...privacypass.TokenType) *fixture {
	t.Helper()
	f := &fixture{registry: prometheus.NewRegistry(), log: new(bytes.Buffer), now: noon}
	classes := []Class{{"default", types}, {"create", types[:1]}}
	var slots []keyring.Slot
	for _, c := range classes {
		for _, tt := range c.Types {
			slots = append(slots, keyring.Slot{Class: c.Name, Type: tt})
		}
	}
	var err error
	f.ring, err = keyring.Open(keyring.Config{
		Dir: filepath.Join(t.TempDir(), "keys"), Slots: slots, Rand: rand.Reader,
		Schedule: keyring.Schedule{Period: 30 * day, Overlap: 7 * day, Lead: 2 * day},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ring.Advance(noon); err != nil {
		t.Fatal(err)
	}
	policy := attester.Policy{Tokens: 100, BatchSizes: []int{1, 2, 5, 100}}
	allowances, err := attester.NewAllowances(store, attester.NewNames(secret.New(make([]byte, 32))), day,
		map[string]attester.Policy{"default": policy, "create": policy})
	if err != nil {
		t.Fatal(err)
	}
	f.Handler, err = New(Config{
		Name: name, Classes: classes, Keys: f.ring, Allowances: allowances,
		Attesters: []attester.Attester{trust{}, attester.NewInvites(secret.New(make([]byte, 32)))},
		Parallel:  2, // of which TestCopiesRace needs the queue, however many processors there are
		Clock:     f.clock, Rand: rand.Reader, Registerer: f.registry,
		Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) do(method, path string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func (f *fixture) get(path string, header ...string) *httptest.ResponseRecorder {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return f.do("GET", path, h, nil)
}

// directory fetches the directory of a class.
func (f *fixture) directory(t testing.TB, class string) *privacypass.Directory {
	t.Helper()
	d, err := privacypass.ParseDirectory(f.get("/" + class + privacypass.DirectoryPath).Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// want asks for a token of the preferred key of a type.
func (f *fixture) want(t testing.TB, class string, tt privacypass.TokenType) client.Want {
	t.Helper()
	for _, k := range f.directory(t, class).Keys {
		if k.TokenType == tt {
			return wantOf(t, k)
		}
	}
	t.Fatalf("no key of type %v", tt)
	return client.Want{}
}

func wantOf(t testing.TB, k privacypass.DirectoryKey) client.Want {
	t.Helper()
	key, err := client.ParsePublicKey(k.TokenType, k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return client.Want{Key: key, Challenge: &privacypass.TokenChallenge{TokenType: k.TokenType, IssuerName: name}}
}

func pending(t testing.TB) func(*client.Pending, error) *client.Pending {
	return func(p *client.Pending, err error) *client.Pending {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// post sends a request on behalf of an account.
func (f *fixture) post(who string, p *client.Pending) *httptest.ResponseRecorder {
	return f.send("/default", "Trust "+who, p.Kind().RequestMediaType(), p.Request())
}

func (f *fixture) send(class, authorization, mediaType string, body []byte) *httptest.ResponseRecorder {
	h := http.Header{"Content-Type": {mediaType}}
	if authorization != "" {
		h.Set("Authorization", authorization)
	}
	return f.do("POST", class+"/token-request", h, bytes.NewReader(body))
}

func status(t testing.TB, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("status %d (%s), want %d", w.Code, strings.TrimSpace(w.Body.String()), want)
	}
}
