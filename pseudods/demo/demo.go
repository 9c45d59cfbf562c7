package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/server"
)

const domain = "demo.example"

// stage is where the story is played.
type stage struct {
	ctx    context.Context
	out    io.Writer
	dir    string
	url    string
	admin  string
	data   string
	log    *lines
	wire   *tap
	people []*person
	said   []string // by people, in messages
	stop   func() error
	// metrics are gathered before the server stops.
	metrics func() ([]byte, error)
}

// Run plays the story in a directory that must be empty, and writes it to out. It
// fails if anything goes otherwise than it should.
func Run(ctx context.Context, out io.Writer, dir string) (err error) {
	s := &stage{ctx: ctx, out: out, dir: dir, data: filepath.Join(dir, "provider"), log: new(lines), wire: newTap()}
	if err := s.open(); err != nil {
		return err
	}
	stopped := false
	defer func() {
		for _, p := range s.people {
			err = errors.Join(err, p.close())
		}
		if !stopped {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := s.play(); err != nil {
		return err
	}
	needles := s.needles()
	metrics, err := s.metrics()
	if err != nil {
		return err
	}
	stopped = true
	if err := s.stop(); err != nil {
		return err
	}
	return s.audit(needles, metrics)
}

// open starts the provider.
func (s *stage) open() error {
	accounts := filepath.Join(s.dir, accountsFile)
	if err := os.WriteFile(accounts, nil, 0o600); err != nil {
		return err
	}
	attesters, atOnce := host.Default().Attesters, daemon.Duration(0)
	attesters.AccountKey = &host.AccountKey{Keys: accounts}
	registry := prometheus.NewRegistry()
	srv, err := server.New(server.Config{Domain: domain, Data: s.data, Issuer: server.IssuerConfig{Config: host.Config{Attesters: attesters}},
		Moderation: server.ModerationConfig{VerdictDelay: &atOnce}, Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Logger: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registry: registry})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	s.url, s.admin = srv.URL(server.DS), srv.Running().Admin
	s.stop = func() error {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	s.metrics = func() ([]byte, error) { return render(registry) }
	return nil
}

// scene begins a part of the story.
func (s *stage) scene(format string, args ...any) {
	fmt.Fprintf(s.out, "\n== %s\n", fmt.Sprintf(format, args...))
	s.wire.reset()
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "   %s\n", fmt.Sprintf(format, args...))
}

// learned tells what has reached each role since the scene began.
func (s *stage) learned() { s.wire.tell(s.out) }

// lines keeps a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// person is one of those who play.
type person struct {
	*client.Client
	s     *stage
	name  string
	vault *vault.Vault
}

// join makes somebody a user of the provider, who gets tokens by work or by an
// account key.
func (s *stage) join(name string, accountKey bool) (*person, error) {
	key := make([]byte, 32)
	rand.Read(key)
	v, err := vault.Open(filepath.Join(s.dir, name), secret.New(key))
	if err != nil {
		return nil, err
	}
	p := &person{s: s, name: name, vault: v}
	s.people = append(s.people, p)
	cfg := client.Config{Account: account.Config{Vault: v, HTTP: &http.Client{Transport: s.wire}, Attestor: issuer.ProofOfWork(rand.Reader),
		AccountKey: accountKey, Providers: map[string]string{domain: s.url}}}
	p.Client, err = client.Create(s.ctx, cfg, name+"@"+domain, domain)
	if err != nil && accountKey { // nobody knows the key yet
		if err = s.enrol(v); err == nil {
			p.Client, err = client.Open(s.ctx, cfg)
		}
	}
	return p, err
}

func (p *person) close() error {
	if p.Client == nil {
		return p.vault.Close()
	}
	return errors.Join(p.Close(), p.vault.Close())
}

// wait is how long the story waits for a message: much longer than it takes.
const wait = 30 * time.Second

// until syncs until an event of the kind has come.
func (p *person) until(kind client.EventKind) (client.Event, error) {
	ctx, cancel := context.WithTimeout(p.s.ctx, wait)
	defer cancel()
	for {
		events, err := p.Sync(ctx, time.Second)
		if err != nil {
			return client.Event{}, fmt.Errorf("%s: %w", p.name, err)
		}
		for _, e := range events {
			if e.Kind == kind {
				return e, nil
			}
		}
	}
}

// idle syncs until nothing comes any more.
func (p *person) idle() error {
	for quiet := 0; quiet < 3; quiet++ {
		events, err := p.Sync(p.s.ctx, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if len(events) > 0 {
			quiet = -1
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}
