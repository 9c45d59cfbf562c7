package server

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
	issuerapi "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func random[T ~[]byte](n int) T {
	b := make(T, n)
	rand.Read(b)
	return b
}

// cheap makes tokens cost next to nothing.
func cheap(c *Config) {
	c.Issuer.Attesters = host.Attesters{ProofOfWork: &host.Work{WorkCost: attester.WorkCost{MemoryKiB: 8, Passes: 1, Attempts: 1}}}
}

// user is a client of a provider as the provider document makes one.
type user struct {
	testing.TB
	doc    *httpapi.Provider
	issuer *issuerapi.Issuer
	kind   privacypass.TokenType
	purse  map[tokens.Class][][]byte
}

func newUser(t testing.TB, url string) *user {
	t.Helper()
	u := &user{TB: t, doc: provider(t, url), kind: privacypass.VOPRFRistretto255, purse: map[tokens.Class][][]byte{}}
	var err error
	if u.issuer, err = issuerapi.Discover(t.Context(), nil, u.doc.Issuer); err != nil {
		t.Fatal(err)
	}
	return u
}

// fetch gets tokens of a class from the issuer.
func (u *user) fetch(class tokens.Class, n int) [][]byte {
	u.Helper()
	c := must(u.issuer.Class(u.Context(), string(class)))
	keys := must(c.Keys(u.kind, time.Now()))
	challenge := must(u.doc.Prices.Challenge(class, u.doc.Origin()))
	want := client.Want{Key: keys[0], Challenge: challenge}
	pending, err := client.Amortized(rand.Reader, want, n)
	if u.kind == privacypass.BlindRSA {
		pending, err = client.Generic(rand.Reader, slices.Repeat([]client.Want{want}, n))
	}
	if err != nil {
		u.Fatal(err)
	}
	reply, err := c.Send(u.Context(), pending.Kind(), pending.Request(), time.Now(), issuerapi.ProofOfWork(rand.Reader))
	if err != nil {
		u.Fatal(err)
	}
	var out [][]byte
	for _, token := range must(pending.Finalize(reply)) {
		out = append(out, must(token.Marshal()))
	}
	return out
}

// pay returns what an operation costs.
func (u *user) pay(op wire.Operation) [][]byte {
	price, ok := u.doc.Prices.Prices[op.PriceName()]
	if !ok {
		return nil
	}
	if len(u.purse[price.Class]) < price.Count {
		u.purse[price.Class] = append(u.purse[price.Class], u.fetch(price.Class, 8)...)
	}
	paid := u.purse[price.Class][:price.Count]
	u.purse[price.Class] = u.purse[price.Class][price.Count:]
	return paid
}

// request encodes and signs a request.
func (u *user) request(op wire.Operation, body mls.Marshaler, sign *mls.SignatureKey, paid [][]byte) []byte {
	u.Helper()
	r := &wire.Request{RecipientDomain: u.doc.Domain, Operation: op, ExpiresAt: uint64(time.Now().Unix()) + 60,
		Nonce: [16]byte(random[[]byte](16)), Tokens: paid}
	if body != nil {
		r.Body = must(mls.Marshal(body))
	}
	if sign != nil {
		r.Auth.Type = wire.AuthQueue
		r.Auth.Signature = must(sign.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
	}
	return must(mls.Marshal(r))
}

func (u *user) send(op wire.Operation, request []byte, answer mls.Unmarshaler) error {
	u.Helper()
	base := u.doc.DS
	if op.IsQueue() {
		base = u.doc.QS
	}
	body, err := must(httpapi.NewClient(base, nil)).Do(u.Context(), op, request)
	if err == nil && answer != nil {
		err = mls.Unmarshal(body, answer)
	}
	return err
}

func (u *user) wantCode(what string, err error, code wire.Code) {
	u.Helper()
	if !errors.Is(err, &wire.Error{Code: code}) {
		u.Errorf("%s: got %v, want code %d", what, err, code)
	}
}

func newSigner() *mls.SignatureKey {
	return must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
}

// owner has a queue.
type owner struct {
	*user
	sign     *mls.SignatureKey
	segments *seal.PrivateKey
	queue    wire.QueueID
	reader   *seal.Reader
	secrets  map[wire.AddressID]seal.DeliverySecret
	last     uint64
}

func (u *user) newOwner(settings wire.QueueSettings) *owner {
	u.Helper()
	o := &owner{user: u, sign: newSigner(), segments: must(seal.GenerateKey(wire.X25519)), secrets: map[wire.AddressID]seal.DeliverySecret{}}
	create := &wire.CreateQueue{OwnerKey: [32]byte(o.sign.Public()), SegmentKey: *o.segments.Public(), Settings: settings}
	var info wire.QueueInfo
	if err := u.send(wire.OpCreateQueue, u.request(wire.OpCreateQueue, create, o.sign, u.pay(wire.OpCreateQueue)), &info); err != nil {
		u.Fatal(err)
	}
	o.queue = info.Queue
	o.reader = seal.NewReader(o.segments, o.queue)
	return o
}

// member is an address of an owner's queue in some group, as a delivery service
// knows it.
type member struct {
	id      wire.AddressID
	sealed  wire.SealedAddress
	binding [32]byte
	secret  seal.DeliverySecret
}

// join makes an address that a delivery service of a domain uses in one group.
func (o *owner) join(domain string) *member {
	o.Helper()
	var keys wire.AddressKeys
	if err := o.send(wire.OpAddressKeys, o.request(wire.OpAddressKeys, nil, nil, nil), &keys); err != nil {
		o.Fatal(err)
	}
	m := &member{id: wire.AddressID(random[[]byte](16)), secret: seal.DeliverySecret{Bytes: secret.New(random[[]byte](seal.DeliverySecretSize))}}
	m.binding = seal.Binding(random[[]byte](32), [16]byte(random[[]byte](16)))
	m.sealed = *must(seal.SealAddress(&keys[0].Key, wire.AddressBound, o.queue, m.id, seal.Use{Domain: domain, Binding: m.binding}))
	o.secrets[m.id] = m.secret
	return m
}

// messageTo encrypts a message to members as a delivery service does.
func messageTo(message []byte, sequence uint64, members ...*member) *wire.Delivery {
	payload, key, err := seal.SealPayload(rand.Reader, message)
	if err != nil {
		panic(err)
	}
	d := &wire.Delivery{Payload: payload}
	for _, m := range members {
		entry := must(seal.SealEntry(rand.Reader, m.secret, &seal.Entry{PayloadKey: key, Sequence: sequence}))
		d.Recipients = append(d.Recipients, wire.Recipient{Address: m.sealed, Binding: m.binding, Number: seal.Number(m.secret, sequence), Entry: entry})
	}
	return d
}

func (o *owner) read(wait uint16) *wire.QueuePage {
	o.Helper()
	var page wire.QueuePage
	if err := o.send(wire.OpReadQueue, o.request(wire.OpReadQueue, &wire.ReadQueue{Queue: o.queue, After: o.last, Wait: wait}, o.sign, nil), &page); err != nil {
		o.Fatal(err)
	}
	return &page
}

// receive reads and opens what is in the queue.
func (o *owner) receive(page *wire.QueuePage) (messages []string) {
	o.Helper()
	for _, opened := range o.reader.Open(page) {
		if opened.Err != nil {
			o.Fatal(opened.Err)
		}
		item := opened.Item
		entry := must(seal.OpenEntry(o.secrets[item.Address], &item.Entry))
		payload := item.Inline
		if item.Ticket != nil {
			var p wire.Payloads
			if err := o.send(wire.OpFetchPayloads, o.request(wire.OpFetchPayloads, &wire.FetchPayloads{Tickets: []wire.Ticket{*item.Ticket}}, nil, nil), &p); err != nil {
				o.Fatal(err)
			}
			payload = p[0]
		}
		messages = append(messages, string(must(seal.OpenPayload(entry.PayloadKey, payload))))
		o.last = opened.Seq
	}
	return messages
}
