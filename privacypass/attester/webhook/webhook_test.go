package webhook_test

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
)

var (
	key  = secret.New([]byte("0123456789abcdef"))
	noon = time.Unix(1728043200, 0)
)

func request(credential string) *attester.Request {
	return &attester.Request{
		Authorization: webhook.Authorization(credential), Issuer: "issuer.example", Class: "send", Tokens: 32, Now: noon,
	}
}

func newAttester(t *testing.T, h http.HandlerFunc) *webhook.Attester {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	a, err := webhook.New(webhook.Config{URL: s.URL, Secret: key})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAttest(t *testing.T) {
	a := newAttester(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || !hmac.Equal([]byte(r.Header.Get(webhook.SignatureHeader)), []byte(webhook.Sign(key, noon, body))) {
			t.Errorf("%s with %q, %v", r.Method, r.Header, err)
		}
		var q map[string]any
		if err := json.Unmarshal(body, &q); err != nil || q["issuer"] != "issuer.example" || q["class"] != "send" || q["tokens"] != 32.0 {
			t.Errorf("asked %s, %v", body, err)
		}
		io.WriteString(w, `{"account": "account of `+q["credential"].(string)+`", "more": 1}`)
	})
	id, err := a.Attest(context.Background(), request("alice"))
	if err != nil || id != (attester.Identity{Subject: "account of alice"}) {
		t.Fatalf("%+v, %v", id, err)
	}
	for _, bad := range []string{"", "a b", `"x"`} {
		if _, err := a.Attest(context.Background(), request(bad)); !errors.Is(err, attester.ErrMalformed) {
			t.Errorf("credential %q: %v", bad, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   error
	}{
		{401, "", attester.ErrRefused}, {403, "", attester.ErrRefused}, {404, "", attester.ErrRefused},
		{500, "", attester.ErrUnavailable}, {204, "", attester.ErrUnavailable}, {429, "", attester.ErrUnavailable},
		{302, "", attester.ErrUnavailable},
		{200, "", attester.ErrUnavailable}, {200, "{}", attester.ErrUnavailable}, {200, `{"account": 7}`, attester.ErrUnavailable},
		{200, `{"account": ""}`, attester.ErrUnavailable}, {200, `{"account": "a"} x`, attester.ErrUnavailable},
		{200, `{"account": "` + strings.Repeat("a", 1025) + `"}`, attester.ErrUnavailable},
		{200, `{"account": "a"}` + strings.Repeat(" ", 16<<10), attester.ErrUnavailable},
	} {
		a := newAttester(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tc.status)
			io.WriteString(w, tc.body)
		})
		if id, err := a.Attest(context.Background(), request("alice")); !errors.Is(err, tc.want) || id.Subject != "" {
			t.Errorf("%d %.40q: %+v, %v", tc.status, tc.body, id, err)
		}
	}
	s := httptest.NewServer(nil)
	s.Close()
	a, err := webhook.New(webhook.Config{URL: s.URL, Secret: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Attest(context.Background(), request("alice")); !errors.Is(err, attester.ErrUnavailable) || strings.Contains(err.Error(), s.URL) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestTurns checks that no more requests than configured are under way at once.
func TestTurns(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		io.WriteString(w, `{"account": "a"}`)
	}))
	defer s.Close()
	a, err := webhook.New(webhook.Config{URL: s.URL, Secret: key, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error)
	go func() {
		_, err := a.Attest(context.Background(), request("alice"))
		first <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Attest(ctx, request("bob")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second request: %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]webhook.Config{
		"plain":    {URL: "http://accounts.example/", Secret: key},
		"no URL":   {Secret: key},
		"short":    {URL: "https://accounts.example/", Secret: secret.New([]byte("0123456789abcde"))},
		"negative": {URL: "https://accounts.example/", Secret: key, Parallel: -1},
	} {
		if _, err := webhook.New(c); !errors.Is(err, webhook.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
