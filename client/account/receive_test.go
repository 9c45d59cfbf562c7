package account_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// channel is a group's way to one member, as its delivery service has it.
type channel struct {
	*site
	group    wire.GroupID
	address  wire.QueueAddress
	secret   seal.DeliverySecret
	sequence uint64
}

// channelOf makes a group that delivers to the person.
func (p *person) channelOf(g byte) (*channel, wire.AddressID) {
	p.Helper()
	c := &channel{site: p.site, group: wire.GroupID{g}}
	m, id, err := p.BoundAddress(p.ctx, domain, c.group)
	p.must(err)
	c.address, c.secret = m.Address, seal.DeliverySecret{Bytes: m.Secret}
	return c, id
}

// fanout delivers what is given, after welcome has sealed its key if it is not nil.
func (c *channel) fanout(f *wire.Fanout, welcome *[32]byte) wire.Outcome {
	c.Helper()
	c.sequence++
	b, err := mls.Marshal(f)
	c.must(err)
	return c.deliver(b, welcome)
}

func (c *channel) deliver(b []byte, welcome *[32]byte) wire.Outcome {
	c.Helper()
	payload, key, err := seal.SealPayload(rand.Reader, b)
	c.must(err)
	e := &seal.Entry{PayloadKey: key, Sequence: c.sequence}
	r := wire.Recipient{Address: c.address.Sealed, Binding: seal.Binding(c.group[:], c.address.Nonce), Number: seal.Number(c.secret, c.sequence)}
	if welcome != nil {
		r.Entry, err = seal.SealWelcomeEntry(*welcome, e)
	} else {
		r.Entry, err = seal.SealEntry(rand.Reader, c.secret, e)
	}
	c.must(err)
	report, err := c.queues.Deliver(c.ctx, domain, &wire.Delivery{Payload: payload, Recipients: []wire.Recipient{r}})
	c.must(err)
	return report[0]
}

func (c *channel) say(text string) {
	c.Helper()
	if o := c.fanout(&wire.Fanout{Kind: wire.FanoutApplication, Domain: domain, Group: c.group, Message: []byte(text)}, nil); o != wire.Delivered {
		c.Fatalf("outcome %d", o)
	}
}

func texts(in []account.Incoming) (out []string) {
	for _, i := range in {
		if i.Fanout == nil {
			out = append(out, "?")
			continue
		}
		out = append(out, string(i.Fanout.Message[:min(len(i.Fanout.Message), 10)]))
	}
	return out
}

func (p *person) wantTexts(in []account.Incoming, want ...string) {
	p.Helper()
	if got := texts(in); !slices.Equal(got, want) {
		p.Fatalf("received %q, want %q", got, want)
	}
}

func TestReceiveUntilAcknowledged(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	one, id := alice.channelOf(1)
	two, _ := alice.channelOf(2)
	one.say("a")
	two.say("b")
	one.say("long" + strings.Repeat("x", 5000)) // by a ticket
	for range 2 {
		in, err := alice.Receive(s.ctx, time.Minute)
		s.must(err)
		alice.wantTexts(in, "a", "b", "longxxxxxx")
		if in[0].Address != id || in[0].Stream != id || in[0].Sequence != 1 || in[2].Sequence != 2 || in[0].Lost || in[1].Fanout.Group != two.group {
			t.Fatalf("received %+v", in)
		}
		s.want(alice.Ack(s.ctx, in[2].Seq+1), account.ErrSeq)
	}
	in, err := alice.Receive(s.ctx, 0)
	s.must(err)
	s.must(alice.Ack(s.ctx, in[1].Seq))
	s.must(alice.Ack(s.ctx, in[0].Seq)) // earlier: nothing to do
	in, err = alice.Receive(s.ctx, 0)
	s.must(err)
	alice.wantTexts(in, "longxxxxxx")
	alice.restart()
	two.say("c")
	alice.wantTexts(alice.receive(), "longxxxxxx", "c")
	alice.restart()
	if in := alice.receive(); len(in) != 0 {
		t.Fatalf("%d entries came again", len(in))
	}
}

// TestLostAcknowledgement: the service is told later, and nothing comes again.
func TestLostAcknowledgement(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	c.say(strings.Repeat("x", 5000))
	in, err := alice.Receive(s.ctx, 0)
	s.must(err)
	alice.net.lose(always("/queue_operation"))
	s.must(alice.Ack(s.ctx, in[0].Seq))
	alice.net.lose(nil)
	before := s.took(wire.OpAckQueue)
	if again := alice.receive(); len(again) != 0 {
		t.Fatal("it came again")
	}
	if s.took(wire.OpAckQueue) != before+1 {
		t.Fatal("the service was not told")
	}
}

// TestWaiting: a reader that waits gets what comes, and a newer reader ends it.
func TestWaiting(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	go func() {
		time.Sleep(50 * time.Millisecond)
		c.say("late")
	}()
	in, err := alice.Receive(s.ctx, time.Minute)
	s.must(err)
	alice.wantTexts(in, "late")
	s.must(alice.Ack(s.ctx, in[0].Seq))
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() { // the first may come before alice waits
		defer close(stopped)
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := s.queues.Read(s.ctx, alice.Queue(), 0, 1, 0); err != nil && !errors.Is(err, qs.ErrReplaced) {
				t.Error(err)
			}
		}
	}()
	_, err = alice.Receive(s.ctx, time.Minute)
	close(ended)
	<-stopped
	s.want(err, account.ErrReplaced)
	start := time.Now()
	if in, err := alice.Receive(s.ctx, time.Second); err != nil || len(in) != 0 || time.Since(start) < 500*time.Millisecond {
		t.Fatalf("%d entries after %v, %v", len(in), time.Since(start), err)
	}
}

// TestBadEntries have an error, do not keep others away, and can be acknowledged.
func TestBadEntries(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	good, _ := alice.channelOf(1)
	other, _ := alice.channelOf(2)
	stranger := *other // seals with a secret that alice does not have
	stranger.secret = seal.DeliverySecret{Bytes: secret.New(bytes.Repeat([]byte{9}, seal.DeliverySecretSize))}
	forgotten, id := alice.channelOf(3)
	s.must(alice.Forget(id))
	s.must(alice.Forget(id))

	stranger.say("not for alice")
	foreign := &wire.Fanout{Kind: wire.FanoutApplication, Domain: domain, Group: wire.GroupID{99}, Message: []byte("x")}
	good.fanout(foreign, nil)
	foreign.Group, foreign.Domain = good.group, "other.example"
	good.fanout(foreign, nil)
	good.sequence++
	good.deliver([]byte("no fanout"), nil)
	forgotten.say("whose?")
	good.say("good")
	in := alice.receive()
	if len(in) != 6 {
		t.Fatalf("%d entries", len(in))
	}
	for i := range 4 {
		s.want(in[i].Err, account.ErrEntry)
	}
	s.want(in[4].Err, account.ErrUnknownAddress)
	if in[5].Err != nil || string(in[5].Fanout.Message) != "good" {
		t.Fatalf("received %+v", in[5])
	}
}

// TestGapsAndGone: what has expired shows.
func TestGapsAndGone(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	c.say("old")
	s.sleep(40 * 24 * time.Hour)
	c.say("new")
	in := alice.receive()
	alice.wantTexts(in, "new")
	if !in[0].Lost {
		t.Fatal("the gap does not show")
	}
	c.say("next")
	if in := alice.receive(); in[0].Lost {
		t.Fatal("a gap that is none")
	}
}

func TestRevokedAddress(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, id := alice.channelOf(1)
	c.say("before")
	alice.receive()
	s.must(alice.Revoke(s.ctx, id))
	s.must(alice.Revoke(s.ctx, id))
	c.sequence++
	if o := c.fanout(&wire.Fanout{Kind: wire.FanoutApplication, Domain: domain, Group: c.group, Message: []byte("x")}, nil); o != wire.Revoked {
		t.Fatalf("outcome %d", o)
	}
	if in := alice.receive(); len(in) != 0 {
		t.Fatalf("received %+v", in)
	}
}

// welcome delivers a Welcome to the holder of a KeyPackage and returns the channel
// of its group. The Welcome itself is not looked at here.
func (s *site) welcome(k *mls.KeyPackage, g byte) *channel {
	s.Helper()
	var address wire.KeyPackageAddress
	ok, err := k.Extensions.Decode(wire.ExtensionQueueAddress, &address)
	if err != nil || !ok {
		s.Fatalf("no address in the KeyPackage, %v", err)
	}
	b := make([]byte, seal.DeliverySecretSize)
	rand.Read(b)
	c := &channel{site: s, group: wire.GroupID{g}, address: address.Address, secret: seal.DeliverySecret{Bytes: secret.New(b)}}
	info, err := seal.SealJoinInfo(address.WelcomeKey, c.group, &wire.JoinInfo{
		GroupStateKey: secret.New(make([]byte, wire.GroupStateKeySize)), DeliverySecret: c.secret.Bytes})
	s.must(err)
	f := &wire.Fanout{Kind: wire.FanoutWelcome, Domain: domain, Group: c.group, Message: []byte("welcome"), JoinInfo: info}
	if o := c.fanout(f, &address.WelcomeKey); o != wire.Delivered {
		s.Fatalf("outcome %d", o)
	}
	return c
}

// TestWelcome plays what package client does with one, with a restart in between.
func TestWelcome(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.must(err)
	c := s.welcome(k, 5)
	c.say("first")

	in, err := bob.Receive(s.ctx, 0)
	s.must(err)
	bob.wantTexts(in, "welcome") // and not what follows it
	w := in[0]
	if w.JoinInfo == nil || !w.JoinInfo.DeliverySecret.Equal(c.secret.Bytes) || w.Fanout.Group != c.group || w.Pool != wire.PoolGroup {
		t.Fatalf("received %+v", w)
	}
	suite, err := k.CipherSuite.Suite()
	s.must(err)
	ref, err := k.Ref(suite)
	s.must(err)
	if !bytes.Equal(w.KeyPackage, ref) {
		t.Fatal("another KeyPackage is named")
	}
	// Before it is acknowledged all of it is there also after a restart, and though
	// the group has deleted the KeyPackage.
	s.must(bob.KeyPackages().DeleteKeyPackage(ref))
	s.want(bob.Adopt(wire.AddressID{1}, c.secret), account.ErrUnknownAddress)
	s.must(bob.Adopt(w.Stream, c.secret))
	s.must(bob.Adopt(w.Stream, c.secret))
	bob.restart()
	if own, err := bob.KeyPackages().KeyPackage(ref); err != nil || own == nil {
		t.Fatalf("the KeyPackage is gone, %v", err)
	}
	persona, welcomeKey, err := bob.KeyPackagePersona(ref)
	s.must(err)
	if !bytes.Equal(persona.Signer.Public(), k.LeafNode.SignatureKey) || welcomeKey == nil {
		t.Fatal("another persona")
	}
	in, err = bob.Receive(s.ctx, 0)
	s.must(err)
	bob.wantTexts(in, "welcome")
	s.must(bob.Ack(s.ctx, in[0].Seq))
	bob.wantTexts(bob.receive(), "first")
	if own, err := bob.KeyPackages().KeyPackage(ref); own != nil || err != nil {
		t.Fatalf("the KeyPackage is still there, %v", err)
	}
	_, _, err = bob.KeyPackagePersona(ref)
	s.want(err, account.ErrNoKeyPackage)
	bob.restart()
	c.say("second")
	in = bob.receive()
	bob.wantTexts(in, "second")
	if in[0].Stream != w.Stream || in[0].Sequence != 3 {
		t.Fatalf("received %+v", in[0])
	}
	if due := bob.DueAddresses(); len(due) != 0 {
		t.Fatalf("%d addresses are due", len(due))
	}
	s.sleep(150 * 24 * time.Hour)
	if due := bob.DueAddresses(); len(due) != 1 || due[0] != w.Stream {
		t.Fatalf("%d addresses are due", len(due))
	}
}

// TestWelcomeThatIsNotOne: the key of a KeyPackage opens Welcomes alone, and what is
// not adopted does not open.
func TestWelcomeThatIsNotOne(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.must(err)
	var address wire.KeyPackageAddress
	_, err = k.Extensions.Decode(wire.ExtensionQueueAddress, &address)
	s.must(err)
	c := &channel{site: s, group: wire.GroupID{5}, address: address.Address, secret: seal.DeliverySecret{Bytes: secret.New(make([]byte, 32))}}
	c.fanout(&wire.Fanout{Kind: wire.FanoutApplication, Domain: domain, Group: c.group, Message: []byte("x")}, &address.WelcomeKey)
	c.fanout(&wire.Fanout{Kind: wire.FanoutWelcome, Domain: domain, Group: c.group, Message: []byte("x"), JoinInfo: []byte("bad")}, &address.WelcomeKey)
	c.say("not adopted")
	in := bob.receive()
	if len(in) != 3 {
		t.Fatalf("%d entries", len(in))
	}
	s.want(in[0].Err, account.ErrEntry)
	s.want(in[1].Err, account.ErrEntry)
	s.want(in[2].Err, account.ErrUnknownAddress)
}

// TestLastResort: it serves several groups, each by a stream of its own, and is
// replaced by the next Refill.
func TestLastResort(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	var last *mls.KeyPackage
	for range someKeys + 1 {
		k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
		s.must(err)
		last = k
	}
	if !last.LastResort() {
		t.Fatal("not the last resort")
	}
	streams := map[wire.AddressID]bool{}
	for g := range 2 {
		c := s.welcome(last, byte(g))
		in, err := bob.Receive(s.ctx, 0)
		s.must(err)
		s.must(bob.Adopt(in[0].Stream, c.secret))
		s.must(bob.Ack(s.ctx, in[0].Seq))
		streams[in[0].Stream] = true
		c.say("hello")
		bob.wantTexts(bob.receive(), "hello")
	}
	if len(streams) != 2 {
		t.Fatal("two groups have one stream")
	}
	// The same group again, with another secret. If that has the stream's numbers
	// begin lower than before, the queue service takes the Welcome for a repetition.
	c := s.welcome(last, 0)
	in, err := bob.Receive(s.ctx, 0)
	for s.must(err); len(in) == 0; s.must(err) {
		c = s.welcome(last, 0)
		in, err = bob.Receive(s.ctx, 0)
	}
	s.must(bob.Adopt(in[0].Stream, c.secret))
	s.must(bob.Ack(s.ctx, in[0].Seq))
	c.say("again")
	bob.wantTexts(bob.receive(), "again")

	bob.restart()
	s.must(bob.Refill(s.ctx))
	k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.must(err)
	if k.LastResort() {
		t.Fatal("the pool was not refilled")
	}
}

// TestKeyPackageOfItsOwn is in no pool, and joins a real group.
func TestKeyPackageOfItsOwn(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	first, err := alice.NewPersona(nil)
	s.must(err)
	second, err := alice.NewPersona(first)
	s.must(err)
	if first.Pseudonym.Credential.User != second.Pseudonym.Credential.User || first.Pseudonym.Credential.Client == second.Pseudonym.Credential.Client ||
		!bytes.Equal(first.UserAuth.Public(), second.UserAuth.Public()) || bytes.Equal(first.Signer.Public(), second.Signer.Public()) {
		t.Fatal("not two clients of one user")
	}
	k, err := alice.NewKeyPackage(s.ctx, second)
	s.must(err)
	alice.restart()
	g, err := group.Create(group.Config{}, alice.Client(first), []byte("group"), nil)
	s.must(err)
	commit, err := g.Commit(group.CommitOptions{Proposals: []*mls.Proposal{group.Add(k)}})
	s.must(err)
	_, err = g.Merge()
	s.must(err)
	nodes, err := g.Tree()
	s.must(err)
	joined, err := group.JoinWelcome(group.Config{KeyPackages: alice.KeyPackages()}, commit.Welcome.Welcome, group.JoinOptions{Tree: nodes})
	s.must(err)
	if joined.Epoch() != g.Epoch() {
		t.Fatal("another epoch")
	}
	if own, err := alice.KeyPackages().KeyPackage(nil); own != nil || err != nil {
		t.Fatal("a KeyPackage of no name")
	}
	s.want(alice.KeyPackages().PutKeyPackage(nil, nil), account.ErrNoKeyPackage)
}

// TestHostileQueueService: what it answers ends in an error within bounds.
func TestHostileQueueService(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	c.say(strings.Repeat("x", 5000))
	c.say("y")
	lie := func(o wire.Operation, v mls.Marshaler) {
		b, err := mls.Marshal(v)
		s.must(err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lie = func(r *wire.Request) ([]byte, bool) { return b, r.Operation == o }
	}
	entry := func(seq uint64) wire.QueueEntry {
		return wire.QueueEntry{Seq: seq, Segment: 1, Ciphertext: []byte("x")}
	}
	for name, page := range map[string]*wire.QueuePage{
		"repeated": {Entries: []wire.QueueEntry{entry(3), entry(3)}},
		"reversed": {Entries: []wire.QueueEntry{entry(3), entry(2)}},
		"zero":     {Entries: []wire.QueueEntry{entry(0)}},
		"too long": {Entries: make([]wire.QueueEntry, 2000)},
	} {
		lie(wire.OpReadQueue, page)
		if _, err := alice.Receive(s.ctx, 0); !errors.Is(err, account.ErrService) {
			t.Errorf("%s: %v", name, err)
		}
	}
	lie(wire.OpReadQueue, &wire.Ticket{})
	_, err := alice.Receive(s.ctx, 0)
	s.want(err, account.ErrService)
	lie(wire.OpFetchPayloads, &wire.Payloads{[]byte("a"), []byte("b"), []byte("c")})
	_, err = alice.Receive(s.ctx, 0)
	s.want(err, account.ErrService)
	lie(wire.OpFetchPayloads, &wire.Payloads{})
	_, err = alice.Receive(s.ctx, 0)
	s.want(err, account.ErrService)
	lie(wire.OpFetchPayloads, &wire.Payloads{nil})
	in, err := alice.Receive(s.ctx, 0)
	s.must(err)
	s.want(in[0].Err, account.ErrGone)
	if in[1].Err != nil {
		t.Fatalf("received %+v", in[1])
	}
	s.must(alice.Ack(s.ctx, in[1].Seq))
	// Entries that do not open.
	lie(wire.OpReadQueue, &wire.QueuePage{Entries: []wire.QueueEntry{entry(4)}})
	in, err = alice.Receive(s.ctx, 0)
	s.must(err)
	s.want(in[0].Err, account.ErrEntry)
	if !in[0].Lost {
		t.Error("a gap does not show")
	}
}

// TestLargePayloads come a few at a time.
func TestLargePayloads(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	for i := range 7 {
		c.say(string(rune('a'+i)) + strings.Repeat("x", 900_000))
	}
	var all []string
	for {
		in, err := alice.Receive(s.ctx, 0)
		s.must(err)
		if len(in) == 0 {
			break
		}
		if len(in) > 6 {
			t.Fatalf("%d large entries at once", len(in))
		}
		for _, i := range in {
			all = append(all, string(i.Fanout.Message[:1]))
		}
		s.must(alice.Ack(s.ctx, in[len(in)-1].Seq))
	}
	if got := strings.Join(all, ""); got != "abcdefg" {
		t.Fatalf("received %q", got)
	}
}
