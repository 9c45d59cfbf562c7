package moderation_test

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var hookSecret = secret.New([]byte("0123456789abcdef"))

// system is an operator's system that answers by the accused's key.
type system struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	answer map[string]string // by the last octets of the group
	asked  map[string]int
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !hmac.Equal([]byte(r.Header.Get(webhook.SignatureHeader)), []byte(webhook.Sign(hookSecret, noon, body))) {
		s.t.Errorf("%q, %v", r.Header, err)
	}
	var shown moderation.Shown
	if err := json.Unmarshal(body, &shown); err != nil || shown.Report == nil || shown.Report.Messages[0].Text != "buy my pills" || shown.Report.Accused.Name != "spammer@provider.example" {
		s.t.Errorf("asked %s, %v", body, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[shown.Report.Group[:4]]++
	answer := s.answer[shown.Report.Group[:4]]
	if answer == "" {
		w.WriteHeader(http.StatusInternalServerError)
	}
	io.WriteString(w, answer)
}

func newHook(t *testing.T, r *rig, answers map[string]string) (*moderation.Hook, *system) {
	s := &system{t: t, answer: answers, asked: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s.hook(r), s
}

// hook returns one that asks the system about the cases of a docket.
func (s *system) hook(r *rig) *moderation.Hook {
	h, err := moderation.NewHook(r.Docket, moderation.HookConfig{URL: s.url, Secret: hookSecret, Keys: []*seal.PrivateKey{r.key}})
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func TestHook(t *testing.T) {
	r := newRig(t, nil)
	h, s := newHook(t, r, map[string]string{"0101": `{"decision": "uphold", "weight": "normal", "by": "a rule"}`, "0102": `{"decision": "dismiss"}`, "0103": `{"decision": "later"}`})
	for n := range byte(3) {
		r.take(n + 1)
	}
	for range 3 {
		if err := h.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.want(moderation.WasUpheld, 1)
	r.want(moderation.WasDismissed, 1)
	if s.asked["0103"] != 1 || s.asked["0101"] != 1 {
		t.Errorf("asked %v", s.asked)
	}
	if _, o := r.only(); o.ID != report(3).ID {
		t.Error("another is left")
	}
	for _, bad := range []string{"", "{}", `{"decision": "uphold"}`, `{"decision": "uphold", "weight": "heavy"}`, `{"decision": "Dismiss"}`, `["dismiss"]`, string(make([]byte, 20<<10))} {
		s.mu.Lock()
		s.answer["0103"] = bad
		s.mu.Unlock()
		other, _ := newHook(t, r, s.answer)
		if err := other.Round(t.Context()); err == nil {
			t.Errorf("took %.30q", bad)
		}
		r.only()
	}
}

// TestHookHoldsUpNobody: a case that the system cannot answer comes after the others.
func TestHookHoldsUpNobody(t *testing.T) {
	r := newRig(t, nil)
	h, s := newHook(t, r, map[string]string{})
	for n := range byte(8) {
		r.take(n)
		if n != 3 {
			s.answer[fmt.Sprintf("01%02x", n)] = `{"decision": "dismiss"}`
		}
	}
	failures := 0
	for range 3 {
		if h.Round(t.Context()) != nil {
			failures++
		}
	}
	r.want(moderation.WasDismissed, 7)
	if failures != 1 {
		t.Errorf("%d failures", failures)
	}
}

// TestHookRuns: a new case is asked about without delay, and a system that is away
// is left alone for longer each time.
func TestHookRuns(t *testing.T) {
	r := newRig(t, nil)
	h, _ := newHook(t, r, map[string]string{"0101": `{"decision": "dismiss"}`})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	failed := make(chan error, 100)
	wg.Go(func() { h.Run(ctx, func(err error) { failed <- err }) })
	r.take(1)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n, err := r.Waiting(ctx); err != nil || n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nobody decided")
		}
	}
	r.take(2)
	select {
	case <-failed:
	case <-time.After(20 * time.Second):
		t.Fatal("no failure was reported")
	}
}

func TestHookConfig(t *testing.T) {
	r := newRig(t, nil)
	other, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]moderation.HookConfig{
		"no TLS":       {URL: "http://192.0.2.1", Secret: hookSecret, Keys: []*seal.PrivateKey{r.key}},
		"short secret": {URL: "https://moderation.example", Secret: secret.New(make([]byte, 15)), Keys: []*seal.PrivateKey{r.key}},
		"no key":       {URL: "https://moderation.example", Secret: hookSecret},
	} {
		if _, err := moderation.NewHook(r.Docket, c); !errors.Is(err, moderation.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Cases that are sealed to another key are left to people.
	r.take(1)
	h, err := moderation.NewHook(r.Docket, moderation.HookConfig{URL: "https://moderation.example", Secret: hookSecret, Keys: []*seal.PrivateKey{other}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.only()
}
