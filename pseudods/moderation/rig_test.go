package moderation_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
)

var noon = time.Unix(1728043200, 0)

// rig is a docket with a clock of its own.
type rig struct {
	*testing.T
	*moderation.Docket
	store *reporttest.Reference
	key   *seal.PrivateKey

	mu     sync.Mutex
	now    time.Time
	events map[moderation.Event]int
}

func newRig(t *testing.T, alter func(*moderation.Config)) *rig {
	t.Helper()
	key, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, store: new(reporttest.Reference), key: key, now: noon, events: map[moderation.Event]int{}}
	cfg := moderation.Config{Store: r.store, Key: key.Public(), Secret: secret.New(bytes.Repeat([]byte{9}, 32)),
		Issuers: map[string]string{"provider.example": "issuer.example"}, Now: r.clock,
		Observe: func(e moderation.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events[e]++
		}}
	if alter != nil {
		alter(&cfg)
	}
	if r.Docket, err = moderation.New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) want(e moderation.Event, n int) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events[e] != n {
		r.Errorf("%d times %q, want %d: %v", r.events[e], e, n, r.events)
	}
}

// account is the real key of the nth account.
func account(n byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

func report(n byte) *ds.Report {
	return &ds.Report{ID: ds.ReportID{n}, Group: wire.GroupID{1, n}, Client: wire.Pseudonym{2, n}, User: wire.Pseudonym{3, n}, Domain: "provider.example",
		Credential: mls.BasicCredential([]byte("spammer@provider.example")), Key: account(n), Reason: 1, Note: []byte("look at this"),
		Messages: []ds.ReportedMessage{{Content: []byte("buy my pills"), Day: 20000}}}
}

func (r *rig) take(n byte) {
	r.Helper()
	if err := r.Take(r.Context(), report(n)); err != nil {
		r.Fatal(err)
	}
}

// only returns the one open case, opened.
func (r *rig) only() (moderation.CaseID, *moderation.Opened) {
	r.Helper()
	list, _, err := r.store.OpenCases(r.Context(), moderation.CaseID{})
	if err != nil || len(list) != 1 {
		r.Fatalf("%d cases, %v", len(list), err)
	}
	o, err := moderation.OpenReport(r.key, list[0].ID, &list[0].Case)
	if err != nil {
		r.Fatal(err)
	}
	return list[0].ID, o
}

func (r *rig) decide(id moderation.CaseID, o moderation.Outcome, opening *moderation.Opening, want error) {
	r.Helper()
	if err := r.Decide(r.Context(), id, o, opening); !errors.Is(err, want) {
		r.Fatalf("%v: %v, want %v", o, err, want)
	}
}

var (
	upheld    = moderation.Outcome{State: moderation.Upheld, Weight: attester.Normal}
	dismissed = moderation.Outcome{State: moderation.Dismissed}
)

// issuer keeps what it gets, and fails as it is told.
type issuer struct {
	mu   sync.Mutex
	fail error
	got  [][]byte
}

func (i *issuer) Deliver(_ context.Context, name string, signed []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if name != "issuer.example" {
		return errors.New("no such issuer")
	}
	if i.fail == nil {
		i.got = append(i.got, signed)
	}
	return i.fail
}
