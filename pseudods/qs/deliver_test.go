package qs_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestDeliverAndRead(t *testing.T) {
	for _, kem := range []wire.KEM{wire.X25519, wire.XWing} {
		r := newRig(t, nil)
		alice, bob := r.newOwnerWith(kem, wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
		g := r.newGroup(alice, bob)
		messages := []string{"hello", long("a kilobyte", 1000), long("a commit", 100_000), "bye"}
		for _, m := range messages {
			g.send(m)
		}
		for _, o := range []*owner{alice, bob} {
			items := o.wantMessages(messages...)
			for n, i := range items {
				if i.sequence != uint64(n)+1 || (i.item.Ticket == nil) != (len(messages[n]) < 200) {
					t.Errorf("message %d has sequence %d, ticket %t", n, i.sequence, i.item.Ticket != nil)
				}
			}
			o.ack(items)
			o.wantMessages()
		}
	}
}

// TestINV06SeenOnce: what comes again, as a whole, in part or too late, is
// answered as delivered and not added.
func TestINV06SeenOnce(t *testing.T) {
	r := newRig(t, nil)
	alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice, bob)
	first := g.delivery([]byte(long("first", 1000)))
	onlyAlice := &wire.Delivery{Payload: first.Payload, Recipients: first.Recipients[:1]}
	g.deliver(onlyAlice, wire.Delivered)
	for range 2 { // a retry may name fewer or more recipients than what failed
		g.deliver(first, wire.Delivered, wire.Delivered)
	}
	r.restart()
	g.deliver(first, wire.Delivered, wire.Delivered)
	g.send("second")
	g.deliver(first, wire.Delivered, wire.Delivered)
	for _, o := range []*owner{alice, bob} {
		items := o.wantMessages(long("first", 1000), "second")
		o.ack(items)
		g.deliver(first, wire.Delivered, wire.Delivered)
		o.wantMessages()
	}
}

// TestAddressesElsewhere: a copied address opens neither for another group nor
// for another delivery service.
func TestAddressesElsewhere(t *testing.T) {
	r := newRig(t, nil)
	alice := r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice)
	g.send("mine")
	thief := r.newGroup()
	thief.members = g.members
	thief.deliver(thief.delivery([]byte("stolen")), wire.UnknownAddress)
	foreign := r.newGroup()
	foreign.id, foreign.members, foreign.domain = g.id, g.members, "evil.example"
	foreign.sequence = 100
	foreign.deliver(foreign.delivery([]byte("stolen")), wire.UnknownAddress)
	g.send("mine again")
	alice.wantMessages("mine", "mine again")
}

func TestOneTimeAddress(t *testing.T) {
	r := newRig(t, nil)
	alice := r.newOwner(wire.QueueSettings{})
	m := alice.address(wire.AddressOneTime, nil)
	k, err := seal.GenerateKey(wire.X25519)
	r.must(err)
	m.welcomeKey = k
	delete(alice.secrets, m.id) // the adder picks the secret; the owner does not know it yet
	g, other := r.newGroup(), r.newGroup()
	g.members, other.members = []*member{m}, []*member{m}
	g.send("Welcome")
	other.deliver(other.delivery([]byte("another Welcome")), wire.UnknownAddress)
	items := alice.read()
	if len(items) != 1 || items[0].item.Address != m.id || items[0].item.Stream != m.id {
		t.Fatalf("read %v", items)
	}
	entry, err := seal.OpenWelcomeEntry(k, &items[0].item.Entry)
	r.must(err)
	welcome, err := seal.OpenPayload(entry.PayloadKey, items[0].item.Inline)
	r.must(err)
	if string(welcome) != "Welcome" {
		t.Fatalf("opened %q", welcome)
	}
	// From then on the delivery secret that the Welcome's join info told.
	m.welcomeKey, alice.secrets[m.id] = nil, m.secret
	r.restart()
	g.send("a message")
	other.deliver(other.delivery([]byte("still not")), wire.UnknownAddress)
	alice.wantMessages("a message")
}

func TestReusableAddressAndRevocation(t *testing.T) {
	r := newRig(t, nil)
	alice := r.newOwner(wire.QueueSettings{})
	m := alice.address(wire.AddressReusable, nil)
	groups := []*group{r.newGroup(), r.newGroup(), r.newGroup()}
	var streams []wire.AddressID
	for n, g := range groups[:2] {
		g.members = []*member{m}
		g.send(fmt.Sprint("to group ", n))
		items := alice.wantMessages(fmt.Sprint("to group ", n))
		if items[0].item.Address != m.id || items[0].item.Stream == m.id {
			t.Fatal("a group has no stream of its own")
		}
		streams = append(streams, items[0].item.Stream)
	}
	r.must(r.service.Revoke(r.ctx, alice.queue, streams[0]))
	groups[0].deliver(groups[0].delivery([]byte("blocked")), wire.Revoked)
	groups[1].send("not blocked")
	alice.wantMessages("not blocked")
	r.must(r.service.Revoke(r.ctx, alice.queue, m.id))
	groups[2].members = groups[1].members
	groups[1].deliver(groups[1].delivery([]byte("blocked")), wire.Revoked)
	groups[2].deliver(groups[2].delivery([]byte("blocked")), wire.Revoked)
	bound := r.newGroup(alice)
	bound.send("another address")
	r.must(r.service.Revoke(r.ctx, alice.queue, bound.members[0].id))
	bound.deliver(bound.delivery([]byte("blocked")), wire.Revoked)
	alice.wantMessages("another address")
}

func TestOutcomes(t *testing.T) {
	r := newRig(t, nil)
	alice, full, gone := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{MaxEntries: 1}), r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice, full, gone)
	g.send(long("first", 1000))
	r.must(r.service.Delete(r.ctx, gone.queue))
	second := g.delivery([]byte(long("second", 1000)))
	second.Recipients[0].Address.KeyID[0]++
	g.deliver(second, wire.UnknownAddress, wire.Full, wire.UnknownAddress)
	full.ack(full.wantMessages(long("first", 1000)))
	g.deliver(g.delivery([]byte(long("third", 1000))), wire.Delivered, wire.Delivered, wire.UnknownAddress)
	full.wantMessages(long("third", 1000))
	for name, d := range map[string]*wire.Delivery{
		"empty payload": {Recipients: second.Recipients},
		"large payload": {Payload: make([]byte, qs.MaxPayload+1), Recipients: second.Recipients},
		"no recipients": {Payload: []byte{1}},
		"too many":      {Payload: []byte{1}, Recipients: make([]wire.Recipient, qs.MaxRecipients+1)},
	} {
		if _, err := r.service.Deliver(r.ctx, dsDomain, d); !errors.Is(err, qs.ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPayloadsAreReleased: a payload stays until the last recipient has given
// its ticket back, and those it never reached do not count.
func TestPayloadsAreReleased(t *testing.T) {
	r := newRig(t, nil)
	alice, bob, gone := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice, bob, gone)
	r.must(r.service.Delete(r.ctx, gone.queue))
	d := g.delivery([]byte(long("once", 5000)))
	g.deliver(d, wire.Delivered, wire.Delivered, wire.UnknownAddress)
	g.deliver(d, wire.Delivered, wire.Delivered, wire.UnknownAddress)
	a, b := alice.wantMessages(long("once", 5000)), bob.wantMessages(long("once", 5000))
	for range 3 {
		alice.ack(a)
	}
	if len(bob.payload(b[0].item)) == 0 {
		t.Fatal("one recipient's acknowledgements took the payload from the other")
	}
	bob.ack(b)
	if len(bob.payload(b[0].item)) != 0 {
		t.Fatal("the payload stays after all gave their tickets back")
	}
	forged := *b[0].item.Ticket
	forged.Index++
	_, err := r.service.Fetch(r.ctx, []wire.Ticket{forged})
	r.want(err, qs.ErrTicket)
	r.want(r.service.Ack(r.ctx, alice.queue, 99, []wire.Ticket{forged}), qs.ErrTicket)
	_, err = r.service.Fetch(r.ctx, nil)
	r.want(err, qs.ErrSize)
}

// TestSegments: a segment ends after its number of entries, its age, and with
// the process, and what was sealed before still opens.
func TestSegments(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRig(t, func(c *qs.Config) { c.SegmentEntries, c.Now = 3, func() time.Time { return now } })
	alice := r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice)
	var want []string
	send := func(n int) {
		for range n {
			want = append(want, fmt.Sprint("message ", len(want)))
			g.send(want[len(want)-1])
		}
	}
	segments := func() int {
		page, err := r.service.Read(r.ctx, alice.queue, 0, 1000, 0)
		r.must(err)
		ids := map[wire.SegmentID]bool{}
		for _, s := range page.Segments {
			ids[s.ID] = true
		}
		return len(ids)
	}
	for _, step := range []struct {
		do       func()
		segments int
	}{
		{func() { send(3) }, 1},
		{func() { send(1) }, 2},
		{func() { r.restart(); send(1) }, 3},
		{func() { now = now.Add(59 * time.Minute); send(1) }, 3},
		{func() { now = now.Add(2 * time.Minute); send(1) }, 4},
	} {
		step.do()
		if got := segments(); got != step.segments {
			t.Fatalf("%d segments after %d messages, want %d", got, len(want), step.segments)
		}
	}
	alice.wantMessages(want...)
}

// TestAddressKeysRetire: an address dies with the key it was sealed to, also if
// it was opened before.
func TestAddressKeysRetire(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRig(t, func(c *qs.Config) { c.Now = func() time.Time { return now } })
	alice := r.newOwner(wire.QueueSettings{})
	old := r.newGroup(alice)
	old.send("old address")
	now = now.Add(31 * 24 * time.Hour)
	r.must(r.service.Maintain(r.ctx))
	young := r.newGroup(alice)
	old.send("old address, new key")
	young.send("new address")
	alice.ack(alice.wantMessages("old address, new key", "new address")) // the first one is over its TTL
	now = now.Add(80 * 24 * time.Hour)
	r.must(r.service.Maintain(r.ctx))
	old.send("still")
	alice.ack(alice.wantMessages("still"))
	now = now.Add(80 * 24 * time.Hour)
	alice.wantMessages()
	now = now.Add(20 * 24 * time.Hour)
	r.must(r.service.Maintain(r.ctx))
	old.deliver(old.delivery([]byte("too late")), wire.UnknownAddress)
	young.send("new address")
	now = now.Add(91 * 24 * time.Hour)
	r.must(r.service.Maintain(r.ctx)) // nobody has read for 91 days
	young.deliver(young.delivery([]byte("gone")), wire.UnknownAddress)
}

// TestINV06ManySendersAndReaders: concurrent senders, retries and a reader per
// queue; every message is seen once, and each group's in order.
func TestINV06ManySendersAndReaders(t *testing.T) {
	for _, mix := range []time.Duration{0, 2 * time.Millisecond} {
		r := newRig(t, func(c *qs.Config) { c.Mix, c.SegmentEntries = mix, 7 })
		const groups, messages = 6, 25
		owners := []*owner{r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})}
		var wg sync.WaitGroup
		for n := range groups {
			g := r.newGroup(owners...)
			wg.Go(func() {
				for i := range messages {
					text := fmt.Sprintf("%d %d", n, i)
					if i%2 == 0 {
						text = long(text, 1000)
					}
					d := g.delivery([]byte(text))
					for range 1 + i%3 {
						if _, err := r.service.Deliver(r.ctx, g.domain, d); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		for _, o := range owners {
			wg.Go(func() {
				var seen [groups]int
				for total := 0; total < groups*messages; {
					page, err := r.service.Read(r.ctx, o.queue, o.last, 10, time.Minute)
					if err != nil || len(page.Entries) == 0 {
						t.Errorf("after %d messages: %v", total, err)
						return
					}
					items := o.open(page)
					for _, i := range items {
						var n, m int
						fmt.Sscanf(i.message, "%d %d", &n, &m)
						if m != seen[n] {
							t.Errorf("group %d: message %d after %d", n, m, seen[n])
							return
						}
						seen[n]++
						total++
					}
					o.ack(items)
				}
			})
		}
		wg.Wait()
	}
}

func TestConfigIsChecked(t *testing.T) {
	r := newRig(t, nil)
	for name, change := range map[string]func(*qs.Config){
		"no domain":   func(c *qs.Config) { c.Domain = "" },
		"no store":    func(c *qs.Config) { c.Store = nil },
		"no keys":     func(c *qs.Config) { c.Keys = nil },
		"no payments": func(c *qs.Config) { c.Payments = nil },
		"inline":      func(c *qs.Config) { c.Inline = qs.MaxCiphertext },
		"mix":         func(c *qs.Config) { c.Mix = -1 },
	} {
		cfg := r.cfg
		change(&cfg)
		if _, err := qs.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := r.service.Create(r.ctx, &wire.CreateQueue{SegmentKey: wire.HPKEKey{KEM: wire.X25519}})
	r.want(err, qs.ErrKey)
}

// TestKeyOfLowOrder: a queue whose segment key nothing can be encapsulated to holds
// up no delivery to others.
func TestKeyOfLowOrder(t *testing.T) {
	r := newRig(t, nil)
	bad := wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}
	mallory, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	_, err := r.service.Create(r.ctx, &wire.CreateQueue{OwnerKey: [32]byte(r.newSigner().Public()), SegmentKey: bad})
	r.want(err, qs.ErrKey)

	key := [32]byte(r.newSigner().Public())
	mallory.queue = wire.QueueIDOf(key[:])
	_, err = r.cfg.Store.CreateQueue(r.ctx, mallory.queue, 1, qs.Queue{OwnerKey: key, SegmentKey: bad})
	r.must(err)
	g := r.newGroup(mallory, bob)
	g.deliver(g.delivery([]byte("hello")), wire.UnknownAddress, wire.Delivered)
	if got := bob.read(); len(got) != 1 || got[0].message != "hello" {
		t.Errorf("read %v", got)
	}
}
