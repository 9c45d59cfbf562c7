package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// badNet is a network between one client and the world that does what a test says.
type badNet struct {
	mu sync.Mutex
	// on decides about a request of an operation, 0 for one that is none.
	on func(wire.Operation) mishap
	// struck, if not nil, is called after a mishap.
	struck func()
}

// mishap is what becomes of a request.
type mishap int

const (
	passes  mishap = iota
	lost           // before it arrives
	unheard        // its answer is lost
	garbled        // its answer says nothing that the operation answers
)

func (n *badNet) set(on func(wire.Operation) mishap) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on, n.struck = on, nil
}

// once does something under a context that ends with the first mishap, so that
// nothing comes of trying again.
func (n *badNet) once(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.mu.Lock()
	n.struck = cancel
	n.mu.Unlock()
	return f(ctx)
}

// fine is a network on which nothing happens.
func fine(wire.Operation) mishap { return passes }

// only has a mishap happen to one operation.
func only(o wire.Operation, m mishap) func(wire.Operation) mishap {
	return func(is wire.Operation) mishap {
		if is == o {
			return m
		}
		return passes
	}
}

var errLost = errors.New("lost on the way")

func (n *badNet) RoundTrip(r *http.Request) (*http.Response, error) {
	var o wire.Operation
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		if q, err := wire.ParseRequest(b, 1<<24); err == nil {
			o = q.Operation
		}
	}
	n.mu.Lock()
	m, struck := n.on(o), n.struck
	n.mu.Unlock()
	if m != passes && struck != nil {
		defer struck()
	}
	if m == lost {
		return nil, errLost
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || m == passes {
		return a, err
	}
	a.Body.Close()
	if m == unheard {
		return nil, errLost
	}
	b, err := mls.Marshal(&wire.Response{Body: []byte("no answer to this")})
	if err != nil {
		return nil, err
	}
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return a, nil
}

// onBadNet has the person's client use a network that fails as it is told.
func (p *person) onBadNet() *badNet {
	p.w.Helper()
	n := &badNet{on: fine}
	p.net = n
	p.restart()
	return n
}

// TestRemovedWhileACommitIsOpen: whoever has been removed while the answer to a
// commit was lost hears so, whatever it does next.
func TestRemovedWhileACommitIsOpen(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol", "dave")
	for i, act := range []func(context.Context, *client.Group) error{
		func(ctx context.Context, g *client.Group) error { return g.Update(ctx) },
		func(ctx context.Context, g *client.Group) error { return g.Send(ctx, []byte("hello")) },
		func(ctx context.Context, g *client.Group) error { return g.Leave(ctx) },
	} {
		p := all[1+i]
		net := p.onBadNet()
		p.sync()
		net.set(func(wire.Operation) mishap { return lost })
		if err := net.once(t.Context(), p.in(g).Update); !errors.Is(err, account.ErrUncertain) {
			t.Fatalf("update without a network: %v", err)
		}
		all[0].sync()
		all[0].ok(g.Remove(t.Context(), p.name))
		net.set(fine)
		err := act(t.Context(), p.in(g))
		for end := time.Now().Add(longest); errors.Is(err, client.ErrPending) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond) // the removal is on its way
			err = act(t.Context(), p.in(g))
		}
		if !errors.Is(err, client.ErrNotMember) {
			t.Errorf("%s, who was removed: %v", p.name, err)
		}
		if s := p.in(g).State(); s != client.StateLeft {
			t.Errorf("%s, who was removed, is in state %d", p.name, s)
		}
	}
}

// TestGarbledAnswers: a service that did what it was asked for, and answers what
// nobody can read, costs no membership.
func TestGarbledAnswers(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	net := bob.onBadNet()
	bob.sync()
	net.set(only(wire.OpUpdate, garbled))
	if err := bob.in(g).Update(t.Context()); !errors.Is(err, account.ErrService) {
		t.Errorf("update with a garbled answer: %v", err)
	}
	net.set(fine)
	settle(all)
	agree(g, all...)
	alice.says(g, "still there?")
	bob.says(g, "yes")
	settle(all)
	equal(t, "what bob read", bob.texts(), "alice: still there?")
	equal(t, "what alice read", alice.texts(), "bob: yes")

	net.set(only(wire.OpCreateGroup, garbled))
	if _, err := bob.CreateGroup(t.Context(), "second", client.GroupOptions{}); !errors.Is(err, account.ErrService) {
		t.Errorf("creation with a garbled answer: %v", err)
	}
	net.set(fine)
	bob.sync()
	if second, err := bob.Group("second"); err != nil || second.State() != client.StateActive {
		t.Errorf("the group that was made: %v", err)
	}
}

// TestCreationThatNeverArrived: a client that was killed before the service heard of
// its new group makes it when it is back, however late.
func TestCreationThatNeverArrived(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	net := alice.onBadNet()
	net.set(only(wire.OpCreateGroup, lost))
	err := net.once(t.Context(), func(ctx context.Context) error {
		_, err := alice.CreateGroup(ctx, "first", client.GroupOptions{})
		return err
	})
	if !errors.Is(err, account.ErrUncertain) {
		t.Fatalf("creation without a network: %v", err)
	}
	alice.ok(alice.Close())
	late := alice.cfg.Account
	late.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
	a := must(account.Open(t.Context(), late)) // too late for the request that was paid
	alice.ok(a.Close())
	net.set(fine)
	alice.restart()
	alice.sync()
	g, err := alice.Group("first")
	alice.ok(err)
	if s := g.State(); s != client.StateActive {
		t.Fatalf("state %d", s)
	}
	alice.says(g, "here I am")
}

// TestLeavingWithoutAnAnswer: a client that was killed before it heard that the
// service knows that it leaves says so again, whether the service does or not.
func TestLeavingWithoutAnAnswer(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice := all[0]
	for i, m := range []mishap{lost, unheard} {
		p := all[1+i]
		net := p.onBadNet()
		net.set(only(wire.OpSelfRemove, m))
		if err := net.once(t.Context(), p.in(g).Leave); !errors.Is(err, account.ErrUncertain) {
			t.Fatalf("leaving without an answer: %v", err)
		}
		net.set(fine)
		p.restart()
		settle(all)
		if s := p.in(g).State(); s != client.StateLeft {
			t.Errorf("%s is in state %d", p.name, s)
		}
	}
	equal(t, "members", alice.names(g), "alice")

	net := alice.onBadNet()
	net.set(only(wire.OpDeleteGroup, unheard))
	if err := net.once(t.Context(), alice.in(g).Delete); !errors.Is(err, account.ErrUncertain) {
		t.Fatalf("deletion without an answer: %v", err)
	}
	net.set(fine)
	alice.restart()
	alice.ok(alice.in(g).Delete(t.Context()))
	if s := alice.in(g).State(); s != client.StateLeft {
		t.Errorf("%s is in state %d", alice.name, s)
	}
}

// TestMaintainTellsWhatFailed: that there are no tokens now hides nothing else.
func TestMaintainTellsWhatFailed(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	net := alice.onBadNet()
	alice.sync()
	issuer := only(0, lost)
	net.set(issuer)
	alice.ok(alice.Maintain(t.Context()))
	net.set(func(o wire.Operation) mishap {
		if o == wire.OpPublishKeyPackages {
			return garbled
		}
		return issuer(o)
	})
	if err := alice.Maintain(t.Context()); !errors.Is(err, account.ErrService) {
		t.Errorf("KeyPackages were not looked after: %v", err)
	}
}

// TestRejoinWithoutAnAnswer: whoever does not hear that it is back comes back again.
func TestRejoinWithoutAnAnswer(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	net := bob.onBadNet()
	net.set(only(wire.OpRejoin, unheard))
	if err := net.once(t.Context(), bob.in(g).Rejoin); !errors.Is(err, account.ErrUncertain) {
		t.Fatalf("rejoin without an answer: %v", err)
	}
	net.set(fine)
	alice.says(g, "are you there?")
	settle(all)
	if s := bob.in(g).State(); s != client.StateLost {
		t.Errorf("state %d", s)
	}
	bob.restart()
	for range 5 {
		err := bob.in(g).Rejoin(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, client.ErrAccessAsked) {
			t.Fatal(err)
		}
		alice.says(g, "come in")
		settle(all)
	}
	settle(all)
	agree(g, all...)
	bob.says(g, "now I am")
	settle(all)
	equal(t, "what alice read", alice.texts(), "bob: now I am")
}
