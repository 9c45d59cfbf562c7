package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pseudods/pseudods/privacypass/attester"
)

var noon = time.Unix(1728043200, 0)

const provider = "https://accounts.example"

type key struct {
	id      string
	private *ecdsa.PrivateKey
}

func newKey(t testing.TB, id string) key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key{id, k}
}

func (k key) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keySet(t testing.TB, keys ...key) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.id, Algorithm: "ES256", Use: "sig"})
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func claims(change ...any) map[string]any {
	c := map[string]any{"iss": provider, "aud": "ppissuer", "sub": "alice", "exp": noon.Unix() + 60, "iat": noon.Unix()}
	for i := 0; i < len(change); i += 2 {
		if c[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

func attest(a *Attester, token string) (attester.Identity, error) {
	return a.Attest(context.Background(), &attester.Request{Authorization: Authorization(token), Now: noon})
}

func TestTokens(t *testing.T) {
	k, other := newKey(t, "1"), newKey(t, "1")
	a, err := New(Config{Issuer: provider, Audience: "ppissuer", KeySet: keySet(t, k)})
	if err != nil {
		t.Fatal(err)
	}
	good := k.token(t, claims())
	if id, err := attest(a, good); err != nil || id != (attester.Identity{Subject: "alice"}) {
		t.Fatalf("%+v, %v", id, err)
	}
	if _, err := attest(a, k.token(t, claims("aud", []string{"x", "ppissuer"}))); err != nil {
		t.Errorf("one of two audiences: %v", err)
	}
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"another key":      other.token(t, claims()),
		"another issuer":   k.token(t, claims("iss", "https://other.example")),
		"another audience": k.token(t, claims("aud", "other")),
		"expired":          k.token(t, claims("exp", noon.Unix()-1)),
		"no expiry":        k.token(t, claims("exp", nil)),
		"not yet":          k.token(t, claims("nbf", noon.Unix()+3600)),
		"no subject":       k.token(t, claims("sub", nil)),
		"no signature":     parts[0] + "." + parts[1] + ".",
		"unsigned":         "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"not a token":      "x",
	} {
		id, err := attest(a, token)
		if !errors.Is(err, attester.ErrRefused) || id.Subject != "" {
			t.Errorf("%s: %+v, %v", name, id, err)
		} else if strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "example") {
			t.Errorf("%s: the error quotes claims: %v", name, err)
		}
	}
	if _, err := attest(a, ""); !errors.Is(err, attester.ErrMalformed) {
		t.Errorf("no token: %v", err)
	}
	narrow, err := New(Config{Issuer: provider, Audience: "ppissuer", KeySet: keySet(t, k), Algorithms: []string{"RS256"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attest(narrow, good); !errors.Is(err, attester.ErrRefused) {
		t.Errorf("an algorithm that is not allowed: %v", err)
	}
}

// TestRemote rotates a provider's key, takes the provider away, and counts how
// often it is asked while tokens of unknown keys pour in.
func TestRemote(t *testing.T) {
	k1, k2, unknown := newKey(t, "1"), newKey(t, "2"), newKey(t, "3")
	var fetches atomic.Int64
	var published atomic.Pointer[[]byte]
	publish := func(b []byte) { published.Store(&b) }
	publish(nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		if b := *published.Load(); b != nil {
			w.Write(b)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer s.Close()
	a, err := New(Config{Issuer: provider, Audience: "ppissuer", KeysURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	now := noon
	later := func() { mu.Lock(); now = now.Add(fetchInterval); mu.Unlock() }
	a.keys.(*remote).gate.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }

	// A fetch that has just ended may still answer the next call, so that what
	// changes is waited for.
	eventually := func(k key, want error) {
		t.Helper()
		var err error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if _, err = attest(a, k.token(t, claims())); errors.Is(err, want) {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("got %v, want %v", err, want)
	}
	for range 2 {
		if _, err := attest(a, k1.token(t, claims())); !errors.Is(err, attester.ErrUnavailable) {
			t.Fatalf("provider down: %v", err)
		}
	}
	publish(keySet(t, k1))
	later()
	eventually(k1, nil)
	publish(keySet(t, k1, k2))
	later()
	eventually(k1, nil)
	eventually(k2, nil)
	before := fetches.Load()
	for range 20 {
		if _, err := attest(a, unknown.token(t, claims())); !errors.Is(err, attester.ErrRefused) {
			t.Fatalf("unknown key: %v", err)
		}
	}
	if n := fetches.Load() - before; n > 1 {
		t.Errorf("%d fetches for 20 tokens of an unknown key", n)
	}
	publish(nil)
	later()
	eventually(unknown, attester.ErrUnavailable)
	if _, err := attest(a, k2.token(t, claims())); err != nil {
		t.Errorf("known key, provider down: %v", err)
	}
}

func TestConfig(t *testing.T) {
	set := keySet(t, newKey(t, "1"))
	private, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: newKey(t, "1").private}}})
	for name, c := range map[string]Config{
		"no issuer":      {Audience: "a", KeySet: set},
		"no audience":    {Issuer: "i", KeySet: set},
		"no keys":        {Issuer: "i", Audience: "a"},
		"two key sets":   {Issuer: "i", Audience: "a", KeySet: set, KeysURL: "https://x.example/"},
		"plain":          {Issuer: "i", Audience: "a", KeysURL: "http://x.example/"},
		"symmetric":      {Issuer: "i", Audience: "a", KeySet: set, Algorithms: []string{"HS256"}},
		"none":           {Issuer: "i", Audience: "a", KeySet: set, Algorithms: []string{"none"}},
		"not a set":      {Issuer: "i", Audience: "a", KeySet: []byte("{")},
		"empty set":      {Issuer: "i", Audience: "a", KeySet: []byte(`{"keys":[]}`)},
		"private key":    {Issuer: "i", Audience: "a", KeySet: private},
		"symmetric keys": {Issuer: "i", Audience: "a", KeySet: []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAttest(f *testing.F) {
	k := newKey(f, "1")
	a, err := New(Config{Issuer: provider, Audience: "ppissuer", KeySet: keySet(f, k)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.token(f, claims("exp", 1)))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := attest(a, token)
		if !errors.Is(err, attester.ErrMalformed) && !errors.Is(err, attester.ErrRefused) {
			t.Errorf("%q: %+v, %v", token, id, err)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(keySet(f, newKey(f, "1")))
	f.Add([]byte(`{"keys":[{"kty":"RSA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := parseKeySet(b)
		if err != nil && !errors.Is(err, ErrConfig) || err == nil && len(set.PublicKeys) == 0 {
			t.Errorf("%q: %v", b, err)
		}
	})
}
