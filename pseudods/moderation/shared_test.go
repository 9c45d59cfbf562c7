package moderation_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
)

// leases are the duties of processes that share a store.
type leases struct {
	now func() time.Time

	// mu guards held.
	mu   sync.Mutex
	held map[moderation.Duty]held
}

type held struct {
	by    *process
	until time.Time
}

// process is one of those that share a store.
type process struct {
	*reporttest.Reference
	leases *leases
}

var _ moderation.Shared = (*process)(nil)

func (p *process) Claim(_ context.Context, d moderation.Duty, lease time.Duration) (bool, error) {
	l, now := p.leases, p.leases.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[d]; h.by != nil && h.by != p && now.Before(h.until) {
		return false, nil
	}
	l.held[d] = held{p, now.Add(lease)}
	return true, nil
}

func (p *process) Leave(_ context.Context, d moderation.Duty) error {
	l := p.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[d].by == p {
		delete(l.held, d)
	}
	return nil
}

// pair returns two processes that share a store, the second with the first one's
// key and clock.
func pair(t *testing.T) (a, b *rig) {
	l := &leases{held: map[moderation.Duty]held{}}
	a = newRig(t, func(c *moderation.Config) { c.Store = &process{c.Store.(*reporttest.Reference), l} })
	l.now = a.clock
	b = newRig(t, func(c *moderation.Config) { c.Key, c.Store, c.Now = a.key.Public(), &process{a.store, l}, a.clock })
	b.store, b.key = a.store, a.key
	return a, b
}

// TestSharedVerdicts: one of two processes sends a verdict, and another when that
// one has not been seen for a while.
func TestSharedVerdicts(t *testing.T) {
	a, b := pair(t)
	to := new(issuer)
	first, second := courier(a, to), courier(b, to)
	a.round(first)
	b.uphold(1)
	b.round(second)
	if len(to.got) != 0 {
		t.Fatal("sent by who has not the duty")
	}
	a.round(first)
	b.round(second)
	if len(to.got) != 1 {
		t.Fatalf("sent %d times", len(to.got))
	}
	to.fail = errors.New("away")
	a.uphold(2)
	a.round(first)
	to.fail = nil
	b.round(second)
	if len(to.got) != 1 {
		t.Fatal("sent by who has not the duty")
	}
	a.pass(time.Minute) // and the first does not come back
	b.round(second)
	a.round(first)
	if len(to.got) != 2 {
		t.Fatalf("%d verdicts were sent of 2", len(to.got))
	}
}

// TestSharedRuns: of two processes that run one asks the webhook and sends, and when
// it ends in order the other does at once.
func TestSharedRuns(t *testing.T) {
	a, b := pair(t)
	to := new(issuer)
	h, s := newHook(t, a, map[string]string{"0101": `{"decision":"uphold","weight":"normal"}`, "0102": `{"decision":"uphold","weight":"normal"}`})
	other := s.hook(b)
	a.take(1)
	if err := errors.Join(h.Round(t.Context()), other.Round(t.Context())); err != nil || s.asked["0101"] != 1 {
		t.Fatalf("asked %v, %v", s.asked, err)
	}
	b.take(2)
	if err := other.Round(t.Context()); err != nil || s.asked["0102"] != 0 {
		t.Fatalf("asked by who has not the duty: %v, %v", s.asked, err)
	}
	first, second := courier(a, to), courier(b, to)
	a.round(first)
	b.round(second)
	if len(to.got) != 1 {
		t.Fatalf("%d verdicts", len(to.got))
	}
	ended, end := context.WithCancel(t.Context())
	end()
	none := func(err error) { t.Error(err) }
	first.Run(ended, none)
	h.Run(ended, none)
	if err := other.Round(t.Context()); err != nil || s.asked["0102"] != 1 {
		t.Fatalf("not taken over: asked %v, %v", s.asked, err)
	}
	b.round(second)
	if len(to.got) != 2 {
		t.Fatalf("not taken over: %d verdicts", len(to.got))
	}
}

// TestSharedExpiry: one of two processes looks through the cases in an hour.
func TestSharedExpiry(t *testing.T) {
	a, b := pair(t)
	if err := a.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.take(1)
	a.pass(40 * 24 * time.Hour)
	if err := a.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.take(2)
	a.pass(30 * time.Minute)
	if err := b.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.want(moderation.WasExpired, 1)
	b.want(moderation.WasExpired, 0)
}
