package protocol

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The provider of the examples, and another one.
const (
	home = "example.org"
	away = "example.net"
)

var now = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func encoded(v mls.Marshaler) []byte { return must(mls.Marshal(v)) }

// seeded returns octets that follow from a name, without end.
func seeded(name string) io.Reader { return rand.NewChaCha8(sha256.Sum256([]byte(name))) }

// octets returns n octets that follow from a name.
func octets(name string, n int) []byte {
	b := make([]byte, n)
	must(io.ReadFull(seeded(name), b))
	return b
}

func secretOf(name string) secret.Bytes { return secret.New(octets(name, 32)) }

// reseed makes everything that draws from the runtime's generator follow from a
// name. What is drawn in what order may change with the Go release; then the
// vectors are made anew.
func reseed(t *testing.T, name string) {
	h := sha256.Sum256([]byte(name))
	cryptotest.SetGlobalRandom(t, uintOf(h[:8]))
}

func suite() *mls.Suite { return must(mls.X25519AES128GCM.Suite()) }

// signer returns an Ed25519 key that follows from a name.
func signer(name string) *mls.SignatureKey { return must(suite().GenerateSignatureKey(seeded(name))) }

func hpkeKey(kem wire.KEM, name string) *seal.PrivateKey {
	return must(seal.ParseKey(kem, secretOf(name)))
}

// client is a member of a group of the examples, or one to be.
type client struct {
	*group.Group
	cfg       group.Config
	mls       *group.Client
	name      string
	pseudonym *identity.Pseudonym
	kp        *mls.KeyPackage
	userKey   *mls.SignatureKey
	welcome   *seal.PrivateKey
	secret    secret.Bytes // of the first address
	address   wire.KeyPackageAddress
}

// queue is the client's.
func (c *client) queue() wire.QueueID { return wire.QueueIDOf(signer(c.name + "'s queue").Public()) }

// newClient makes a client of a user, with a KeyPackage for one group.
func newClient(name, user, provider string) *client {
	store := group.NewMemoryStore()
	c := &client{name: name, cfg: group.Config{KeyPackages: store, PSKs: store, Rand: seeded(name)}, secret: secretOf(name + "'s delivery secret")}
	leafKey := signer(name + "'s leaf")
	c.userKey = signer(user + "'s user key")
	real := must(identity.New(mls.BasicCredential([]byte(user+"@"+provider)), seeded(user)))
	c.pseudonym = must(real.NewPseudonym(seeded(name+"'s pseudonym"), wire.Pseudonym(octets(user+"'s pseudonym", 16)), provider,
		ed25519.PublicKey(c.userKey.Public()), leafKey.Public()))
	caps := group.DefaultCapabilities(mls.X25519AES128GCM)
	caps.Proposals = append(caps.Proposals, mls.ProposalTypeSelfRemove)
	caps.Extensions = append(caps.Extensions, wire.ExtensionQueueAddress, wire.ExtensionGroupPolicy, wire.ExtensionLinkKey)
	c.mls = &group.Client{Suite: mls.X25519AES128GCM, Credential: must(c.pseudonym.Credential.Credential()), Signer: leafKey, Capabilities: caps,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Unix()) - 3600, NotAfter: uint64(now.Unix()) + 30*86400}}
	c.welcome = hpkeKey(wire.X25519, name+"'s welcome key")
	c.address = wire.KeyPackageAddress{WelcomeKey: [32]byte(c.welcome.Public().Public),
		Address: wire.QueueAddress{Domain: provider, Nonce: [16]byte(octets(name+"'s nonce", 16)),
			Sealed: *c.seal(wire.AddressOneTime, "first", seal.Use{})}}
	extensions := must(mls.Extensions{}.With(wire.ExtensionQueueAddress, &c.address))
	link := must(identity.Wrap(seeded(name+"'s link"), secretOf(user+"'s link wrap"), c.pseudonym))
	extensions = must(extensions.With(wire.ExtensionLinkKey, link))
	c.kp = must(group.NewKeyPackage(c.cfg, c.mls, group.KeyPackageOptions{Extensions: extensions}))
	return c
}

// addressKey is the queue services' of the examples.
func addressKey() *seal.PrivateKey { return hpkeKey(wire.X25519, "address key") }

func (c *client) addressID(which string) wire.AddressID {
	return wire.AddressID(octets(c.name+"'s "+which+" address", 16))
}

// seal seals an address of the client's queue.
func (c *client) seal(kind wire.AddressKind, which string, use seal.Use) *wire.SealedAddress {
	return must(seal.SealAddress(addressKey().Public(), kind, c.queue(), c.addressID(which), use))
}

// bound returns an address of the client's queue for one group, with its secret.
func (c *client) bound(which string, g wire.GroupID) wire.MemberAddress {
	a := wire.QueueAddress{Domain: c.pseudonym.Credential.Provider, Nonce: [16]byte(octets(c.name+"'s nonce of "+which, 16))}
	a.Sealed = *c.seal(wire.AddressBound, which, seal.Use{Domain: home, Binding: seal.Binding(g[:], a.Nonce)})
	return wire.MemberAddress{Address: a, Secret: secretOf(c.name + "'s secret of " + which)}
}

func (c *client) id() wire.GroupID { return wire.GroupID(c.GroupID()) }

func (c *client) stateKey() secret.Bytes {
	return must(c.Export(wire.GroupStateKeyLabel, c.GroupID(), wire.GroupStateKeySize))
}

func message(m *mls.Message) []byte { return encoded(m) }

// exchange is one operation with its request and answer.
type exchange struct {
	name        string // of the operation
	op          wire.Operation
	signer      *mls.SignatureKey // nil if nobody signs
	bodyType    string
	body        []byte
	answerType  string
	answer      []byte
	request     *wire.Request
	sent, reply []byte
}

// story gathers exchanges.
type story struct {
	t         *testing.T
	exchanges []*exchange
	// serve answers a request of a service that is there.
	serve func(ctx context.Context, request *wire.Request, encoded []byte) []byte
}

// ask makes a request, has the service answer it, and keeps both. The same with
// another type of authentication must be refused.
func (s *story) ask(name string, r *wire.Request, key *mls.SignatureKey, bodyType string, body mls.Marshaler, answerType string) []byte {
	s.t.Helper()
	rec := s.prepare(name, r, key, bodyType, body, answerType)
	s.refuseOthers(name, *r, key)
	rec.reply = s.serve(s.t.Context(), r, rec.sent)
	var response wire.Response
	check(mls.Unmarshal(rec.reply, &response))
	if response.Err != nil {
		s.t.Fatalf("%s: %v", name, response.Err)
	}
	rec.answer = response.Body
	return rec.answer
}

// tell makes a request and the answer to it.
func (s *story) tell(name string, r *wire.Request, key *mls.SignatureKey, bodyType string, body mls.Marshaler, answerType string, answer mls.Marshaler) {
	s.t.Helper()
	rec := s.prepare(name, r, key, bodyType, body, answerType)
	rec.answer = encoded(answer)
	rec.reply = encoded(&wire.Response{Body: rec.answer})
}

func (s *story) prepare(name string, r *wire.Request, key *mls.SignatureKey, bodyType string, body mls.Marshaler, answerType string) *exchange {
	r.RecipientDomain, r.Body, r.ExpiresAt = home, encoded(body), uint64(now.Unix())+60
	r.Nonce = [16]byte(octets("nonce of "+name, 16))
	if key != nil {
		r.Auth.Signature = must(key.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
	}
	rec := &exchange{name: name, op: r.Operation, signer: key, bodyType: bodyType, body: r.Body, answerType: answerType, request: r, sent: encoded(r)}
	s.exchanges = append(s.exchanges, rec)
	return rec
}

func (s *story) refuseOthers(name string, r wire.Request, key *mls.SignatureKey) {
	s.t.Helper()
	own := r.Auth
	if key == nil {
		key = signer("nobody")
	}
	for other := wire.AuthNone; other <= wire.AuthService; other++ {
		if other == own.Type {
			continue
		}
		r.Nonce[0]++
		if r.Auth = (wire.Auth{Type: other, Leaf: own.Leaf, KeyID: own.KeyID}); other != wire.AuthNone {
			r.Auth.Signature = must(key.SignWithLabel(wire.SignatureLabel, must(r.TBS())))
		}
		var response wire.Response
		check(mls.Unmarshal(s.serve(s.t.Context(), &r, encoded(&r)), &response))
		if response.Err == nil {
			s.t.Errorf("%s is also taken with authentication %d", name, other)
		}
	}
}
