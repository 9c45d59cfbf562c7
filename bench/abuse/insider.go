package abuse

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Insider is a client without the SDK: it can be a real member of one group, and
// sign, encrypt and send whatever it likes with a member's keys. Its fields are
// there to be abused.
type Insider struct {
	*Party
	// Group is what the insider is in. Nil before it has joined.
	Group *group.Group
	MLS   *group.Client
	// Pseudonym is who the insider is in the group, with what opens its identity link.
	Pseudonym *identity.Pseudonym
	// User signs as the user of the insider's credential.
	User *mls.SignatureKey
	// Config is of the group's member side.
	Config group.Config
	// Franked are the messages of all members that the insider has read and could
	// report.
	Franked []wire.FrankedMessage
	// Heard are the messages of the group that the insider has read.
	Heard []*group.Received
	// Last is the highest place of a message that was read.
	Last uint64

	crew    []*Insider        // whom it brought with it
	owner   *mls.SignatureKey // of the queue
	segment *seal.PrivateKey
	reader  *seal.Reader
	queue   wire.QueueID
	welcome *seal.PrivateKey
	secret  seal.DeliverySecret
	former  bool // it has had other secrets
	kp      *mls.KeyPackage
	after   uint64
}

// Insider makes a client with a queue and a KeyPackage.
func (q *Party) Insider(ctx context.Context) (*Insider, error) {
	store := group.NewMemoryStore()
	i := &Insider{Party: q, Config: group.Config{KeyPackages: store, PSKs: store}}
	if err := i.keys(); err != nil {
		return nil, err
	}
	if err := i.createQueue(ctx); err != nil {
		return nil, err
	}
	return i, i.makeKeyPackage()
}

func (i *Insider) keys() (err error) {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return err
	}
	for _, k := range []**mls.SignatureKey{&i.User, &i.owner} {
		if *k, err = suite.GenerateSignatureKey(rand.Reader); err != nil {
			return err
		}
	}
	return i.pseudonym(suite)
}

// pseudonym draws the keys and the credential of a leaf.
func (i *Insider) pseudonym(suite *mls.Suite) error {
	signer, err := suite.GenerateSignatureKey(rand.Reader)
	if err != nil {
		return err
	}
	real, err := identity.New(mls.BasicCredential([]byte(i.Account())), rand.Reader)
	if err != nil {
		return err
	}
	if i.Pseudonym, err = real.NewPseudonym(rand.Reader, wire.Pseudonym(random(16)), i.p.Domain, i.User.Public(), signer.Public()); err != nil {
		return err
	}
	credential, err := i.Pseudonym.Credential.Credential()
	if err != nil {
		return err
	}
	now := i.w.Now()
	caps := group.DefaultCapabilities(mls.X25519AES128GCM)
	caps.Extensions = append(caps.Extensions, wire.ExtensionQueueAddress, wire.ExtensionGroupPolicy)
	caps.Proposals = append(caps.Proposals, mls.ProposalTypeSelfRemove)
	i.MLS = &group.Client{Suite: mls.X25519AES128GCM, Credential: credential, Signer: signer, Capabilities: caps,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Unix()) - 60, NotAfter: uint64(now.Add(60 * ration).Unix())}}
	return nil
}

func (i *Insider) createQueue(ctx context.Context) (err error) {
	if i.segment, err = seal.GenerateKey(wire.X25519); err != nil {
		return err
	}
	paid, err := i.Pay(ctx, wire.OpCreateQueue)
	if err != nil {
		return err
	}
	body := &wire.CreateQueue{OwnerKey: [32]byte(i.owner.Public()), SegmentKey: *i.segment.Public()}
	r, err := i.Compose(wire.OpCreateQueue, body, wire.Auth{Type: wire.AuthQueue}, secret.Bytes{}, i.owner, paid)
	if err != nil {
		return err
	}
	i.queue = wire.QueueIDOf(i.owner.Public())
	i.reader = seal.NewReader(i.segment, i.queue)
	return i.Do(ctx, i.p, r, new(wire.QueueInfo))
}

// makeKeyPackage makes the KeyPackage by which the insider is added.
func (i *Insider) makeKeyPackage() (err error) {
	if i.welcome, err = seal.GenerateKey(wire.X25519); err != nil {
		return err
	}
	sealed, err := seal.SealAddress(&i.p.ring.Published()[0].Key, wire.AddressOneTime, i.queue, wire.AddressID(random(16)), seal.Use{})
	if err != nil {
		return err
	}
	address := &wire.KeyPackageAddress{WelcomeKey: [32]byte(i.welcome.Public().Public),
		Address: wire.QueueAddress{Domain: i.p.Domain, Sealed: *sealed, Nonce: [16]byte(random(16))}}
	extensions, err := mls.Extensions{}.With(wire.ExtensionQueueAddress, address)
	if err != nil {
		return err
	}
	i.kp, err = group.NewKeyPackage(i.Config, i.MLS, group.KeyPackageOptions{Extensions: extensions})
	return err
}

// KeyPackage is what the insider can be added to a group by.
func (i *Insider) KeyPackage() *mls.KeyPackage { return i.kp }

// ID is the group's identifier.
func (i *Insider) ID() wire.GroupID { return wire.GroupID(i.Group.GroupID()) }

// StateKey is the group state key of a group's epoch.
func StateKey(g *group.Group) (secret.Bytes, error) {
	return g.Export(stateLabel, []byte(g.GroupID()), wire.GroupStateKeySize)
}

// Compose encodes and signs a request to the party's own provider.
func (q *Party) Compose(o wire.Operation, body mls.Marshaler, auth wire.Auth, key secret.Bytes, signer *mls.SignatureKey, paid [][]byte) ([]byte, error) {
	b, err := mls.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := &wire.Request{RecipientDomain: q.p.Domain, Operation: o, Body: b, GroupStateKey: key, Tokens: paid,
		ExpiresAt: uint64(q.w.Now().Add(2 * time.Minute).Unix()), Nonce: [16]byte(random(16)), Auth: auth}
	if auth.Type != wire.AuthNone {
		tbs, err := r.TBS()
		if err != nil {
			return nil, err
		}
		if r.Auth.Signature, err = signer.SignWithLabel(wire.SignatureLabel, tbs); err != nil {
			return nil, err
		}
	}
	return mls.Marshal(r)
}

// Ask makes a request as a member, pays what it costs, and sends it.
func (i *Insider) Ask(ctx context.Context, o wire.Operation, body mls.Marshaler, out mls.Unmarshaler) error {
	paid, err := i.Pay(ctx, o)
	if err != nil {
		return err
	}
	return i.AskWith(ctx, o, body, paid, out)
}

// AskWith makes a request as a member with the given tokens, and sends it.
func (i *Insider) AskWith(ctx context.Context, o wire.Operation, body mls.Marshaler, paid [][]byte, out mls.Unmarshaler) error {
	key, err := StateKey(i.Group)
	if err != nil {
		return err
	}
	leaf, err := i.Group.OwnLeaf()
	if err != nil {
		return err
	}
	r, err := i.Compose(o, body, wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, key, i.MLS.Signer, paid)
	if err != nil {
		return err
	}
	return i.Do(ctx, i.p, r, out)
}

// Say encrypts a text for the group and sends it.
func (i *Insider) Say(ctx context.Context, text []byte) error {
	paid, err := i.Pay(ctx, wire.OpSendMessage)
	if err != nil {
		return err
	}
	return i.SayWith(ctx, text, paid)
}

// SayWith is Say with the given tokens.
func (i *Insider) SayWith(ctx context.Context, text []byte, paid [][]byte) error {
	body, err := i.franked(text)
	if err != nil {
		return err
	}
	return i.AskWith(ctx, wire.OpSendMessage, body, paid, new(wire.Accepted))
}

// franked encrypts a text for the group, with the tag that it needs.
func (i *Insider) franked(text []byte) (*wire.GroupMessage, error) {
	tag, data, err := seal.TagContent(rand.Reader, i.ID(), i.Group.Epoch(), text)
	if err != nil {
		return nil, err
	}
	m, err := i.Group.Send(data, group.MessageOptions{AuthenticatedData: tag[:]})
	if err != nil {
		return nil, err
	}
	encoded, err := mls.Marshal(m)
	return &wire.GroupMessage{Group: i.ID(), Message: encoded}, err
}

// UserAuth is how the insider's user signs, with i.User.
func (i *Insider) UserAuth() wire.Auth {
	id := sha256.Sum256(i.User.Public())
	return wire.Auth{Type: wire.AuthUser, KeyID: id[:]}
}

// Hear reads the insider's queue, joins by a Welcome, and follows the group.
func (i *Insider) Hear(ctx context.Context) error {
	for {
		page, err := i.p.QS.Read(ctx, i.queue, i.after, 0, 0)
		if err != nil {
			return err
		}
		for _, o := range i.reader.Open(page) {
			i.after = o.Seq
			if o.Err != nil {
				return o.Err
			}
			if err := i.take(ctx, o.Item); err != nil {
				return err
			}
		}
		if page.Empty {
			return nil
		}
	}
}

func (i *Insider) take(ctx context.Context, item *wire.Item) error {
	payload := item.Inline
	if item.Ticket != nil {
		fetched, err := i.p.QS.Fetch(ctx, []wire.Ticket{*item.Ticket})
		if err != nil {
			return err
		}
		payload = fetched[0]
	}
	entry, err := (*seal.Entry)(nil), seal.ErrOpen
	if !i.secret.IsZero() {
		entry, err = seal.OpenEntry(i.secret, &item.Entry)
	}
	if err != nil {
		if entry, err = seal.OpenWelcomeEntry(i.welcome, &item.Entry); err != nil && i.former {
			return nil // it was for a leaf that the insider had
		} else if err != nil {
			return err
		}
	}
	b, err := seal.OpenPayload(entry.PayloadKey, payload)
	if err != nil {
		return err
	}
	var f wire.Fanout
	if err := mls.Unmarshal(b, &f); err != nil {
		return err
	}
	i.Last = entry.Sequence
	if f.Kind == wire.FanoutTargeted {
		return nil
	}
	var m mls.Message
	if err := mls.Unmarshal(f.Message, &m); err != nil {
		return err
	}
	if f.Kind == wire.FanoutWelcome {
		return i.join(ctx, &f, &m)
	}
	epoch := i.Group.Epoch()
	if got, err := i.Group.Process(&m); err == nil { // else its own, or bad
		i.Heard = append(i.Heard, got)
		i.keep(&f, &m, got, epoch)
	}
	return nil
}

// keep keeps what proves who sent a message.
func (i *Insider) keep(f *wire.Fanout, m *mls.Message, got *group.Received, epoch uint64) {
	if f.Frank == nil || m.PrivateMessage == nil {
		return
	}
	if c, err := seal.OpenTagged(m.PrivateMessage.AuthenticatedData, f.Group, epoch, got.Application); err == nil {
		i.Franked = append(i.Franked, wire.FrankedMessage{Content: c.Content, Key: c.Key, Epoch: epoch, Frank: *f.Frank})
	}
}

func (i *Insider) join(ctx context.Context, f *wire.Fanout, m *mls.Message) error {
	info, err := seal.OpenJoinInfo(i.welcome, f.Group, f.JoinInfo)
	if err != nil {
		return err
	}
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return err
	}
	ref, err := i.kp.Ref(suite)
	if err != nil {
		return err
	}
	r, err := i.Compose(wire.OpWelcomeInfo, &wire.GroupQuery{Group: f.Group}, wire.Auth{Type: wire.AuthJoiner, KeyID: ref}, info.GroupStateKey, i.MLS.Signer, nil)
	if err != nil {
		return err
	}
	var answer wire.WelcomeInfo
	if err := i.Do(ctx, i.p, r, &answer); err != nil {
		return fmt.Errorf("abuse: asking for the tree: %w", err)
	}
	var nodes mls.RatchetTree
	if err := mls.Unmarshal(answer.Tree, &nodes); err != nil {
		return err
	}
	i.secret = seal.DeliverySecret{Bytes: info.DeliverySecret}
	i.Group, err = group.JoinWelcome(i.Config, m.Welcome, group.JoinOptions{Tree: nodes})
	return err
}
