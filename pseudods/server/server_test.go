package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/storage/badger"
)

// config is a server in a directory of its own, on ports of its own.
func config(t testing.TB) Config {
	return Config{Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", MinFree: 1}
}

// start runs a server until the test ends, or stop drains it.
func start(t testing.TB, c Config) (s *Server, stop func()) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// get fetches a page.
func get(t testing.TB, url string) (int, []byte) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b
}

// provider fetches the provider document.
func provider(t testing.TB, url string) *httpapi.Provider {
	t.Helper()
	_, b := get(t, url+httpapi.PathProvider)
	p, err := httpapi.ParseProvider(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestServersShareAProcess(t *testing.T) {
	a, _ := start(t, config(t))
	b, stop := start(t, config(t))
	pa, pb := provider(t, a.URL(DS)), provider(t, b.URL(DS))
	if pa.DS == pb.DS || string(pa.Keys[0]) == string(pb.Keys[0]) {
		t.Error("two servers are one")
	}
	if status, body := get(t, a.Running().Admin+"/readyz"); status != http.StatusOK {
		t.Errorf("not ready: %d %s", status, body)
	}
	stop()
	if err := b.Run(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("a server runs twice: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	provider(t, a.URL(DS)) // goes on
}

// TestRestart keeps keys and stores.
func TestRestart(t *testing.T) {
	c := config(t)
	s, stop := start(t, c)
	first := provider(t, s.URL(DS))
	stop()
	s, _ = start(t, c)
	if again := provider(t, s.URL(DS)); string(first.Keys[0]) != string(again.Keys[0]) {
		t.Error("a restart makes another signature key")
	}
}

// TestClosedBeforeRun releases everything.
func TestClosedBeforeRun(t *testing.T) {
	c := config(t)
	for range 2 {
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed server runs: %v", err)
		}
	}
}

// TestOpenFails: whatever cannot be opened gives an error, and everything that was
// opened before it is closed.
func TestOpenFails(t *testing.T) {
	c := config(t)
	must(New(c)).Close()
	for _, name := range []string{"issuer/allowances", "qs/queues", "qs/spent", "ds/groups", "ds/spent"} {
		other := t.TempDir()
		dir := filepath.Join(c.Data, filepath.FromSlash(name))
		if err := os.Rename(dir, filepath.Join(other, "store")); err != nil {
			t.Fatal(err)
		}
		// A store of an unknown version.
		db, err := badger.Open(badger.Config{Dir: dir, Format: badger.Format{Name: filepath.Base(name), Version: 99}, MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := New(c); !errors.Is(err, badger.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(other, "store"), dir); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, change := range []func(*Config){
		func(c *Config) { c.Listen = l.Addr().String() },
		func(c *Config) { c.AdminListen = l.Addr().String() },
		func(c *Config) { c.QS.Listen = l.Addr().String() },
	} {
		taken := c
		change(&taken)
		if _, err := New(taken); err == nil {
			t.Error("listens where another does")
		}
	}
	if s, err := New(c); err != nil {
		t.Errorf("after all that: %v", err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
}
