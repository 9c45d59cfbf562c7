package account_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

const day = 24 * time.Hour

// TestRefillWhenNothingIsDue publishes nothing and spends nothing.
func TestRefillWhenNothingIsDue(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	s.must(alice.Refill(s.ctx))
	for _, class := range []tokens.Class{tokens.Send, tokens.Connect, tokens.Publish, tokens.Queue} {
		if n := alice.TokenCount(class); n < batchSize/2 {
			t.Errorf("%d tokens of class %s", n, class)
		}
	}
	published, have := s.took(wire.OpPublishKeyPackages), alice.TokenCount(tokens.Publish)
	keys := alice.KeyPackageCount()
	s.must(alice.Refill(s.ctx))
	if alice.TokenCount(tokens.Publish) != have || alice.KeyPackageCount() != keys {
		t.Error("something was published")
	}
	// Asking how many are left is all.
	if n := s.took(wire.OpPublishKeyPackages) - published; n != 2 {
		t.Errorf("%d requests to the pools", n)
	}
}

// TestPoolIsRefilled when few are left, for nothing, and old ones still work.
func TestPoolIsRefilled(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	fetch := func() *mls.KeyPackage {
		t.Helper()
		k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
		s.must(err)
		return k
	}
	early := fetch()
	for range someKeys - 1 {
		fetch()
	}
	have := bob.TokenCount(tokens.Publish)
	s.must(bob.Refill(s.ctx))
	if bob.TokenCount(tokens.Publish) < have {
		t.Error("a refill was paid")
	}
	if n := bob.KeyPackageCount(); n != 3*(someKeys+1) {
		t.Errorf("%d KeyPackages in the vault", n)
	}
	for range someKeys {
		if fetch().LastResort() {
			t.Fatal("the pool is empty")
		}
	}
	s.welcome(early, 1)
	if in := bob.receive(); len(in) != 1 || in[0].JoinInfo == nil {
		t.Fatalf("received %+v", in)
	}
}

// TestTimePasses: KeyPackages and cards are replaced before they end, private parts
// go when nobody can use them, and what was handed out meanwhile works.
func TestTimePasses(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	card := bob.card()
	for range 20 {
		s.sleep(10 * day)
		s.must(s.queues.Maintain(s.ctx))
		bob.receive() // or the queue is deleted as idle
		s.must(bob.Refill(s.ctx))
		k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
		s.must(err)
		if k.LastResort() || !k.LeafNode.Lifetime.Contains(s.clock().Add(5*day)) {
			t.Fatal("an old KeyPackage")
		}
		if n := bob.KeyPackageCount(); n > 12*(someKeys+1) {
			t.Fatalf("%d KeyPackages in the vault", n)
		}
	}
	if string(bob.card().Signature) == string(card.Signature) {
		t.Fatal("the card was not replaced")
	}
	bob.restart()
	carol, dave := s.join("carol"), s.join("dave")
	s.must(carol.Connect(s.ctx, bob.card(), nil))
	s.must(dave.Connect(s.ctx, card, nil)) // its key lives for some days yet
	if in := bob.receive(); len(in) != 2 || in[0].Err != nil || in[1].Err != nil {
		t.Fatalf("received %+v", in)
	}
}

// TestVaultOlderThanPool: batches go on from what the service has.
func TestVaultOlderThanPool(t *testing.T) {
	s := newSite(t)
	bob := s.join("bob")
	d := bob.openDying(100, false)
	saved := map[string][]byte{}
	for _, name := range []string{"status"} {
		b, err := d.Get(name)
		s.must(err)
		saved[name] = b
	}
	for range 3 {
		s.sleep(16 * day)
		s.must(bob.Refill(s.ctx))
	}
	s.must(bob.v.Put("status", saved["status"]))
	names, err := bob.v.Names("keys/")
	s.must(err)
	for _, name := range names {
		s.must(bob.v.Delete(name))
	}
	bob.restart()
	s.must(bob.Refill(s.ctx))
	alice := s.join("alice")
	k, err := alice.FetchConnectionPackage(s.ctx, bob.card())
	s.must(err)
	s.welcome(k, 1)
	if in := bob.receive(); len(in) != 1 || in[0].JoinInfo == nil {
		t.Fatalf("received %+v", in)
	}
}

// TestPoolIsGone: it is made anew.
func TestPoolIsGone(t *testing.T) {
	s := newSite(t)
	bob := s.join("bob")
	for _, k := range []wire.PoolKind{wire.PoolGroup, wire.PoolConnection} {
		s.must(s.queues.DeletePool(s.ctx, bob.Pool(k)))
	}
	s.must(bob.Refill(s.ctx))
	if _, err := s.join("alice").FetchConnectionPackage(s.ctx, bob.card()); err != nil {
		t.Fatal(err)
	}
}

// TestQueueIsGone: it is made anew, and addresses go on to work.
func TestQueueIsGone(t *testing.T) {
	s := newSite(t)
	bob := s.join("bob")
	c, _ := bob.channelOf(1)
	c.say("one")
	c.say("two")
	bob.receive()
	for _, text := range []string{"three", "four"} {
		s.must(s.queues.Delete(s.ctx, bob.Queue()))
		_, err := bob.Receive(s.ctx, 0)
		s.want(err, refused(wire.CodeNotAllowed))
		bob.restart()
		s.must(bob.Refill(s.ctx))
		c.say(text)
		bob.wantTexts(bob.receive(), text)
	}
}

// TestOpenWithoutNetwork: what is in the vault can be used.
func TestOpenWithoutNetwork(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	alice.net.lose(func(string) (bool, bool) { return true, false })
	alice.restart()
	alice.contact("bob", account.ContactAccepted)
	alice.card()
	_, err := alice.Receive(s.ctx, time.Minute)
	s.want(err, httpapi.ErrTransport)
	s.want(alice.Refill(s.ctx), httpapi.ErrTransport)
}

func TestConfigure(t *testing.T) {
	s := newSite(t)
	bob := s.join("bob")
	for _, push := range []string{"one", "two"} {
		got, err := bob.Configure(s.ctx, wire.QueueSettings{MaxEntries: 10, Push: []byte(push)})
		s.must(err)
		if got.MaxEntries != 10 || string(got.Push) != push {
			t.Fatalf("settings %+v", got)
		}
		s.sleep(-time.Hour) // clocks are set back
	}
}

// TestClosed: nothing works on a closed account, and nothing panics.
func TestClosed(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.ping()
	s.must(alice.Account.Close())
	s.must(alice.Account.Close())
	for name, err := range map[string]error{
		"call":    alice.Call(s.ctx, c),
		"refill":  alice.Refill(s.ctx),
		"connect": alice.Connect(s.ctx, s.join("bob").card(), nil),
	} {
		if !errors.Is(err, account.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := alice.Contacts()
	s.want(err, account.ErrClosed)
	_, err = alice.Receive(s.ctx, 0)
	s.want(err, account.ErrClosed)
}
