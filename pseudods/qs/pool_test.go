package qs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const day = 24 * 60 * 60

// today is the present day.
func today() uint32 { return uint32(time.Now().Unix() / day) }

// keyPackage makes what stands for a sealed KeyPackage: the service does not look
// inside.
func keyPackage() wire.PublishedKeyPackage {
	return wire.PublishedKeyPackage{Sealed: random[[]byte](500), LastDay: today() + 90}
}

func lastResort() wire.PublishedKeyPackage {
	k := keyPackage()
	k.LastResort = true
	return k
}

func contactToken() wire.ContactToken {
	return wire.ContactToken{Bytes: secret.New(random[[]byte](wire.ContactTokenSize))}
}

func TestKeyPackages(t *testing.T) {
	r := newRig(t, nil)
	owner := [32]byte(r.newSigner().Public())
	pool := wire.PoolIDOf(owner[:])
	first, second, last := keyPackage(), keyPackage(), lastResort()
	status, err := r.service.Publish(r.ctx, &wire.PublishKeyPackages{PoolKey: owner, Kind: wire.PoolGroup, Batch: 1, KeyPackages: []wire.PublishedKeyPackage{last, first}})
	r.must(err)
	if *status != (wire.PoolStatus{Staged: 2}) {
		t.Fatalf("status %+v", status)
	}
	status, err = r.service.Publish(r.ctx, &wire.PublishKeyPackages{PoolKey: owner, Kind: wire.PoolGroup, Batch: 1, First: 2, KeyPackages: []wire.PublishedKeyPackage{second}, Last: true})
	r.must(err)
	if *status != (wire.PoolStatus{Batch: 1, Left: 2}) {
		t.Fatalf("status %+v", status)
	}
	friend, stranger := contactToken(), contactToken()
	r.must(r.service.Allow(r.ctx, &wire.AllowContact{Pool: pool, Contact: friend.Hash(pool), Allow: true}))
	take := func(token wire.ContactToken, request byte) ([]byte, error) {
		return r.service.Take(r.ctx, wire.PoolGroup, &wire.FetchKeyPackage{Pool: pool, Contact: token}, [32]byte{request})
	}
	for n, want := range []wire.PublishedKeyPackage{first, second, last, last} {
		got, err := take(friend, byte(n))
		r.must(err)
		if string(got) != string(want.Sealed) {
			t.Fatalf("request %d got another KeyPackage", n)
		}
	}
	if got, err := take(friend, 0); err != nil || string(got) != string(first.Sealed) {
		t.Errorf("a retry: %v", err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"stranger": func() ([]byte, error) { return take(stranger, 9) },
		"no token": func() ([]byte, error) { return take(wire.ContactToken{}, 9) },
		"other kind": func() ([]byte, error) {
			return r.service.Take(r.ctx, wire.PoolConnection, &wire.FetchKeyPackage{Pool: pool}, [32]byte{9})
		},
		"no pool": func() ([]byte, error) {
			return r.service.Take(r.ctx, wire.PoolGroup, &wire.FetchKeyPackage{Contact: friend}, [32]byte{9})
		},
		"ended": func() ([]byte, error) {
			r.must(r.service.Allow(r.ctx, &wire.AllowContact{Pool: pool, Contact: friend.Hash(pool)}))
			return take(friend, 9)
		},
	} {
		if got, err := f(); !errors.Is(err, qs.ErrExhausted) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.must(r.service.DeletePool(r.ctx, pool))
	r.want(r.service.Allow(r.ctx, &wire.AllowContact{Pool: pool, Contact: friend.Hash(pool), Allow: true}), qs.ErrNotFound)
}

func TestUselessKeyPackages(t *testing.T) {
	now := time.Now() // stands still: the day does not end
	r := newRig(t, func(c *qs.Config) { c.Now = func() time.Time { return now } })
	today := func() uint32 { return uint32(now.Unix() / day) }
	with := func(change func(*wire.PublishedKeyPackage)) wire.PublishedKeyPackage {
		k := keyPackage()
		change(&k)
		return k
	}
	for name, k := range map[string]wire.PublishedKeyPackage{
		"empty":     with(func(k *wire.PublishedKeyPackage) { k.Sealed = nil }),
		"too large": with(func(k *wire.PublishedKeyPackage) { k.Sealed = make([]byte, qs.MaxKeyPackage+1) }),
		"expired":   with(func(k *wire.PublishedKeyPackage) { k.LastDay = today() - 1 }),
		"forever":   with(func(k *wire.PublishedKeyPackage) { k.LastDay = today() + qs.MaxKeyPackageDays + 1 }),
	} {
		_, err := r.service.Publish(r.ctx, &wire.PublishKeyPackages{Kind: wire.PoolConnection, Batch: 1,
			KeyPackages: []wire.PublishedKeyPackage{keyPackage(), k}, Last: true})
		if !errors.Is(err, qs.ErrKeyPackage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := r.service.Publish(r.ctx, &wire.PublishKeyPackages{Kind: wire.PoolConnection, Batch: 1, KeyPackages: []wire.PublishedKeyPackage{lastResort(), lastResort()}})
	r.want(err, qs.ErrBatch)
	long, err := r.service.Publish(r.ctx, &wire.PublishKeyPackages{Kind: wire.PoolConnection, Batch: 1, Last: true,
		KeyPackages: []wire.PublishedKeyPackage{with(func(k *wire.PublishedKeyPackage) { k.LastDay = today() + qs.MaxKeyPackageDays })}})
	if err != nil || long.Left != 1 {
		t.Errorf("for a year: %v, %v", long, err)
	}
}

// TestConnect plays first contact: an offer by a stranger who has the card, and
// its acceptance, which carries a contact token.
func TestConnect(t *testing.T) {
	r := newRig(t, nil)
	alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	card := func(o *owner) (*wire.ContactCard, *seal.PrivateKey, *member) {
		k, err := seal.GenerateKey(wire.X25519)
		r.must(err)
		m := o.address(wire.AddressReusable, nil)
		return &wire.ContactCard{Domain: qsDomain, Address: m.address.Sealed, OfferKey: *k.Public(), Identity: []byte("somebody")}, k, m
	}
	aliceCard, aliceKey, aliceAddress := card(alice)
	bobCard, bobKey, _ := card(bob)

	offer, err := seal.SealOffer(aliceCard, &wire.Contact{Card: *bobCard, Token: contactToken(), LinkWrap: secret.New(make([]byte, 32)), Content: []byte(long("hello, I am Bob", 3000))})
	r.must(err)
	for range 2 { // the same request comes in once
		r.must(r.service.Offer(r.ctx, &wire.ConnectionRequest{Address: aliceCard.Address, Offer: offer}, [32]byte{1}))
	}
	items := alice.read()
	if len(items) != 1 || items[0].item.Kind != wire.ItemOffer || items[0].item.Address != aliceAddress.id {
		t.Fatalf("alice read %v", items)
	}
	got := alice.payload(items[0].item)
	contact, err := seal.OpenOffer(aliceKey, aliceCard, got)
	r.must(err)
	alice.ack(items)

	token := contactToken()
	answer, err := seal.SealOffer(&contact.Card, &wire.Contact{Card: *aliceCard, Token: token, Pools: []wire.PoolID{{1}}, LinkWrap: secret.New(make([]byte, 32)), Accepts: seal.OfferHash(got)})
	r.must(err)
	r.must(r.service.Offer(r.ctx, &wire.ConnectionRequest{Address: contact.Card.Address, Offer: answer}, [32]byte{2}))
	items = bob.read()
	accepted, err := seal.OpenOffer(bobKey, bobCard, bob.payload(items[0].item))
	r.must(err)
	if !accepted.Token.Equal(token.Bytes) || string(accepted.Accepts) != string(seal.OfferHash(offer)) {
		t.Fatal("the acceptance does not answer the offer")
	}

	// Nothing tells the sender whether an offer arrived.
	r.must(r.service.Revoke(r.ctx, alice.queue, aliceAddress.id))
	gone := aliceCard.Address
	gone.KeyID[0]++
	group := r.newGroup(alice)
	for n, address := range []wire.SealedAddress{aliceCard.Address, gone, group.members[0].address.Sealed, alice.address(wire.AddressOneTime, nil).address.Sealed} {
		r.must(r.service.Offer(r.ctx, &wire.ConnectionRequest{Address: address, Offer: offer}, [32]byte{10, byte(n)}))
	}
	if items := alice.read(); len(items) != 0 {
		t.Fatalf("alice read %v", items)
	}
	for _, n := range []int{0, 100_000} {
		r.want(r.service.Offer(r.ctx, &wire.ConnectionRequest{Address: aliceCard.Address, Offer: make([]byte, n)}, [32]byte{}), qs.ErrSize)
	}
}
