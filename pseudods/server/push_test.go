package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// pushes is a gateway that keeps what comes, and answers with what fail says.
type pushes struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	fail   func(n int) int // status of the n-th request, 0 for one that is taken
	signed bool
}

func newPushes(t *testing.T, key string, fail func(int) int) *pushes {
	p := &pushes{fail: fail, signed: true}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		header := r.Header.Get(webhook.SignatureHeader)
		at, _, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",")
		seconds, err := strconv.ParseInt(at, 10, 64)
		p.signed = p.signed && err == nil && header == webhook.Sign(secret.New([]byte(key)), time.Unix(seconds, 0), body)
		p.bodies = append(p.bodies, string(body))
		if status := p.fail(len(p.bodies)); status != 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pushes) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bodies
}

func secretFile(t *testing.T, content string) string {
	name := filepath.Join(t.TempDir(), "push.secret")
	if err := os.WriteFile(name, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestPush: a delivery that nobody waits for wakes the owner's device, once until
// it reads.
func TestPush(t *testing.T) {
	p := newPushes(t, "shared", func(int) int { return 0 })
	c := config(t)
	cheap(&c)
	c.Push = &PushConfig{URL: p.URL, Secret: secretFile(t, "shared")}
	s, _ := start(t, c)
	alice := newUser(t, s.URL(DS)).newOwner(wire.QueueSettings{Push: []byte("device 1")})
	m := alice.join("localhost")
	deliver := func(n uint64) {
		if _, err := s.qs.service.Deliver(t.Context(), "localhost", messageTo([]byte("x"), n, m)); err != nil {
			t.Fatal(err)
		}
	}
	deliver(1)
	deliver(2)
	for len(p.got()) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	alice.receive(alice.read(0))
	deliver(3)
	for len(p.got()) < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	if got := p.got(); len(got) != 2 || got[0] != "device 1" || !p.signed {
		t.Errorf("the gateway got %q, signed %v", got, p.signed)
	}
}

func TestPushFails(t *testing.T) {
	p := newPushes(t, "shared", func(n int) int { return []int{0, 500, 307, 0, 500, 500}[n] })
	var mu sync.Mutex
	counts := map[string]int{}
	g, err := newGateway(&PushConfig{URL: p.URL, Secret: secretFile(t, "shared"), Queue: 2, Parallel: 1}, newHTTPClient(), func(outcome string) {
		mu.Lock()
		defer mu.Unlock()
		counts[outcome]++
	})
	if err != nil {
		t.Fatal(err)
	}
	g.pause = time.Millisecond
	for range 5 {
		// Three too many: nobody sends yet.
		g.Notify([]byte("device"), func() {
			mu.Lock()
			defer mu.Unlock()
			counts["lost"]++
		})
	}
	done := make(chan struct{})
	go func() { g.run(t.Context()); close(done) }()
	for end := time.Now().Add(20 * time.Second); len(p.got()) < 5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the gateway was asked %d times", len(p.got()))
		}
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		ok := counts["dropped"] == 3 && counts["sent"] == 1 && counts["failed"] == 1 && counts["lost"] == 4
		mu.Unlock()
		if ok {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("counted %v", counts)
		}
	}
}

// TestPushRetriesKeepNoWorker: targets that the gateway does not take hold up no
// others while they wait for their next attempts.
func TestPushRetriesKeepNoWorker(t *testing.T) {
	got := make(chan string, 8)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "device" {
			w.WriteHeader(http.StatusBadGateway)
		}
		got <- string(body)
	}))
	defer gateway.Close()
	g, err := newGateway(&PushConfig{URL: gateway.URL, Secret: secretFile(t, "shared"), Queue: 4, Parallel: 1}, newHTTPClient(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	g.pause = time.Hour
	for _, target := range []string{"nowhere", "nowhere", "device"} {
		g.Notify([]byte(target), func() {})
	}
	go g.run(t.Context())
	for _, want := range []string{"nowhere", "nowhere", "device"} {
		select {
		case body := <-got:
			if body != want {
				t.Errorf("pushed to %s, want %s", body, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing was pushed to %s", want)
		}
	}
}

func TestPushConfig(t *testing.T) {
	for name, c := range map[string]PushConfig{
		"no URL":       {Secret: "x"},
		"plain":        {URL: "http://push.example", Secret: "x"},
		"no secret":    {URL: "https://push.example"},
		"negative":     {URL: "https://push.example", Secret: "x", Queue: -1},
		"with a query": {URL: "https://push.example/?a=b", Secret: "x"},
	} {
		if c.validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	name := secretFile(t, "x")
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := newGateway(&PushConfig{URL: "https://push.example", Secret: name}, nil, nil); err == nil {
		t.Error("a secret that all can read is taken")
	}
}
