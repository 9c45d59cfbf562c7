package ds_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

const domain = "ds.example"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is a service on a store in memory, with a dispatcher and mailboxes behind
// it.
type rig struct {
	testing.TB
	store *grouptest.Reference
	ds    *ds.Service
	cfg   ds.Config
	mail  *mail
	users map[string]*mls.SignatureKey // the user keys of pseudonymous users
	// plain makes all clients unmodified MLS clients: bare pseudonyms, full
	// GroupInfos, and nothing that is not in RFC 9420 but the address in the
	// KeyPackage.
	plain bool
	mu    sync.Mutex
	now   time.Time
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newRig(t testing.TB, change func(*ds.Config)) *rig {
	r := &rig{TB: t, store: grouptest.NewReference(), mail: &mail{boxes: map[string]*box{}}, users: map[string]*mls.SignatureKey{}, now: start}
	r.cfg = ds.Config{Domain: domain, Store: r.store, Key: secret.New(bytes.Repeat([]byte{7}, ds.KeySize)), Payments: free{},
		PerGroup: ds.Limit{Every: time.Nanosecond, Burst: 1 << 20}, PerLeaf: ds.Limit{Every: time.Nanosecond, Burst: 1 << 20},
		Now: func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }}
	if change != nil {
		change(&r.cfg)
	}
	r.restart()
	t.Cleanup(func() {
		for _, id := range r.store.Groups() {
			r.check(id, r.store.Records(id))
		}
	})
	return r
}

// restart makes a new service on the same store: all memory is lost.
func (r *rig) restart() { r.ds = must(ds.New(r.cfg)) }

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// free takes no tokens and wants none.
type free struct{}

func (free) Verify(_ wire.Operation, tokens [][]byte) (ds.Payment, error) {
	if len(tokens) > 0 {
		return nil, &wire.Error{Code: wire.CodeTokenInvalid}
	}
	return nil, nil
}

// mail is all queues there are. A box is found by its sealed address.
type mail struct {
	mu    sync.Mutex
	boxes map[string]*box
	fail  func(domain string) error
	count func(*wire.Delivery)
}

type box struct {
	last    uint64 // delivery number
	binding [32]byte
	items   []item
	revoked bool
}

type item struct {
	entry   [wire.EntrySize]byte
	payload []byte
}

var _ ds.Deliverer = (*mail)(nil)

func (m *mail) Deliver(_ context.Context, domain string, d *wire.Delivery) (wire.DeliveryReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count != nil {
		m.count(d)
	}
	if m.fail != nil {
		if err := m.fail(domain); err != nil {
			return nil, err
		}
	}
	var report wire.DeliveryReport
	for _, r := range d.Recipients {
		b := m.boxes[string(r.Address.Ciphertext)]
		switch {
		case b == nil || b.binding != [32]byte{} && b.binding != r.Binding:
			report = append(report, wire.UnknownAddress)
			continue
		case b.revoked:
			report = append(report, wire.Revoked)
			continue
		case r.Number > b.last:
			b.last, b.binding = r.Number, r.Binding
			b.items = append(b.items, item{r.Entry, d.Payload})
		}
		report = append(report, wire.Delivered)
	}
	return report, nil
}

// deliver empties the outbox.
func (r *rig) deliver() {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond})
	go func() { done <- d.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); len(must(r.cfg.Store.Waiting(ctx, ds.Ref{}, 1))) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatal("the outbox does not empty")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		r.Fatal(err)
	}
}

// client is a member or a client that may become one.
type client struct {
	*rig
	*group.Group
	cfg     group.Config
	mls     *group.Client
	user    *mls.SignatureKey
	context mls.Extensions // of the groups it creates, beside the policy
	before  *group.Group   // that the one it joins follows
	kp      *mls.KeyPackage
	address wire.MemberAddress
	welcome *seal.PrivateKey
	read    int // items of its box that were read
	seen    []string
	roster  []wire.RosterPart // that came with commits
	entered *wire.Roster      // that it found when it joined
	last    uint64            // sequence
	misses  bool              // not every message reaches it
	gone    bool
	// targeted are the messages for it alone, each after its sender's leaf.
	targeted []string
	// franked are the messages that came with a frank.
	franked []wire.FrankedMessage
}

func random(n int) []byte { b := make([]byte, n); must(rand.Read(b)); return b }

// person makes a client of a user, with a KeyPackage, at a provider.
func (r *rig) person(user string, provider string) *client {
	store := group.NewMemoryStore()
	c := &client{rig: r, cfg: group.Config{KeyPackages: store, PSKs: store}}
	if r.users[user] == nil {
		r.users[user] = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	}
	c.user = r.users[user]
	p := wire.PseudonymousCredential{Provider: provider, UserAuthKey: c.user.Public(), IdentityLink: make([]byte, 200)}
	copy(p.Client[:], random(16))
	copy(p.User[:], user)
	key := must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
	caps := group.DefaultCapabilities(mls.X25519AES128GCM)
	caps.Extensions = append(caps.Extensions, wire.ExtensionQueueAddress)
	if !r.plain {
		caps.Proposals = append(caps.Proposals, mls.ProposalTypeSelfRemove)
		caps.Extensions = append(caps.Extensions, wire.ExtensionGroupPolicy)
	}
	c.mls = &group.Client{Suite: mls.X25519AES128GCM, Credential: must(p.Credential()), Signer: key, Capabilities: caps,
		Lifetime: mls.Lifetime{NotBefore: uint64(start.Unix()) - 1, NotAfter: uint64(start.Unix()) + 86400}}
	c.newAddress(provider, wire.AddressOneTime)
	c.welcome = must(seal.GenerateKey(wire.X25519))
	if r.plain {
		return c.bare()
	}
	return c.called(c.mls.Credential)
}

// bare gives a client a credential that is nothing but a pseudonym.
func (c *client) bare() *client { return c.called(mls.BasicCredential(random(16))) }

// called gives a client another credential, before it is in a group, and a
// KeyPackage.
func (c *client) called(credential mls.Credential) *client {
	c.mls.Credential = credential
	ext := wire.KeyPackageAddress{Address: c.address.Address, WelcomeKey: [32]byte(c.welcome.Public().Public)}
	c.kp = must(group.NewKeyPackage(c.cfg, c.mls, group.KeyPackageOptions{Extensions: must(mls.Extensions{}.With(wire.ExtensionQueueAddress, &ext))}))
	return c
}

func (c *client) newAddress(provider string, kind wire.AddressKind) {
	c.address = wire.MemberAddress{Secret: secret.New(random(32)), Address: wire.QueueAddress{Domain: provider,
		Sealed: wire.SealedAddress{Kind: kind, KEMOutput: random(32), Ciphertext: random(48)}, Nonce: [16]byte(random(16))}}
	c.mail.mu.Lock()
	c.mail.boxes[string(c.address.Address.Sealed.Ciphertext)] = &box{}
	c.mail.mu.Unlock()
	c.read = 0
}

// stateKey is the group state key of the client's epoch, or of its pending
// commit's.
func stateKey(g *group.Group) secret.Bytes {
	return must(g.Export("pseudods group state key", []byte(g.GroupID()), 32))
}

func (c *client) id() wire.GroupID { return wire.GroupID(c.GroupID()) }

// request builds and signs one.
func (c *client) request(op wire.Operation, body mls.Marshaler, auth wire.Auth, key secret.Bytes) []byte {
	return c.sign(&wire.Request{RecipientDomain: domain, Operation: op, Body: must(mls.Marshal(body)), GroupStateKey: key,
		ExpiresAt: uint64(c.rig.cfg.Now().Unix()) + 60, Nonce: [16]byte(random(16)), Auth: auth})
}

func (c *client) sign(r *wire.Request) []byte {
	signer := c.mls.Signer
	if r.Auth.Type == wire.AuthUser {
		signer = c.user
	}
	if r.Auth.Type != wire.AuthNone {
		r.Auth.Signature = must(signer.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
	}
	return must(mls.Marshal(r))
}

func (c *client) leafAuth() wire.Auth { return wire.Auth{Type: wire.AuthLeaf, Leaf: must(c.OwnLeaf())} }

func (c *client) userAuth() wire.Auth {
	id := sha256.Sum256(c.user.Public())
	return wire.Auth{Type: wire.AuthUser, KeyID: id[:]}
}

// call sends a request and decodes the answer into out, which may be nil.
func (r *rig) call(encoded []byte, out mls.Unmarshaler) error {
	r.Helper()
	var response wire.Response
	if err := mls.Unmarshal(r.ds.Handle(context.Background(), encoded), &response); err != nil {
		r.Fatal(err)
	}
	if response.Err != nil {
		return response.Err
	}
	if out == nil {
		return nil
	}
	return mls.Unmarshal(response.Body, out)
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) refused(err error, code wire.Code) {
	r.Helper()
	if !errors.Is(err, &wire.Error{Code: code}) {
		r.Fatalf("got %v, want code %d", err, code)
	}
}

func infoMessage(i *mls.GroupInfo) []byte {
	return must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: i}))
}

// createRequest makes a group and the request to register it.
func (c *client) createRequest(policy ...*wire.GroupPolicy) []byte {
	body := c.createBody(policy...)
	return c.request(wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, stateKey(c.Group))
}

func (c *client) createBody(policy ...*wire.GroupPolicy) *wire.CreateGroup {
	var id wire.NewGroupID
	c.address.Address.Sealed.Kind = wire.AddressBound
	c.ok(c.call(c.request(wire.OpRequestGroupID, &wire.Empty{}, wire.Auth{}, secret.Bytes{}), &id))
	context := c.context
	for _, p := range policy {
		context = must(context.With(wire.ExtensionGroupPolicy, p))
	}
	c.Group = must(group.Create(c.cfg, c.mls, id.Group[:], context))
	nodes := must(c.Tree())
	return &wire.CreateGroup{Group: id.Group, GroupInfo: infoMessage(must(c.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
		Tree: must(mls.Marshal(&nodes)), Address: &c.address}
}

// found creates a group of one member.
func (r *rig) found(user string) *client {
	r.Helper()
	c := r.person(user, "one.example")
	r.ok(r.call(c.createRequest(), new(wire.Accepted)))
	return c
}

// next returns the state that the pending commit leads to.
func (c *client) next() *group.Group {
	g := must(group.Restore(c.cfg, must(c.Marshal()).Reveal()))
	must(g.Merge())
	return g
}

// commitBody makes a commit and its request's body.
func (c *client) commitBody(o group.CommitOptions, joiners ...*client) *wire.GroupCommit {
	o.GroupInfo.ExternalPub = true
	commit := must(c.Group.Commit(o))
	b := &wire.GroupCommit{Group: c.id(), Commit: must(mls.Marshal(commit.Message)), NextKey: stateKey(c.next())}
	c.inform(b, commit)
	if commit.Welcome != nil {
		b.Welcome = must(mls.Marshal(commit.Welcome))
	}
	for _, j := range joiners {
		b.Joiners = append(b.Joiners, wire.Joiner{Secret: j.address.Secret, JoinInfo: []byte("join info")})
	}
	return b
}

// inform adds a commit's GroupInfo, in the form that the client knows.
func (c *client) inform(b *wire.GroupCommit, commit *group.Commit) {
	if c.plain {
		b.GroupInfo = infoMessage(commit.GroupInfo)
	} else {
		b.PartialGroupInfo = must(mls.Marshal(commit.Partial))
	}
}

// commit makes a commit by value and hands it in. A refused one is dropped.
func (c *client) commit(op wire.Operation, proposals []*mls.Proposal, joiners ...*client) error {
	c.Helper()
	return c.commitWith(nil, op, proposals, joiners...)
}

// commitWith is commit with a part of the roster.
func (c *client) commitWith(roster *wire.RosterPart, op wire.Operation, proposals []*mls.Proposal, joiners ...*client) error {
	c.Helper()
	b := c.commitBody(group.CommitOptions{Proposals: proposals, ForcePath: true}, joiners...)
	b.Roster = roster
	if err := c.call(c.request(op, b, c.leafAuth(), stateKey(c.Group)), new(wire.Accepted)); err != nil {
		c.Discard()
		return err
	}
	must(c.Merge())
	return nil
}

func (c *client) add(op wire.Operation, joiners ...*client) error {
	c.Helper()
	var list []*mls.Proposal
	for _, j := range joiners {
		list = append(list, group.Add(j.kp))
	}
	return c.commit(op, list, joiners...)
}

func (c *client) remove(op wire.Operation, others ...*client) error {
	c.Helper()
	var list []*mls.Proposal
	for _, o := range others {
		list = append(list, group.Remove(must(o.OwnLeaf())))
	}
	return c.commit(op, list)
}

func (c *client) send(text string) error {
	c.Helper()
	m, err := c.message(text)
	if err != nil {
		return err
	}
	return c.call(c.request(wire.OpSendMessage, &wire.GroupMessage{Group: c.id(), Message: must(mls.Marshal(m))}, c.leafAuth(), stateKey(c.Group)), new(wire.Accepted))
}

// welcomeInfo asks for the tree that a Welcome is for.
func (c *client) welcomeInfo(id wire.GroupID, key secret.Bytes) (*wire.WelcomeInfo, error) {
	ref := must(c.kp.Ref(must(mls.X25519AES128GCM.Suite())))
	out := new(wire.WelcomeInfo)
	err := c.call(c.request(wire.OpWelcomeInfo, &wire.GroupQuery{Group: id}, wire.Auth{Type: wire.AuthJoiner, KeyID: ref}, key), out)
	return out, err
}

// receive reads what is new in the client's box, joining by a Welcome if it is
// not in a group. joinKey gives the group state key of the Welcome's epoch, which
// a joiner derives from the Welcome.
func (c *client) receive(joinKey func() secret.Bytes) {
	c.Helper()
	c.mail.mu.Lock()
	items := c.mail.boxes[string(c.address.Address.Sealed.Ciphertext)].items[c.read:]
	c.mail.mu.Unlock()
	for _, i := range items {
		c.read++
		e, err := seal.OpenEntry(seal.DeliverySecret{Bytes: c.address.Secret}, &i.entry)
		if err != nil {
			e = must(seal.OpenWelcomeEntry(c.welcome, &i.entry))
		}
		var f wire.Fanout
		c.ok(mls.Unmarshal(must(seal.OpenPayload(e.PayloadKey, i.payload)), &f))
		want := c.last + 1
		if f.Kind == wire.FanoutTargeted {
			want = c.last
		}
		if c.last != 0 && (e.Sequence < want || e.Sequence > want && !c.misses) {
			c.Fatalf("message %d after %d", e.Sequence, c.last)
		}
		c.last = e.Sequence
		if f.Kind == wire.FanoutTargeted {
			c.targeted = append(c.targeted, fmt.Sprint(f.Sender, ": ", string(f.Message)))
			continue
		}
		var m mls.Message
		c.ok(mls.Unmarshal(f.Message, &m))
		if f.Kind == wire.FanoutWelcome {
			info, err := c.welcomeInfo(f.Group, joinKey())
			c.ok(err)
			var nodes mls.RatchetTree
			c.ok(mls.Unmarshal(info.Tree, &nodes))
			c.entered = info.Roster
			c.Group = must(group.JoinWelcome(c.cfg, m.Welcome, group.JoinOptions{Tree: nodes, Before: c.before}))
			if must(c.OwnLeaf()) != mls.LeafIndex(info.Leaf) || string(f.JoinInfo) != "join info" {
				c.Fatal("the service names another leaf, or lost the join info")
			}
			continue
		}
		if f.Roster != nil {
			c.roster = append(c.roster, *f.Roster)
		}
		got, err := c.Process(&m)
		if err != nil {
			continue // its own, which comes back
		}
		if got.Application != nil {
			c.seen = append(c.seen, c.text(got, f.Frank))
		}
		if got.Committed != nil && got.Committed.Ended == group.EndRemoved {
			c.gone = true
		}
	}
}

// settle delivers all, and lets everybody read. by is a member who is in the
// epoch that newcomers join.
func (r *rig) settle(by *client, all ...*client) {
	r.Helper()
	r.deliver()
	for _, c := range all {
		c.receive(func() secret.Bytes { return stateKey(by.Group) })
	}
}

// founded makes a group of n users who all have joined.
func (r *rig) founded(n int) []*client {
	r.Helper()
	return r.joined(r.found("user 0"), n)
}

// joined adds users to a group of one until there are n.
func (r *rig) joined(a *client, n int) []*client {
	r.Helper()
	all := []*client{a}
	for i := 1; i < n; i++ {
		all = append(all, r.person(fmt.Sprint("user ", i), []string{"one.example", "two.example"}[i%2]))
	}
	if n > 1 {
		r.ok(all[0].add(wire.OpAddUsers, all[1:]...))
	}
	r.settle(all[0], all...)
	for _, c := range all {
		if c.Group == nil {
			r.Fatal("somebody has not joined")
		}
	}
	return all
}
