package client_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func equal(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestMeetTalkAddAndRemove(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice, bob, carol := all[0], all[1], all[2]
	for _, p := range all {
		equal(t, "members as seen by "+p.name, p.names(g), "alice", "bob", "carol")
	}
	alice.says(g, "hello, all")
	bob.sync()
	bob.says(g, "hello, alice")
	for _, p := range all {
		p.sync()
	}
	equal(t, "what carol read", carol.texts(), "alice: hello, all", "bob: hello, alice")
	equal(t, "what alice read", alice.texts(), "bob: hello, alice")
	agree(g, all...)

	alice.ok(alice.in(g).Remove(t.Context(), "carol"))
	carol.until(client.EventLeft)
	if err := carol.in(g).Send(t.Context(), []byte("am I still here?")); !errors.Is(err, client.ErrNotMember) {
		t.Errorf("removed member sends: %v", err)
	}
	bob.sync()
	bob.says(g, "carol is gone")
	alice.sync()
	equal(t, "what alice read", alice.texts(), "bob: hello, alice", "bob: carol is gone")
	equal(t, "members", bob.names(g), "alice", "bob")
	if carol.sync(); len(carol.texts()) != 2 {
		t.Errorf("carol still reads: %q", carol.texts())
	}
	agree(g, alice, bob)
}

func TestLeaveAndDelete(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	if err := alice.in(g).Delete(t.Context()); !errors.Is(err, client.ErrNotAdmin) {
		t.Errorf("deleting with members: %v", err)
	}
	bob.ok(bob.in(g).Leave(t.Context()))
	alice.until(client.EventRemoved) // her client commits
	bob.until(client.EventLeft)
	alice.ok(alice.in(g).Leave(t.Context())) // the last one deletes
	if s := alice.in(g).State(); s != client.StateLeft {
		t.Errorf("state %d", s)
	}
	alice.ok(alice.in(g).Forget())
}

// lose drops what waits in a client's queue.
func (p *person) lose() {
	p.w.Helper()
	p.w.delivered()
	for {
		in, err := p.Account().Receive(p.w.Context(), 0)
		p.ok(err)
		if len(in) == 0 {
			return
		}
		p.ok(p.Account().Ack(p.w.Context(), in[len(in)-1].Seq))
	}
}

func TestRejoinAfterLoss(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice, bob, carol := all[0], all[1], all[2]
	alice.ok(alice.in(g).Update(t.Context()))
	alice.says(g, "lost on bob")
	bob.lose()
	alice.ok(alice.in(g).Update(t.Context()))
	bob.until(client.EventLost)
	if s := bob.in(g).State(); s != client.StateLost {
		t.Fatalf("state %d", s)
	}
	bob.ok(bob.in(g).Rejoin(t.Context()))
	alice.until(client.EventRejoined)
	carol.until(client.EventRejoined)
	bob.says(g, "back again")
	alice.says(g, "welcome back")
	for range 3 {
		for _, p := range all {
			p.sync()
		}
	}
	agree(g, all...)
	for _, p := range all {
		equal(t, "members as seen by "+p.name, p.names(g), "alice", "bob", "carol")
	}
	equal(t, "what bob read", bob.texts(), "alice: welcome back")
	equal(t, "what carol read", carol.texts(), "alice: lost on bob", "bob: back again", "alice: welcome back")
}

// TestRejoinAcrossARemoval: the key that the client has opens the group no more,
// and it gets one from a member.
func TestRejoinAcrossARemoval(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice, bob := all[0], all[1]
	alice.ok(alice.in(g).Remove(t.Context(), "carol"))
	bob.lose()
	alice.ok(alice.in(g).Update(t.Context()))
	bob.until(client.EventLost)
	if err := bob.in(g).Rejoin(t.Context()); !errors.Is(err, client.ErrAccessAsked) {
		t.Fatalf("rejoin without a key: %v", err)
	}
	alice.says(g, "anybody there?") // whoever asks the service next is handed the request
	for deadline := time.Now().Add(longest); ; {
		bob.sync()
		err := bob.in(g).Rejoin(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, client.ErrAccessAsked) || time.Now().After(deadline) {
			t.Fatalf("rejoin: %v", err)
		}
		alice.sync()
	}
	for range 3 {
		alice.sync()
		bob.sync()
	}
	alice.says(g, "welcome back")
	bob.sync()
	equal(t, "what bob read", bob.texts(), "alice: welcome back")
	equal(t, "members as seen by bob", bob.names(g), "alice", "bob")
	agree(g, alice, bob)
}

func TestINV10PolicyIsAgreedAndKeptByMembers(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{Admin: true}, "alice", "bob", "carol")
	alice, bob, carol := all[0], all[1], all[2]
	if err := bob.in(g).Remove(t.Context(), "carol"); !errors.Is(err, client.ErrNotAdmin) {
		t.Errorf("removal by no admin: %v", err)
	}
	alice.ok(alice.in(g).ChangePolicy(t.Context(), func(p *wire.GroupPolicy) { p.ExternalJoins = false }))
	bob.until(client.EventPolicy)
	carol.until(client.EventPolicy)
	for _, p := range all {
		if p.in(g).Policy().ExternalJoins {
			t.Errorf("%s has the old policy", p.name)
		}
	}
	alice.ok(alice.in(g).Ban(t.Context(), "carol"))
	carol.until(client.EventLeft)
	bob.until(client.EventRemoved)
	if len(bob.in(g).Policy().Banned) != 1 {
		t.Error("the ban is not in the policy")
	}
	agree(g, alice, bob)
}

func TestRestartInTheMiddle(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	alice.says(g, "before")
	w.stop()
	w.start()
	bob.restart()
	bob.sync()
	bob.says(g, "after")
	alice.restart()
	alice.sync()
	equal(t, "what bob read", bob.texts(), "alice: before")
	equal(t, "what alice read", alice.texts(), "bob: after")
	agree(g, alice, bob)
}
