package interop

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// ours is a client that runs package mls/group and speaks package wire, with a
// full credential.
type ours struct {
	*provider
	owner, user *mls.SignatureKey
	segments    *seal.PrivateKey
	queue       wire.QueueID
	reader      *seal.Reader
	after       uint64
	addressKey  wire.HPKEKey

	cfg       group.Config
	client    *group.Client
	group     *group.Group
	packages  map[wire.AddressID]*seal.PrivateKey // welcome keys
	secrets   map[wire.AddressID]seal.DeliverySecret
	sent      map[string]bool
	kp        *mls.KeyPackage
	pseudonym *identity.Pseudonym
}

func newOurs(t *testing.T, name string) *ours {
	t.Helper()
	need(t)
	suite := must(mls.X25519AES128GCM.Suite())
	newKey := func() *mls.SignatureKey { return must(suite.GenerateSignatureKey(rand.Reader)) }
	c := &ours{provider: reach(t, site.base), owner: newKey(), user: newKey(), segments: must(seal.GenerateKey(wire.X25519)),
		packages: map[wire.AddressID]*seal.PrivateKey{}, secrets: map[wire.AddressID]seal.DeliverySecret{}, sent: map[string]bool{}}
	info := new(wire.QueueInfo)
	c.ok(c.ask(&wire.Request{Operation: wire.OpCreateQueue, Auth: wire.Auth{Type: wire.AuthQueue}}, c.owner,
		&wire.CreateQueue{OwnerKey: [32]byte(c.owner.Public()), SegmentKey: *c.segments.Public()}, info))
	c.queue, c.reader = info.Queue, seal.NewReader(c.segments, info.Queue)
	var keys wire.AddressKeys
	c.ok(c.ask(&wire.Request{Operation: wire.OpAddressKeys}, nil, &wire.Empty{}, &keys))
	c.addressKey = keys[0].Key

	store := group.NewMemoryStore()
	c.cfg = group.Config{KeyPackages: store, PSKs: store}
	leaf := newKey()
	real := must(identity.New(mls.BasicCredential([]byte(name)), rand.Reader))
	c.pseudonym = must(real.NewPseudonym(rand.Reader, wire.Pseudonym(random(16)), c.doc.Domain, c.user.Public(), leaf.Public()))
	caps := group.DefaultCapabilities(mls.X25519AES128GCM)
	caps.Extensions = append(caps.Extensions, wire.ExtensionQueueAddress, wire.ExtensionGroupPolicy)
	now := uint64(time.Now().Unix())
	c.client = &group.Client{Suite: mls.X25519AES128GCM, Credential: must(c.pseudonym.Credential.Credential()), Signer: leaf, Capabilities: caps,
		Lifetime: mls.Lifetime{NotBefore: now - 3600, NotAfter: now + 86400}}
	return c
}

func (c *ours) ok(err error) {
	c.T.Helper()
	if err != nil {
		c.T.Fatal(err)
	}
}

func (c *ours) id() wire.GroupID { return wire.GroupID(c.group.GroupID()) }

func (c *ours) stateKey() secret.Bytes {
	return must(c.group.Export(wire.GroupStateKeyLabel, c.group.GroupID(), wire.GroupStateKeySize))
}

// bound makes an address of the client's queue for a group.
func (c *ours) bound(g wire.GroupID) *wire.MemberAddress {
	id := wire.AddressID(random(16))
	a := wire.QueueAddress{Domain: c.doc.Domain, Nonce: [16]byte(random(16))}
	a.Sealed = *must(seal.SealAddress(&c.addressKey, wire.AddressBound, c.queue, id, seal.Use{Domain: c.doc.Domain, Binding: seal.Binding(g[:], a.Nonce)}))
	s := random(seal.DeliverySecretSize)
	c.secrets[id] = seal.DeliverySecret{Bytes: secret.Clone(s)}
	return &wire.MemberAddress{Address: a, Secret: secret.New(s)}
}

// invitable makes a KeyPackage by which the client can be added.
func (c *ours) invitable() []byte {
	id, key := wire.AddressID(random(16)), must(seal.GenerateKey(wire.X25519))
	c.packages[id] = key
	a := wire.KeyPackageAddress{WelcomeKey: [32]byte(key.Public().Public), Address: wire.QueueAddress{Domain: c.doc.Domain, Nonce: [16]byte(random(16)),
		Sealed: *must(seal.SealAddress(&c.addressKey, wire.AddressOneTime, c.queue, id, seal.Use{}))}}
	c.kp = must(group.NewKeyPackage(c.cfg, c.client, group.KeyPackageOptions{Extensions: must(mls.Extensions{}.With(wire.ExtensionQueueAddress, &a))}))
	return must(mls.Marshal(c.kp))
}

func (c *ours) leaf() wire.Auth {
	return wire.Auth{Type: wire.AuthLeaf, Leaf: must(c.group.OwnLeaf())}
}

func groupInfo(i *mls.GroupInfo) []byte {
	return must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: i}))
}

// found creates a group, with a policy if it is not nil.
func (c *ours) found(policy *wire.GroupPolicy, extensions mls.Extensions) {
	c.T.Helper()
	var id wire.NewGroupID
	c.ok(c.ask(&wire.Request{Operation: wire.OpRequestGroupID}, nil, &wire.Empty{}, &id))
	if policy != nil {
		extensions = must(extensions.With(wire.ExtensionGroupPolicy, policy))
	}
	c.group = must(group.Create(c.cfg, c.client, id.Group[:], extensions))
	nodes := must(c.group.Tree())
	c.ok(c.ask(&wire.Request{Operation: wire.OpCreateGroup, GroupStateKey: c.stateKey(), Auth: wire.Auth{Type: wire.AuthJoiner}}, c.client.Signer,
		&wire.CreateGroup{Group: id.Group, GroupInfo: groupInfo(must(c.group.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
			Tree: must(mls.Marshal(&nodes)), Address: c.bound(id.Group)}, new(wire.Accepted)))
}

// commit commits proposals and hands the commit in. added are KeyPackages of
// those whom it adds.
func (c *ours) commit(op wire.Operation, proposals []*mls.Proposal, added ...*mls.KeyPackage) error {
	c.T.Helper()
	made := must(c.group.Commit(group.CommitOptions{Proposals: proposals, ForcePath: true, GroupInfo: group.GroupInfoOptions{ExternalPub: true}}))
	b := &wire.GroupCommit{Group: c.id(), Commit: must(mls.Marshal(made.Message)), PartialGroupInfo: must(mls.Marshal(made.Partial)),
		NextKey: must(c.group.PendingExport(wire.GroupStateKeyLabel, c.group.GroupID(), wire.GroupStateKeySize))}
	if made.Welcome != nil {
		b.Welcome = must(mls.Marshal(made.Welcome))
	}
	for _, kp := range added {
		var a wire.KeyPackageAddress
		if there, err := kp.Extensions.Decode(wire.ExtensionQueueAddress, &a); !there || err != nil {
			c.T.Fatalf("KeyPackage without an address: %v", err)
		}
		s := secret.New(random(seal.DeliverySecretSize))
		b.Joiners = append(b.Joiners, wire.Joiner{Secret: s,
			JoinInfo: must(seal.SealJoinInfo(a.WelcomeKey, c.id(), &wire.JoinInfo{GroupStateKey: b.NextKey, DeliverySecret: s}))})
	}
	c.sent[string(b.Commit)] = true
	if err := c.ask(&wire.Request{Operation: op, GroupStateKey: c.stateKey(), Auth: c.leaf()}, c.client.Signer, b, new(wire.Accepted)); err != nil {
		c.group.Discard()
		return err
	}
	must(c.group.Merge())
	return nil
}

// invite adds a client by its KeyPackage.
func (c *ours) invite(keyPackage []byte) error {
	c.T.Helper()
	kp := new(mls.KeyPackage)
	c.ok(mls.Unmarshal(keyPackage, kp))
	return c.commit(wire.OpAddUsers, []*mls.Proposal{group.Add(kp)}, kp)
}

// fetch takes a KeyPackage from a pool.
func (c *ours) fetch(pool, token, linkWrap []byte) []byte {
	c.T.Helper()
	var sealed rest
	c.ok(c.ask(&wire.Request{Operation: wire.OpGroupPackages}, nil,
		&wire.FetchKeyPackage{Pool: wire.PoolID(pool), Contact: wire.ContactToken{Bytes: secret.New(token)}}, &sealed))
	return must(seal.OpenKeyPackage(seal.PoolKeyOf(secret.New(linkWrap)), wire.PoolID(pool), sealed))
}

// rest is an answer that is not encoded further.
type rest []byte

func (o *rest) UnmarshalTLS(r *tlscodec.Reader) { *o = r.Rest() }

func (c *ours) say(text string) {
	c.T.Helper()
	tag, data, err := seal.TagContent(rand.Reader, c.id(), c.group.Epoch(), []byte(text))
	c.ok(err)
	m := must(mls.Marshal(must(c.group.Send(data, group.MessageOptions{AuthenticatedData: tag[:]}))))
	c.sent[string(m)] = true
	c.ok(c.ask(&wire.Request{Operation: wire.OpSendMessage, GroupStateKey: c.stateKey(), Auth: c.leaf()}, c.client.Signer,
		&wire.GroupMessage{Group: c.id(), Message: m}, new(wire.Accepted)))
}

// read returns what is in the client's queue, waiting for something.
func (c *ours) read() (events []event) {
	c.T.Helper()
	for {
		var page wire.QueuePage
		wait := uint16(longest)
		if len(events) > 0 {
			wait = 0
		}
		c.ok(c.ask(&wire.Request{Operation: wire.OpReadQueue, Auth: wire.Auth{Type: wire.AuthQueue}}, c.owner,
			&wire.ReadQueue{Queue: c.queue, After: c.after, Wait: wait}, &page))
		for _, o := range c.reader.Open(&page) {
			c.ok(o.Err)
			events, c.after = append(events, c.take(o.Item)), o.Seq
		}
		if page.Empty {
			return events
		}
	}
}

func (c *ours) take(item *wire.Item) event {
	c.T.Helper()
	payload := item.Inline
	if item.Ticket != nil {
		var got wire.Payloads
		c.ok(c.ask(&wire.Request{Operation: wire.OpFetchPayloads}, nil, &wire.FetchPayloads{Tickets: []wire.Ticket{*item.Ticket}}, &got))
		payload = got[0]
	}
	var entry *seal.Entry
	welcomeKey := c.packages[item.Address]
	if s, known := c.secrets[item.Address]; known {
		entry = must(seal.OpenEntry(s, &item.Entry))
	} else {
		entry = must(seal.OpenWelcomeEntry(welcomeKey, &item.Entry))
	}
	var f wire.Fanout
	c.ok(mls.Unmarshal(must(seal.OpenPayload(entry.PayloadKey, payload)), &f))
	e := event{Sequence: entry.Sequence}
	var m mls.Message
	c.ok(mls.Unmarshal(f.Message, &m))
	switch {
	case f.Kind == wire.FanoutWelcome:
		c.join(&f, &m, welcomeKey, item.Address)
		e.Kind, e.Epoch = "join", c.group.Epoch()
	case c.sent[string(f.Message)]:
		e.Own = true
	default:
		got := must(c.group.Process(&m))
		e.Kind, e.Epoch = "commit", c.group.Epoch()
		if got.Application != nil {
			e.Kind, e.Text = "text", c.franked(got, f.Frank)
		}
	}
	return e
}

// franked returns what a message says, which must be franked unless its sender is
// a bare pseudonym.
func (c *ours) franked(got *group.Received, frank *wire.Frank) string {
	c.T.Helper()
	leaf := must(c.group.Member(got.Sender.Leaf))
	if must(wire.ParseMemberName(wire.ProfilePseudonymous, &leaf.Credential)).Credential == nil {
		if frank != nil {
			c.T.Fatal("a bare pseudonym's message is franked")
		}
		return string(got.Application)
	}
	content := must(seal.OpenTagged(got.AuthenticatedData, c.id(), got.Epoch, got.Application))
	said := seal.Franked{Domain: c.doc.Domain, Group: c.id(), Sender: must(wire.FrankedSender(&leaf.Credential, leaf.SignatureKey)),
		Epoch: got.Epoch, Tag: wire.FrankingTag(got.AuthenticatedData)}
	if frank == nil {
		c.T.Fatal("a message is not franked")
	}
	c.ok(said.Verify(c.doc.Keys, frank))
	return string(content.Content)
}

// join joins by a Welcome.
func (c *ours) join(f *wire.Fanout, m *mls.Message, key *seal.PrivateKey, at wire.AddressID) {
	c.T.Helper()
	info := must(seal.OpenJoinInfo(key, f.Group, f.JoinInfo))
	c.secrets[at] = seal.DeliverySecret{Bytes: info.DeliverySecret}
	var answer wire.WelcomeInfo
	c.ok(c.ask(&wire.Request{Operation: wire.OpWelcomeInfo, GroupStateKey: info.GroupStateKey,
		Auth: wire.Auth{Type: wire.AuthJoiner, KeyID: must(c.kp.Ref(must(mls.X25519AES128GCM.Suite())))}}, c.client.Signer, &wire.GroupQuery{Group: f.Group}, &answer))
	var nodes mls.RatchetTree
	c.ok(mls.Unmarshal(answer.Tree, &nodes))
	c.group = must(group.JoinWelcome(c.cfg, m.Welcome, group.JoinOptions{Tree: nodes}))
}
