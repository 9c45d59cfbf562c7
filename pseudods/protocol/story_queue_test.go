package protocol

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

// prepaid takes all tokens.
type prepaid struct{}

func (prepaid) Pay(context.Context, wire.Operation, [][]byte, [32]byte) error { return nil }

// queueStory is the life of a queue and a pool, played with a queue service.
type queueStory struct {
	*story
	qs   *qs.Service
	keys wire.AddressKeys
	// owner's and contact's.
	owner, contact *client
	segments       *seal.PrivateKey
	page           wire.QueuePage
}

func tellQueues(t *testing.T) *queueStory {
	reseed(t, "queues")
	ring := must(addresskeys.Open(addresskeys.Config{Dir: filepath.Join(t.TempDir(), "keys")}, now))
	service := must(qs.New(qs.Config{Domain: home, Store: queuetest.NewReference(), Keys: ring, Payments: prepaid{},
		Rand: seeded("queue service's randomness"), Now: func() time.Time { return now }}))
	s := &queueStory{story: &story{t: t, serve: answerOf(service)}, qs: service, owner: newClient("carol", "carol", home),
		contact: newClient("dave", "dave", home), segments: hpkeKey(wire.X25519, "carol's segment key")}
	s.open()
	s.publish()
	s.contacts()
	s.deliver()
	s.read()
	s.end()
	return s
}

// answerOf has a service answer as it does over HTTP.
func answerOf(s *qs.Service) func(context.Context, *wire.Request, []byte) []byte {
	return func(ctx context.Context, r *wire.Request, encodedRequest []byte) []byte {
		var response wire.Response
		body, err := s.Handle(ctx, r, wire.Digest(encodedRequest))
		if response.Body = body; err != nil && !errors.As(err, &response.Err) {
			panic(err)
		}
		return encoded(&response)
	}
}

var byOwner = wire.Auth{Type: wire.AuthQueue}

func (s *queueStory) open() {
	key := signer("carol's queue")
	check(mls.Unmarshal(s.ask("address_keys", &wire.Request{Operation: wire.OpAddressKeys}, nil, "Empty", &wire.Empty{}, "AddressKeys"), &s.keys))
	s.ask("create_queue", &wire.Request{Operation: wire.OpCreateQueue, Auth: byOwner, Tokens: [][]byte{paidToken("create_queue")}}, key,
		"CreateQueue", &wire.CreateQueue{OwnerKey: [32]byte(key.Public()), SegmentKey: *s.segments.Public(),
			Settings: wire.QueueSettings{Version: 1, Push: []byte("push target")}}, "QueueInfo")
	s.ask("configure_queue", &wire.Request{Operation: wire.OpConfigureQueue, Auth: byOwner}, key, "QueueInfo",
		&wire.QueueInfo{Queue: s.owner.queue(), Settings: wire.QueueSettings{Version: 2, MaxEntries: 500, TTLDays: 14, Overflow: wire.OverflowDropOldest}}, "QueueInfo")
}

func (s *queueStory) publish() {
	for _, p := range []struct {
		name string
		kind wire.PoolKind
	}{{"group", wire.PoolGroup}, {"connection", wire.PoolConnection}} {
		key := signer("carol's " + p.name + " pool")
		last := must(group.NewKeyPackage(s.owner.cfg, s.owner.mls, group.KeyPackageOptions{LastResort: true, Extensions: s.owner.kp.Extensions}))
		name := "publish_key_packages"
		if p.kind == wire.PoolConnection {
			name += " for first contact"
		}
		publish := &wire.PublishKeyPackages{PoolKey: [32]byte(key.Public()), Kind: p.kind, Batch: 1, Last: true}
		for i, k := range []*mls.KeyPackage{s.owner.kp, last} {
			sealed := must(seal.SealKeyPackage(seeded(fmt.Sprint(name, i)), packageKey(s.owner, p.kind), wire.PoolIDOf(key.Public()), encoded(k)))
			publish.KeyPackages = append(publish.KeyPackages, wire.PublishedKeyPackage{Sealed: sealed, LastDay: uint32(now.Unix()/86400) + 30, LastResort: i == 1})
		}
		s.ask(name, &wire.Request{Operation: wire.OpPublishKeyPackages, Auth: byOwner, Tokens: [][]byte{paidToken(name)}}, key,
			"PublishKeyPackages", publish, "PoolStatus")
	}
}

// linkWrap is what a client's contacts have.
func linkWrap(c *client) secret.Bytes { return secretOf(c.name + "'s link wrap") }

func packageKey(c *client, kind wire.PoolKind) seal.KeyPackageKey {
	if kind == wire.PoolConnection {
		return seal.CardKeyOf(linkWrap(c))
	}
	return seal.PoolKeyOf(linkWrap(c))
}

func poolOf(name string) wire.PoolID { return wire.PoolIDOf(signer(name).Public()) }

func contactToken(name string) wire.ContactToken { return wire.ContactToken{Bytes: secretOf(name)} }

func (s *queueStory) contacts() {
	pool, tokenOfDave := poolOf("carol's group pool"), contactToken("dave's contact token")
	s.ask("allow_contact", &wire.Request{Operation: wire.OpAllowContact, Auth: byOwner}, signer("carol's group pool"),
		"AllowContact", &wire.AllowContact{Pool: pool, Contact: tokenOfDave.Hash(pool), Allow: true}, "Empty")
	s.ask("group_packages", &wire.Request{Operation: wire.OpGroupPackages, Tokens: [][]byte{paidToken("group_packages")}}, nil,
		"FetchKeyPackage", &wire.FetchKeyPackage{Pool: pool, Contact: tokenOfDave}, "SealedKeyPackage")
	s.ask("connection_packages", &wire.Request{Operation: wire.OpConnectionPackages, Tokens: [][]byte{paidToken("connection_packages")}}, nil,
		"FetchKeyPackage", &wire.FetchKeyPackage{Pool: poolOf("carol's connection pool")}, "SealedKeyPackage")
	card := s.card(s.owner)
	s.ask("connection_request", &wire.Request{Operation: wire.OpConnectionRequest, Tokens: [][]byte{paidToken("connection_request")}}, nil,
		"ConnectionRequest", &wire.ConnectionRequest{Address: card.Address, Offer: must(seal.SealOffer(card, s.offer(card)))}, "Empty")
}

// card is a client's, at this queue service.
func (s *queueStory) card(c *client) *wire.ContactCard {
	sealed := must(seal.SealAddress(&s.keys[0].Key, wire.AddressReusable, c.queue(), c.addressID("card"), seal.Use{}))
	return cardOf(c, *sealed)
}

// cardOf signs a card with the user's real key.
func cardOf(c *client, address wire.SealedAddress) *wire.ContactCard {
	user := realIdentity(c)
	card := &wire.ContactCard{Domain: home, Address: address, OfferKey: *hpkeKey(wire.X25519, c.name+"'s offer key").Public(),
		Pools: []wire.PoolID{poolOf(c.name + "'s connection pool")}, PackageKey: [32]byte(packageKey(c, wire.PoolConnection).Reveal()),
		Identity: cardIdentity(user)}
	card.Signature = must(user.Key.SignWithLabel(wire.ContactCardLabel, must(card.TBS())))
	return card
}

// cardIdentity is a CardIdentity.
func cardIdentity(i *identity.Identity) []byte {
	return append(encoded(&i.Credential), i.Key.Public()...)
}

// realIdentity is the one behind a client of the examples.
func realIdentity(c *client) *identity.Identity {
	return must(identity.New(mls.BasicCredential([]byte(c.name+"@"+home)), seeded(c.name)))
}

// signed signs an offer to the holder of a card.
func signed(c *client, o *wire.Contact, to *wire.ContactCard) *wire.Contact {
	o.Signature = must(realIdentity(c).Key.SignWithLabel(wire.ContactLabel, must(o.TBS(to))))
	return o
}

// offer is what the contact offers.
func (s *queueStory) offer(to *wire.ContactCard) *wire.Contact {
	return signed(s.contact, &wire.Contact{Card: *s.card(s.contact), Version: 1, Token: contactToken("carol's contact token"),
		Pools: []wire.PoolID{poolOf("dave's group pool")}, LinkWrap: secretOf("dave's link wrap"), Content: []byte("Hello, Carol!")}, to)
}

// deliver sends a message that fits into an entry, and one that does not.
func (s *queueStory) deliver() {
	g := wire.GroupID(octets("group of the deliveries", 32))
	to := s.owner
	a := wire.QueueAddress{Domain: home, Nonce: [16]byte(octets("nonce of deliveries", 16))}
	use := seal.Use{Domain: home, Binding: seal.Binding(g[:], a.Nonce)}
	a.Sealed = *must(seal.SealAddress(&s.keys[0].Key, wire.AddressBound, to.queue(), to.addressID("bound"), use))
	for i, size := range []int{100, 600} {
		f := &wire.Fanout{Kind: wire.FanoutApplication, Domain: home, Group: g, Message: octets("message to carol", size)}
		payload, key, err := seal.SealPayload(seeded("payload key"), encoded(f))
		check(err)
		sequence := uint64(i + 1)
		ds := seal.DeliverySecret{Bytes: to.secret}
		d := &wire.Delivery{Payload: payload, Recipients: []wire.Recipient{{Address: a.Sealed, Binding: use.Binding, Number: seal.Number(ds, sequence),
			Entry: must(seal.SealEntry(seeded("salt"), ds, &seal.Entry{PayloadKey: key, Sequence: sequence}))}}}
		report := must(s.qs.Deliver(s.t.Context(), home, d))
		name := "deliver"
		if i > 0 {
			name += " more than fits into an entry"
		}
		key32 := signer("service")
		digest := wire.Digest(key32.Public())
		s.tell(name, &wire.Request{Operation: wire.OpDeliver, Auth: wire.Auth{Type: wire.AuthService, KeyID: digest[:]}}, key32,
			"Delivery", d, "DeliveryReport", &report)
	}
}

func (s *queueStory) read() {
	key, queue := signer("carol's queue"), s.owner.queue()
	check(mls.Unmarshal(s.ask("read_queue", &wire.Request{Operation: wire.OpReadQueue, Auth: byOwner}, key,
		"ReadQueue", &wire.ReadQueue{Queue: queue, Max: 10, Wait: 30}, "QueuePage"), &s.page))
	var tickets []wire.Ticket
	var last uint64
	for _, o := range seal.NewReader(s.segments, queue).Open(&s.page) {
		check(o.Err)
		if last = o.Seq; o.Item.Ticket != nil {
			tickets = append(tickets, *o.Item.Ticket)
		}
	}
	s.ask("fetch_payloads", &wire.Request{Operation: wire.OpFetchPayloads}, nil, "FetchPayloads", &wire.FetchPayloads{Tickets: tickets}, "Payloads")
	s.ask("ack_queue", &wire.Request{Operation: wire.OpAckQueue, Auth: byOwner}, key,
		"AckQueue", &wire.AckQueue{Queue: queue, Upto: last, Tickets: tickets}, "Empty")
}

func (s *queueStory) end() {
	key, pool := signer("carol's queue"), signer("carol's group pool")
	s.ask("revoke_address", &wire.Request{Operation: wire.OpRevokeAddress, Auth: byOwner}, key,
		"RevokeAddress", &wire.RevokeAddress{Queue: s.owner.queue(), Address: s.owner.addressID("card")}, "Empty")
	s.ask("delete_queue", &wire.Request{Operation: wire.OpDeleteQueue, Auth: byOwner}, key,
		"DeleteQueue", &wire.DeleteQueue{OwnerKey: [32]byte(key.Public())}, "Empty")
	s.ask("delete_pool", &wire.Request{Operation: wire.OpDeletePool, Auth: byOwner}, pool,
		"DeletePool", &wire.DeletePool{PoolKey: [32]byte(pool.Public())}, "Empty")
}
