package account_test

import (
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestCreateAndReopen(t *testing.T) {
	s := newSite(t)
	_, err := account.Open(s.ctx, s.newPerson("nobody").cfg)
	s.want(err, account.ErrNoAccount)
	alice := s.join("alice")
	card := alice.card()
	for range 2 {
		if alice.Name() != "alice" || alice.Domain() != domain || alice.KeyPackageCount() != 2*(someKeys+1) {
			t.Fatalf("%q at %q with %d KeyPackages", alice.Name(), alice.Domain(), alice.KeyPackageCount())
		}
		name, key, err := account.CardName(alice.card())
		if err != nil || name != "alice" || string(key) != string(alice.Identity().Key.Public()) || string(alice.card().Signature) != string(card.Signature) {
			t.Fatalf("the card is of %q, %v", name, err)
		}
		if in := alice.receive(); len(in) != 0 {
			t.Fatalf("%d entries in a new queue", len(in))
		}
		alice.restart()
	}
	if s.took(wire.OpCreateQueue) != 1 || s.took(wire.OpPublishKeyPackages) != 2 {
		t.Fatal("something was made twice")
	}
	_, err = account.Create(s.ctx, alice.cfg, "alice", domain)
	s.want(err, account.ErrExists)
}

func TestMeet(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	s.must(alice.Connect(s.ctx, bob.card(), []byte("hello Bob")))
	alice.contact("bob", account.ContactOffered)
	in := bob.receive()
	if len(in) != 1 || in[0].Err != nil || in[0].Contact == nil || string(in[0].Contact.Greeting) != "hello Bob" {
		t.Fatalf("bob received %+v", in)
	}
	bob.contact("alice", account.ContactAsked)
	s.must(bob.Accept(s.ctx, "alice"))
	in = alice.receive()
	if len(in) != 1 || in[0].Err != nil || in[0].Contact == nil || in[0].Contact.State != account.ContactAccepted {
		t.Fatalf("alice received %+v", in)
	}
	for range someKeys + 2 {
		k, key, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
		if err != nil || key.IsZero() || k == nil {
			t.Fatal(err)
		}
	}
	if _, _, err := bob.FetchKeyPackage(s.ctx, bob.contact("alice", account.ContactAccepted)); err != nil {
		t.Fatal(err)
	}
}
