package crash

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// domain is that of the service.
const domain = "localhost"

// MemberConfig is what a client process is told.
type MemberConfig struct {
	Name   string `json:"name"`
	Vault  string `json:"vault"`
	Record string `json:"record"`
	URL    string `json:"url"`
	// Friends are contacts whose KeyPackages it fetches.
	Friends []string `json:"friends"`
	// Payer does nothing but that: another process has a copy of its vault.
	Payer bool `json:"payer"`
}

func (c *MemberConfig) client(r *record) (client.Config, error) {
	// The files must not be seen by others, and nothing here is secret.
	v, err := vault.Open(c.Vault, secret.New(make([]byte, 32)))
	if err != nil {
		return client.Config{}, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return client.Config{Account: account.Config{
		Vault:     v,
		Attestor:  issuer.ProofOfWork(rand.Reader),
		Providers: map[string]string{domain: c.URL},
		HTTP:      &http.Client{Transport: &cashier{next: transport, record: r}, Timeout: 90 * time.Second},
	}}, nil
}

// member is a client that talks until it is told to end, or killed.
type member struct {
	MemberConfig
	*client.Client
	record *record
	spoken int
	epochs map[wire.GroupID]uint64 // that are written down
}

// Member is the main function of a client process. Its configuration is in a file.
// When its input ends it does no more than to catch up, and returns once nothing
// has arrived for a while.
func Member(path string, input io.Reader) error {
	stop, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		io.Copy(io.Discard, input)
	}()
	var cfg MemberConfig
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &cfg)
	}
	if err != nil {
		return err
	}
	m := &member{MemberConfig: cfg, epochs: map[wire.GroupID]uint64{}}
	if m.record, err = openRecord(cfg.Record); err != nil {
		return err
	}
	before, err := readRecord(cfg.Record)
	if err != nil {
		return err
	}
	for _, e := range before {
		if name, n := speaker(e.Text); e.Kind == Saying && name == cfg.Name {
			m.spoken = max(m.spoken, n)
		}
	}
	if err := m.open(stop); err != nil {
		return err
	}
	for stop.Err() == nil {
		err := m.act(stop)
		if err != nil && !passes(err) {
			return fmt.Errorf("crash: %s: %w", cfg.Name, err)
		}
		if errors.Is(err, account.ErrUncertain) {
			if err := m.record.put(Entry{Kind: Unsure}); err != nil {
				return err
			}
		}
		if err != nil {
			time.Sleep(mathrand.N(failed)) // a service that is away is not asked at full speed
		}
		if err := m.sync(0); err != nil && !passes(err) {
			return fmt.Errorf("crash: %s: %w", cfg.Name, err)
		}
	}
	if cfg.Payer {
		return m.Close()
	}
	return errors.Join(m.catchUp(), m.Close())
}

// failed is how long a client waits at most after an action that failed.
const failed = 100 * time.Millisecond

// open opens the client, over a service that may be away.
func (m *member) open(stop context.Context) error {
	for {
		cfg, err := m.client(m.record)
		if err != nil {
			return err
		}
		if m.Client, err = client.Open(context.Background(), cfg); err == nil {
			return nil
		}
		if closing := cfg.Account.Vault.Close(); closing != nil || !passes(err) {
			return errors.Join(err, closing)
		}
		time.Sleep(50 * time.Millisecond)
		if stop.Err() != nil {
			stop = context.Background() // it must open to catch up
		}
	}
}

// passes reports whether an error is one that a client has to live with.
func passes(err error) bool {
	var refused *wire.Error
	for _, passing := range []error{account.ErrUncertain, httpapi.ErrTransport, account.ErrProvider, account.ErrReplaced, account.ErrNoTokens,
		client.ErrKept, client.ErrOutbox, client.ErrBusy, client.ErrPending, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return errors.As(err, &refused)
}

// act does one thing that a client may do.
func (m *member) act(stop context.Context) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	groups := m.Groups()
	n := mathrand.IntN(100)
	switch {
	case m.Payer || n < 10:
		time.Sleep(mathrand.N(20 * time.Millisecond))
		return m.fetch(ctx)
	case n < 15:
		return m.Maintain(ctx)
	case len(groups) == 0 || n < 30:
		select {
		case <-stop.Done():
		case <-time.After(mathrand.N(100 * time.Millisecond)):
		}
		return nil
	case n < 36:
		return m.report(ctx, groups[mathrand.IntN(len(groups))])
	case n < 46:
		g := groups[mathrand.IntN(len(groups))]
		if n < 41 {
			return g.Update(ctx)
		}
		return g.ChangePolicy(ctx, func(p *wire.GroupPolicy) { p.MaxMembers = 100 + mathrand.Uint32N(100) })
	}
	return m.say(ctx, groups[mathrand.IntN(len(groups))])
}

func (m *member) say(ctx context.Context, g *client.Group) error {
	m.spoken++
	id := g.ID()
	e := Entry{Kind: Saying, Group: hex.EncodeToString(id[:]), Text: fmt.Sprint(m.Name, " ", m.spoken)}
	if err := m.record.put(e); err != nil {
		return err
	}
	// A text that is kept was taken as well.
	err := g.Send(ctx, []byte(e.Text))
	if err != nil && !errors.Is(err, client.ErrKept) {
		return err
	}
	e.Kind = Said
	return m.record.put(e)
}

// report reports a text of another member.
func (m *member) report(ctx context.Context, g *client.Group) error {
	shown := g.Evidence()
	if len(shown) == 0 {
		return nil
	}
	e := shown[mathrand.IntN(len(shown))]
	_, err := g.Report(ctx, client.Report{User: e.Member.User, Messages: []uint64{e.Sequence}, Reason: wire.ReasonSpam})
	if errors.Is(err, client.ErrNoEvidence) {
		return nil // it is too old by now
	}
	if err != nil {
		return err
	}
	id := g.ID()
	return m.record.put(Entry{Kind: Reported, Group: hex.EncodeToString(id[:]), Text: string(e.Text)})
}

// fetch takes a KeyPackage of a friend, and does nothing with it.
func (m *member) fetch(ctx context.Context) error {
	if len(m.Friends) == 0 {
		return nil
	}
	friend, err := m.Account().Contact(m.Friends[mathrand.IntN(len(m.Friends))])
	if err != nil {
		return err
	}
	p, _, err := m.Account().FetchKeyPackage(ctx, friend)
	if err != nil {
		return err
	}
	b, err := mls.Marshal(p)
	if err != nil {
		return err
	}
	return m.record.put(Entry{Kind: Fetch, Sum: sum(b), LastResort: p.LastResort()})
}

// sync takes what has arrived and writes it down before it is taken.
func (m *member) sync(wait time.Duration) error {
	if m.Payer {
		return nil // the queue is its double's as well
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait+20*time.Second)
	defer cancel()
	events, err := m.Sync(ctx, wait)
	for _, e := range events {
		entry := Entry{Group: hex.EncodeToString(e.Group[:]), Number: e.Sequence, Text: string(e.Text)}
		switch e.Kind {
		case client.EventMessage:
			entry.Kind = Heard
		case client.EventLost:
			entry.Kind = Lost
		default:
			continue
		}
		if err := m.record.put(entry); err != nil {
			return err
		}
	}
	if err := m.Taken(); err != nil {
		return err
	}
	return errors.Join(err, m.note())
}

// note writes down in which epochs the client is.
func (m *member) note() error {
	for _, g := range m.Groups() {
		id, n := g.ID(), g.Epoch()
		if before, known := m.epochs[id]; known && before == n {
			continue
		}
		authenticator, err := g.Authenticator()
		if err != nil || g.Epoch() != n {
			continue // it is not a member yet
		}
		if err := m.record.put(Entry{Kind: Epoch, Group: hex.EncodeToString(id[:]), Number: n, Sum: sum(authenticator.Reveal())}); err != nil {
			return err
		}
		m.epochs[id] = n
	}
	return nil
}

// quiet is for how long nothing must arrive before a client has caught up.
const quiet = 2 * time.Second

func (m *member) catchUp() error {
	for last, end := time.Now(), time.Now().Add(2*time.Minute); time.Since(last) < quiet; {
		written, err := m.record.file.Stat()
		if err != nil {
			return err
		}
		err = m.sync(200 * time.Millisecond)
		waiting := 0
		for _, g := range m.Groups() {
			waiting += g.Outbox()
		}
		now, statErr := m.record.file.Stat()
		if statErr != nil {
			return statErr
		}
		if err != nil || waiting > 0 || now.Size() > written.Size() {
			last = time.Now()
		}
		if err != nil && !passes(err) || time.Now().After(end) {
			return fmt.Errorf("crash: %s does not catch up: %w, %d texts to send", m.Name, err, waiting)
		}
	}
	return nil
}
