package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// echo answers with the request's own body, or refuses with err.
type echo struct {
	err   *wire.Error
	calls int
}

func (e *echo) Handle(_ context.Context, request []byte) []byte {
	e.calls++
	r, err := wire.ParseRequest(request, len(request))
	if err != nil {
		panic(err)
	}
	b, err := mls.Marshal(&wire.Response{Body: r.Body, Err: e.err})
	if err != nil {
		panic(err)
	}
	return b
}

func encoded(t testing.TB, o wire.Operation, body []byte) []byte {
	t.Helper()
	b, err := mls.Marshal(&wire.Request{RecipientDomain: "ds.example", Operation: o, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func serve(t *testing.T, cfg Config) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewServer(NewHandler(cfg))
	t.Cleanup(s.Close)
	c, err := NewClient(s.URL, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestEveryOperationReachesItsRole(t *testing.T) {
	ds, qs := new(echo), new(echo)
	_, c := serve(t, Config{DS: ds, QS: qs})
	for o := wire.Operation(1); o < 0x200; o++ {
		before := [2]int{ds.calls, qs.calls}
		if PathOf(o) == "" {
			if o.IsGroup() || o.IsQueue() {
				t.Errorf("operation %#x has no path", uint16(o))
			}
			continue
		}
		body, err := c.Do(t.Context(), o, encoded(t, o, []byte{byte(o)}))
		if err != nil || !bytes.Equal(body, []byte{byte(o)}) {
			t.Errorf("operation %#x: %x, %v", uint16(o), body, err)
		}
		if gotDS, gotQS := ds.calls-before[0], qs.calls-before[1]; gotDS+gotQS != 1 || (gotQS == 1) != o.IsQueue() {
			t.Errorf("operation %#x went to the DS %d times, to the QS %d times", uint16(o), gotDS, gotQS)
		}
	}
	if ds.calls == 0 || qs.calls == 0 {
		t.Error("a role was never asked")
	}
}

func TestRefusalsCarryTheirStatus(t *testing.T) {
	ds := new(echo)
	var observed []wire.Code
	s, c := serve(t, Config{DS: ds, Observe: func(o Observation) {
		if o.Path != PathGroupOperation || o.Role != "ds" || o.Took < 0 {
			t.Errorf("observed %+v", o)
		}
		observed = append(observed, o.Code)
	}})
	for code := wire.CodeInternal; code <= wire.CodeFull; code++ {
		ds.err = &wire.Error{Code: code, Epoch: 7, RetryAfter: 9, Challenges: []string{`PrivateToken challenge="AA=="`, `PrivateToken challenge="AQ=="`}}
		if code != wire.CodeTokenRequired {
			ds.err.Challenges = nil
		}
		request := encoded(t, wire.OpUpdate, nil)
		if _, err := c.Do(t.Context(), wire.OpUpdate, request); !errors.Is(err, &wire.Error{Code: code}) {
			t.Errorf("code %d arrives as %v", code, err)
		}
		res, err := http.Post(s.URL+PathGroupOperation, MediaType, bytes.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != StatusOf(code) || res.StatusCode < 400 {
			t.Errorf("code %d has status %d, want %d", code, res.StatusCode, StatusOf(code))
		}
		if got := len(res.Header.Values("WWW-Authenticate")); got != len(ds.err.Challenges) {
			t.Errorf("code %d: %d challenges in the header", code, got)
		}
		if got := res.Header.Get("Retry-After"); (got == "9") != (code == wire.CodeRateLimited) {
			t.Errorf("code %d: Retry-After %q", code, got)
		}
	}
	if len(observed) != 2*int(wire.CodeFull) {
		t.Errorf("%d requests observed", len(observed))
	}
}

func TestRefusedBeforeTheService(t *testing.T) {
	ds := new(echo)
	s, _ := serve(t, Config{DS: ds, MaxRequest: 1024})
	version := encoded(t, wire.OpUpdate, nil)
	version[1] = 9
	for name, tc := range map[string]struct {
		method, path, mediaType string
		body                    []byte
		status                  int
	}{
		"GET":             {"GET", PathGroupOperation, MediaType, nil, http.StatusMethodNotAllowed},
		"unknown path":    {"POST", "/other", MediaType, encoded(t, wire.OpUpdate, nil), http.StatusNotFound},
		"media type":      {"POST", PathGroupOperation, "text/plain", encoded(t, wire.OpUpdate, nil), http.StatusBadRequest},
		"no media type":   {"POST", PathGroupOperation, "", encoded(t, wire.OpUpdate, nil), http.StatusBadRequest},
		"empty":           {"POST", PathGroupOperation, MediaType, nil, http.StatusBadRequest},
		"truncated":       {"POST", PathGroupOperation, MediaType, encoded(t, wire.OpUpdate, nil)[:9], http.StatusBadRequest},
		"trailing octet":  {"POST", PathGroupOperation, MediaType, append(encoded(t, wire.OpUpdate, nil), 0), http.StatusBadRequest},
		"other version":   {"POST", PathGroupOperation, MediaType, version, http.StatusBadRequest},
		"too large":       {"POST", PathGroupOperation, MediaType, encoded(t, wire.OpUpdate, make([]byte, 2000)), http.StatusRequestEntityTooLarge},
		"other path":      {"POST", PathWelcomeInfo, MediaType, encoded(t, wire.OpUpdate, nil), http.StatusBadRequest},
		"role not served": {"POST", PathQueueOperation, MediaType, encoded(t, wire.OpCreateQueue, nil), http.StatusForbidden},
		"no such number":  {"POST", PathGroupOperation, MediaType, encoded(t, 0x0fff, nil), http.StatusBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, s.URL+tc.path, bytes.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if tc.mediaType != "" {
			req.Header.Set("Content-Type", tc.mediaType)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != tc.status {
			t.Errorf("%s: status %d, %v; want %d", name, res.StatusCode, err, tc.status)
		}
		var r wire.Response
		if res.Header.Get("Content-Type") == MediaType && (mls.Unmarshal(body, &r) != nil || r.Err == nil) {
			t.Errorf("%s: body is not a refusal", name)
		}
	}
	if ds.calls != 0 {
		t.Errorf("the service was asked %d times", ds.calls)
	}
}

func TestClientTellsNoAnswerFromRefusal(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a page":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>bad gateway</html>") },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			w.Write([]byte{0, 1})
		},
	} {
		s := httptest.NewServer(h)
		c, err := NewClient(s.URL, s.Client())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), wire.OpUpdate, encoded(t, wire.OpUpdate, nil)); !errors.Is(err, ErrTransport) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		if _, err := c.Do(t.Context(), wire.OpUpdate, encoded(t, wire.OpUpdate, nil)); !errors.Is(err, ErrTransport) {
			t.Errorf("closed server: %v", err)
		}
	}
	for _, base := range []string{"", "ds.example", "ftp://ds.example", "https://", "https://ds.example/?q=1"} {
		if _, err := NewClient(base, nil); err == nil {
			t.Errorf("%q is taken for a URL", base)
		}
	}
}

func TestProviderDocument(t *testing.T) {
	p := &Provider{Domain: "example.org", DS: "https://ds.example.org", Profiles: []string{"pseudonymous"},
		Versions: []wire.Version{wire.Version1}, Prices: &tokens.PriceList{
			Classes: map[tokens.Class]tokens.Terms{tokens.Send: {Issuer: "issuer.example", TokenType: privacypass.VOPRFRistretto255}},
			Prices:  map[string]tokens.Price{"propose": {Class: tokens.Send, Count: 2}},
		}, Scope: make([]byte, 32), Limits: Limits{MaxMembers: 1000}, Keys: [][]byte{make([]byte, 32)}}
	s, _ := serve(t, Config{Provider: func() *Provider { return p }})
	res, err := http.Get(s.URL + PathProvider)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %q", err, res.Header.Get("Content-Type"))
	}
	got, err := ParseProvider(b)
	if err != nil || got.Domain != p.Domain || got.Limits != p.Limits || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := ParseProvider(b[:n]); !errors.Is(err, ErrProvider) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	for name, doc := range map[string][]byte{"no domain": []byte(`{"ds":"x"}`),
		"key": []byte(`{"domain":"x","keys":["AA=="]}`), "scope": []byte(`{"domain":"x","scope":"AA=="}`), "prices": []byte(`{"domain":"x","prices":{"classes":{},"prices":{},"x":1}}`),
		"trailing": append(b, '{'), "too long": make([]byte, maxProvider+1), "not JSON": []byte("domain")} {
		if _, err := ParseProvider(doc); !errors.Is(err, ErrProvider) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, _ = serve(t, Config{Provider: func() *Provider { return new(Provider) }})
	if res, err := http.Get(s.URL + PathProvider); err != nil || res.StatusCode != http.StatusInternalServerError {
		t.Errorf("document without a domain: %v, %v", res, err)
	}
}

// FuzzServe: no body makes the handler fail in another way than by a response.
func FuzzServe(f *testing.F) {
	h := NewHandler(Config{DS: new(echo), QS: new(echo), MaxRequest: 4096})
	f.Add(PathGroupOperation, encoded(f, wire.OpUpdate, []byte("body")))
	f.Add(PathQueueRead, encoded(f, wire.OpReadQueue, nil))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, PathGroupOperation, bytes.NewReader(body))
		r.URL.Path = path
		r.Header.Set("Content-Type", MediaType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var res wire.Response
		if w.Header().Get("Content-Type") == MediaType && mls.Unmarshal(w.Body.Bytes(), &res) != nil {
			t.Errorf("%q: not a response: %x", path, w.Body.Bytes())
		}
	})
}

// FuzzParseProvider: what parses has an encoding that parses.
func FuzzParseProvider(f *testing.F) {
	f.Add([]byte(`{"domain":"example.org","prices":{"classes":{"send":{"issuer":"x","token-type":5}},"prices":{"propose":{"class":"send","count":1}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProvider(b)
		if err != nil {
			return
		}
		out, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseProvider(out); err != nil && len(out) <= maxProvider {
			t.Fatal(err)
		}
	})
}
