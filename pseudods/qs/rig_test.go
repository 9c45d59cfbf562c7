package qs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

const (
	qsDomain = "qs.example"
	dsDomain = "ds.example"
)

// rig is a service with what it needs.
type rig struct {
	testing.TB
	ctx     context.Context
	cfg     qs.Config
	service *qs.Service
	paid    *payments
	pushed  *pushes
}

// payments takes any token, once: a retry with the same digest is paid.
type payments struct {
	mu    sync.Mutex
	spent map[string][32]byte
	ops   []wire.Operation
}

func (p *payments) Pay(_ context.Context, op wire.Operation, tokens [][]byte, request [32]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(tokens) != 1 {
		return &wire.Error{Code: wire.CodeTokenRequired}
	}
	if by, ok := p.spent[string(tokens[0])]; ok && by != request {
		return &wire.Error{Code: wire.CodeTokenSpent}
	}
	p.spent[string(tokens[0])] = request
	p.ops = append(p.ops, op)
	return nil
}

type pushes struct {
	mu      sync.Mutex
	targets []string
	lost    func() // of the last one
}

func (p *pushes) Notify(target []byte, lost func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = lost
	p.targets = append(p.targets, string(target))
}

func (p *pushes) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.targets = nil }()
	return p.targets
}

// newRig returns a rig over a store in memory, with a changed configuration.
func newRig(t testing.TB, change func(*qs.Config)) *rig {
	t.Helper()
	r := &rig{TB: t, ctx: context.Background(), paid: &payments{spent: map[string][32]byte{}}, pushed: &pushes{}}
	r.cfg = qs.Config{Domain: qsDomain, Store: queuetest.NewReference(), Payments: r.paid, Push: r.pushed}
	if change != nil {
		change(&r.cfg)
	}
	now := time.Now
	if r.cfg.Now != nil {
		now = r.cfg.Now
	}
	if r.cfg.Keys == nil {
		keys, err := addresskeys.Open(addresskeys.Config{Dir: filepath.Join(t.TempDir(), "keys")}, now())
		r.must(err)
		r.cfg.Keys = keys
	}
	r.restart()
	return r
}

// restart replaces the service by a new one over the same store.
func (r *rig) restart() {
	r.Helper()
	service, err := qs.New(r.cfg)
	r.must(err)
	r.service = service
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) want(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("got error %v, want %v", err, want)
	}
}

func random[T ~[]byte](n int) T {
	b := make(T, n)
	rand.Read(b)
	return b
}

// owner has a queue.
type owner struct {
	*rig
	sign     *mls.SignatureKey
	segments *seal.PrivateKey
	queue    wire.QueueID
	reader   *seal.Reader
	secrets  map[wire.AddressID]seal.DeliverySecret
	last     uint64
}

func (r *rig) newSigner() *mls.SignatureKey {
	suite, err := mls.X25519AES128GCM.Suite()
	r.must(err)
	k, err := suite.GenerateSignatureKey(rand.Reader)
	r.must(err)
	return k
}

func (r *rig) newOwner(settings wire.QueueSettings) *owner {
	return r.newOwnerWith(wire.X25519, settings)
}

func (r *rig) newOwnerWith(kem wire.KEM, settings wire.QueueSettings) *owner {
	r.Helper()
	k, err := seal.GenerateKey(kem)
	r.must(err)
	o := &owner{rig: r, sign: r.newSigner(), segments: k, secrets: map[wire.AddressID]seal.DeliverySecret{}}
	info, err := r.service.Create(r.ctx, o.creation(settings))
	r.must(err)
	o.queue = info.Queue
	o.reader = seal.NewReader(k, o.queue)
	return o
}

func (o *owner) creation(settings wire.QueueSettings) *wire.CreateQueue {
	return &wire.CreateQueue{OwnerKey: [32]byte(o.sign.Public()), SegmentKey: *o.segments.Public(), Settings: settings}
}

// member is a recipient as a delivery service knows it.
type member struct {
	owner      *owner
	id         wire.AddressID
	address    wire.QueueAddress
	secret     seal.DeliverySecret
	welcomeKey *seal.PrivateKey // if the first entry is a Welcome's
}

// group is a delivery service's view of a group.
type group struct {
	*rig
	id       []byte
	domain   string
	sequence uint64
	members  []*member
}

func (r *rig) newGroup(owners ...*owner) *group {
	g := &group{rig: r, id: random[[]byte](32), domain: dsDomain}
	for _, o := range owners {
		g.members = append(g.members, o.address(wire.AddressBound, g))
	}
	return g
}

// address makes an address of the owner's queue, bound to a group if it is of
// that kind.
func (o *owner) address(kind wire.AddressKind, g *group) *member {
	o.Helper()
	m := &member{owner: o, id: wire.AddressID(random[[]byte](16)), secret: seal.DeliverySecret{Bytes: secret.New(random[[]byte](seal.DeliverySecretSize))}}
	copy(m.address.Nonce[:], random[[]byte](16))
	m.address.Domain = qsDomain
	var use seal.Use
	if kind == wire.AddressBound {
		use = g.use(m)
	}
	sealed, err := seal.SealAddress(&o.cfg.Keys.Published()[0].Key, kind, o.queue, m.id, use)
	o.must(err)
	m.address.Sealed = *sealed
	o.secrets[m.id] = m.secret
	return m
}

func (g *group) use(m *member) seal.Use {
	return seal.Use{Domain: g.domain, Binding: seal.Binding(g.id, m.address.Nonce)}
}

// delivery encrypts a message to the members as a delivery service does.
func (g *group) delivery(message []byte) *wire.Delivery {
	g.Helper()
	g.sequence++
	payload, key, err := seal.SealPayload(rand.Reader, message)
	g.must(err)
	d := &wire.Delivery{Payload: payload}
	for _, m := range g.members {
		e := &seal.Entry{PayloadKey: key, Sequence: g.sequence}
		rec := wire.Recipient{Address: m.address.Sealed, Binding: g.use(m).Binding, Number: seal.Number(m.secret, g.sequence)}
		if m.welcomeKey != nil {
			rec.Entry, err = seal.SealWelcomeEntry([32]byte(m.welcomeKey.Public().Public), e)
		} else {
			rec.Entry, err = seal.SealEntry(rand.Reader, m.secret, e)
		}
		g.must(err)
		d.Recipients = append(d.Recipients, rec)
	}
	return d
}

func (g *group) deliver(d *wire.Delivery, want ...wire.Outcome) {
	g.Helper()
	report, err := g.service.Deliver(g.ctx, g.domain, d)
	g.must(err)
	if !slices.Equal(report, want) {
		g.Fatalf("report %v, want %v", report, want)
	}
}

// send delivers a message to all members.
func (g *group) send(message string) {
	g.Helper()
	want := make([]wire.Outcome, len(g.members))
	for i := range want {
		want[i] = wire.Delivered
	}
	g.deliver(g.delivery([]byte(message)), want...)
}

// received is what an owner made of an entry.
type received struct {
	seq      uint64
	item     *wire.Item
	sequence uint64
	message  string
}

// read reads what is new, and opens it.
func (o *owner) read() (out []received) {
	o.Helper()
	for {
		page, err := o.service.Read(o.ctx, o.queue, o.last, 0, 0)
		o.must(err)
		out = append(out, o.open(page)...)
		if page.Empty {
			return out
		}
	}
}

func (o *owner) open(page *wire.QueuePage) (out []received) {
	o.Helper()
	for _, e := range o.reader.Open(page) {
		o.must(e.Err)
		got := received{seq: e.Seq, item: e.Item}
		if s, ok := o.secrets[e.Item.Address]; ok && e.Item.Kind == wire.ItemDelivery {
			entry, err := seal.OpenEntry(s, &e.Item.Entry)
			o.must(err)
			message, err := seal.OpenPayload(entry.PayloadKey, o.payload(e.Item))
			o.must(err)
			got.sequence, got.message = entry.Sequence, string(message)
		}
		out, o.last = append(out, got), e.Seq
	}
	return out
}

func (o *owner) payload(item *wire.Item) []byte {
	o.Helper()
	if item.Ticket == nil {
		return item.Inline
	}
	payloads, err := o.service.Fetch(o.ctx, []wire.Ticket{*item.Ticket})
	o.must(err)
	return payloads[0]
}

// ack acknowledges what was read.
func (o *owner) ack(items []received) {
	o.Helper()
	var tickets []wire.Ticket
	for _, i := range items {
		if i.item.Ticket != nil {
			tickets = append(tickets, *i.item.Ticket)
		}
	}
	o.must(o.service.Ack(o.ctx, o.queue, o.last, tickets))
}

// wantMessages reads and checks what is new.
func (o *owner) wantMessages(want ...string) []received {
	o.Helper()
	items := o.read()
	var got []string
	for _, i := range items {
		got = append(got, i.message)
	}
	if !slices.Equal(got, want) {
		o.Fatalf("read %.60q, want %.60q", got, want)
	}
	return items
}

func long(s string, n int) string { return s + string(bytes.Repeat([]byte{'.'}, n-len(s))) }
