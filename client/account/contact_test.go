package account_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// offer sends an offer to the holder of a card, as a stranger who does not keep to
// the rules can: change has its way with it before it is signed.
func (p *person) offer(to *wire.ContactCard, change func(*wire.Contact), sign *mls.SignatureKey) {
	p.Helper()
	p.pass(to, to, change, sign)
}

// pass sends an offer that was signed for another than it is sealed to.
func (p *person) pass(signed, to *wire.ContactCard, change func(*wire.Contact), sign *mls.SignatureKey) {
	p.Helper()
	c := &wire.Contact{Card: *p.card(), Version: 1, Token: wire.ContactToken{Bytes: secret.New(bytes.Repeat([]byte{1}, wire.ContactTokenSize))},
		LinkWrap: secret.New(make([]byte, wire.LinkWrapSize)), Content: []byte("hello")}
	if change != nil {
		change(c)
	}
	tbs, err := c.TBS(signed)
	p.must(err)
	c.Signature, err = sign.SignWithLabel(wire.ContactLabel, tbs)
	p.must(err)
	sealed, err := seal.SealOffer(to, c)
	p.must(err)
	p.must(p.Call(p.ctx, &account.Call{Domain: domain, Operation: wire.OpConnectionRequest, Body: &wire.ConnectionRequest{Address: to.Address, Offer: sealed}}))
}

// TestOffersAreIdempotent repeats offers and acceptances, with restarts between.
func TestOffersAreIdempotent(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	for range 3 {
		s.must(alice.Connect(s.ctx, bob.card(), []byte("hello")))
		alice.restart()
	}
	if in := bob.receive(); len(in) != 3 || in[2].Contact == nil {
		t.Fatalf("received %+v", in)
	}
	bob.contact("alice", account.ContactAsked)
	for range 3 {
		s.must(bob.Accept(s.ctx, "alice"))
		bob.restart()
	}
	for _, in := range alice.receive() {
		if in.Err != nil || in.Contact.State != account.ContactAccepted {
			t.Fatalf("received %+v", in)
		}
	}
	all, err := alice.Contacts()
	if err != nil || len(all) != 1 || all[0].Pending || all[0].Name != "bob" {
		t.Fatalf("contacts %+v, %v", all, err)
	}
	_, _, err = alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.must(err)
	s.want(bob.Accept(s.ctx, "carol"), account.ErrNoContact)
	s.want(bob.Block(s.ctx, "carol"), account.ErrNoContact)
	_, err = bob.Contact("carol")
	s.want(err, account.ErrNoContact)
}

// TestCrossingOffers: who asks and is asked has a contact.
func TestCrossingOffers(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	s.must(alice.Connect(s.ctx, bob.card(), nil))
	s.must(bob.Connect(s.ctx, alice.card(), nil))
	s.want(bob.Accept(s.ctx, "alice"), account.ErrNoContact)
	alice.receive()
	bob.receive()
	for _, p := range [][2]*person{{alice, bob}, {bob, alice}} {
		_, _, err := p[0].FetchKeyPackage(s.ctx, p[0].contact(p[1].name, account.ContactAccepted))
		s.must(err)
	}
	// And connecting to who has asked accepts.
	carol := s.join("carol")
	s.must(carol.Connect(s.ctx, alice.card(), nil))
	alice.receive()
	s.must(alice.Connect(s.ctx, carol.card(), nil))
	alice.contact("carol", account.ContactAccepted)
	carol.receive()
	carol.contact("alice", account.ContactAccepted)
}

func TestFingerprint(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	f := alice.contact("bob", account.ContactAccepted).Fingerprint()
	if f != account.Fingerprint(bob.Identity().Key.Public()) || len(f) != 35 || f == account.Fingerprint(alice.Identity().Key.Public()) {
		t.Fatalf("fingerprint %q", f)
	}
}

// TestBlocking ends what was granted, also when the service is away at first, and
// ignores what comes then.
func TestBlocking(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	bob.net.lose(always(httpapi.PathQueueOperation))
	ctx, cancel := shortly(s.ctx)
	defer cancel()
	s.want(bob.Block(ctx, "alice"), account.ErrUncertain)
	if c := bob.contact("alice", account.ContactBlocked); !c.Pending {
		t.Fatal("nothing is to be sent")
	}
	bob.restart()
	bob.net.lose(nil)
	s.must(bob.Refill(s.ctx))
	if bob.contact("alice", account.ContactBlocked).Pending {
		t.Fatal("something is to be sent")
	}
	_, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.want(err, refused(wire.CodeExhausted))
	s.must(alice.Connect(s.ctx, bob.card(), []byte("please")))
	in := bob.receive()
	s.want(in[0].Err, account.ErrBlocked)
	s.want(bob.Connect(s.ctx, alice.card(), nil), account.ErrBlocked)
	_, _, err = bob.FetchKeyPackage(s.ctx, bob.contact("alice", account.ContactBlocked))
	s.want(err, account.ErrBlocked)
	alice.offer(bob.card(), func(c *wire.Contact) { c.Card = *alice.cardAs("alice under another name", domain) }, alice.Identity().Key)
	s.want(bob.receive()[0].Err, account.ErrBlocked)
	// The user may think again.
	s.must(bob.Accept(s.ctx, "alice"))
	alice.receive()
	_, _, err = alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
	s.must(err)
}

// TestForgedOffers: nobody can offer in another's name, or pass an offer on.
func TestForgedOffers(t *testing.T) {
	s := newSite(t)
	alice, bob, mallory := s.join("alice"), s.join("bob"), s.join("mallory")
	own := mallory.Identity().Key
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Card = *alice.card() }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Card.Signature = make([]byte, 64) }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Version = 0 }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Content = make([]byte, account.MaxGreeting+1) }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Pools = make([]wire.PoolID, 100) }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Card = *mallory.cardAs("mal\nlory", domain) }, own)
	mallory.offer(bob.card(), func(c *wire.Contact) { c.Card = *mallory.cardAs("mallory", "evil/../..") }, own)
	in := bob.receive()
	for i := range in {
		if !errors.Is(in[i].Err, account.ErrOffer) || in[i].Contact != nil {
			t.Errorf("offer %d: %v", i, in[i].Err)
		}
	}
	// One that alice made for mallory, who passes it on, and one of no form.
	mallory.pass(mallory.card(), bob.card(), func(c *wire.Contact) { c.Card = *alice.card() }, alice.Identity().Key)
	s.must(mallory.Call(s.ctx, &account.Call{Domain: domain, Operation: wire.OpConnectionRequest,
		Body: &wire.ConnectionRequest{Address: bob.card().Address, Offer: []byte("garbage")}}))
	in = bob.receive()
	s.want(in[0].Err, account.ErrOffer)
	s.want(in[1].Err, account.ErrOffer)
	if all, err := bob.Contacts(); err != nil || len(all) != 0 {
		t.Fatalf("%d contacts, %v", len(all), err)
	}
	// One's own card in an offer, and connecting to oneself.
	s.want(alice.Connect(s.ctx, alice.card(), nil), account.ErrOwnCard)
	alice.offer(alice.card(), nil, alice.Identity().Key)
	s.want(alice.receive()[0].Err, account.ErrOffer)
	s.want(alice.Connect(s.ctx, bob.card(), make([]byte, account.MaxGreeting+1)), account.ErrGreeting)
}

// cardAs returns a card of the person's queue, signed, that says another name or
// domain.
func (p *person) cardAs(name, domain string) *wire.ContactCard {
	p.Helper()
	return p.sign(p.card(), name, domain, p.Identity().Key)
}

// sign returns a changed copy of a card, signed by a key.
func (s *site) sign(card *wire.ContactCard, name, domain string, key *mls.SignatureKey) *wire.ContactCard {
	s.Helper()
	c := *card
	c.Domain = domain
	credential := mls.BasicCredential([]byte(name))
	b, err := mls.Marshal(&credential)
	s.must(err)
	c.Identity = append(b, key.Public()...)
	tbs, err := c.TBS()
	s.must(err)
	c.Signature, err = key.SignWithLabel(wire.ContactCardLabel, tbs)
	s.must(err)
	return &c
}

// TestIdentityChanged: a known name stays with its key, until the user says
// otherwise, over restarts.
func TestIdentityChanged(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	impostor := s.join("bob")
	impostor.offer(alice.card(), nil, impostor.Identity().Key)
	alice.restart()
	in := alice.receive()
	s.want(in[0].Err, account.ErrIdentityChanged)
	s.want(alice.Connect(s.ctx, impostor.card(), nil), account.ErrIdentityChanged)
	// Nor may anybody have the user's own name.
	second := s.join("alice")
	second.offer(alice.card(), nil, second.Identity().Key)
	s.want(alice.receive()[0].Err, account.ErrIdentityChanged)
	s.want(alice.Connect(s.ctx, second.card(), nil), account.ErrIdentityChanged)

	verify := alice.Verifier()
	name := mls.BasicCredential([]byte("bob"))
	if !verify(&name, bob.Identity().Key.Public()) || verify(&name, impostor.Identity().Key.Public()) {
		t.Fatal("the verifier does not know the contact")
	}
	// The other one was right.
	s.must(alice.Trust(impostor.card()))
	_, err := alice.Contact("bob")
	s.want(err, account.ErrNoContact)
	if verify(&name, bob.Identity().Key.Public()) || !verify(&name, impostor.Identity().Key.Public()) {
		t.Fatal("the verifier does not follow")
	}
	s.must(alice.Connect(s.ctx, impostor.card(), nil))
	alice.restart()
	s.must(alice.Refill(s.ctx)) // what bob had is revoked
	_, _, err = bob.FetchKeyPackage(s.ctx, bob.contact("alice", account.ContactAccepted))
	s.want(err, refused(wire.CodeExhausted))
	s.want(alice.Connect(s.ctx, bob.card(), nil), account.ErrIdentityChanged)
}

// TestSquatting: a stranger who merely asked does not keep a name.
func TestSquatting(t *testing.T) {
	s := newSite(t)
	alice, bob, squatter := s.join("alice"), s.join("bob"), s.join("bob")
	squatter.offer(alice.card(), nil, squatter.Identity().Key)
	bob.offer(alice.card(), nil, bob.Identity().Key)
	in := alice.receive()
	if in[0].Err != nil {
		t.Fatal(in[0].Err)
	}
	s.want(in[1].Err, account.ErrIdentityChanged) // there is one of that name
	s.must(alice.Block(s.ctx, "bob"))
	bob.offer(alice.card(), func(c *wire.Contact) { c.Version = 2 }, bob.Identity().Key)
	squatter.offer(alice.card(), func(c *wire.Contact) { c.Version = 3 }, squatter.Identity().Key)
	alice.restart()
	in = alice.receive()
	if in[0].Err != nil || !bytes.Equal(in[0].Contact.Identity, bob.Identity().Key.Public()) {
		t.Fatalf("received %+v", in[0])
	}
	s.want(in[1].Err, account.ErrBlocked)
	alice.contact("bob", account.ContactAsked)
	// Of one that waits for an answer and one whose card the user has, the latter
	// counts.
	carol, other := s.join("carol"), s.join("carol")
	other.offer(alice.card(), nil, other.Identity().Key)
	alice.receive()
	s.must(alice.Connect(s.ctx, carol.card(), nil))
	if c := alice.contact("carol", account.ContactOffered); !bytes.Equal(c.Identity, carol.Identity().Key.Public()) {
		t.Fatal("the other one has the name")
	}
}

func TestTooManyAsk(t *testing.T) {
	s := newSite(t)
	alice, crowd := s.join("alice"), s.join("crowd")
	for i := range account.MaxAsked + 1 {
		key, err := identity.New(mls.BasicCredential([]byte("x")), rand.Reader)
		s.must(err)
		crowd.offer(alice.card(), func(c *wire.Contact) {
			c.Card = *s.sign(crowd.card(), fmt.Sprint("person ", i), domain, key.Key)
		}, key.Key)
	}
	in := alice.receive()
	for i := range account.MaxAsked {
		if in[i].Err != nil {
			t.Fatal(in[i].Err)
		}
	}
	s.want(in[account.MaxAsked].Err, account.ErrTooManyAsked)
	s.must(alice.Block(s.ctx, "person 0"))
	s.must(crowd.Connect(s.ctx, alice.card(), nil))
	if in := alice.receive(); in[0].Err != nil {
		t.Fatal(in[0].Err)
	}
}

func TestNames(t *testing.T) {
	s := newSite(t)
	for _, bad := range []string{"", strings.Repeat("x", 129), "a\x00b", "a\nb", " a", "a ", "\xff", "a\u202eb", "\u200b"} {
		_, err := account.Create(s.ctx, s.newPerson("nobody").cfg, bad, domain)
		if !errors.Is(err, account.ErrName) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
	for _, good := range []string{"Ada Lovelace", "Ольга", "李", strings.Repeat("x", 128)} {
		if _, _, err := account.CardName(s.sign(&wire.ContactCard{Domain: domain, Address: wire.SealedAddress{Kind: wire.AddressReusable, KEMOutput: []byte{1},
			Ciphertext: make([]byte, wire.AddressCiphertextSize)}, OfferKey: wire.HPKEKey{KEM: wire.X25519, Public: make([]byte, 32)}}, good, domain, ed25519Key(t))); err != nil {
			t.Errorf("name %q: %v", good, err)
		}
	}
}

func ed25519Key(t testing.TB) *mls.SignatureKey {
	t.Helper()
	id, err := identity.New(mls.BasicCredential([]byte("x")), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id.Key
}

func TestCardText(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	text, err := account.FormatCard(alice.card())
	s.must(err)
	wrapped := "  " + text[:40] + "\r\n\t" + text[40:] + "\n"
	for _, x := range []string{text, wrapped} {
		card, err := account.ParseCard(x)
		if err != nil || !bytes.Equal(card.Signature, alice.card().Signature) {
			t.Fatalf("read %v", err)
		}
	}
	for name, x := range map[string]string{
		"empty":     "",
		"no prefix": text[len("pseudods-card:"):],
		"too long":  text + strings.Repeat(" ", 16<<10),
		"padding":   text + "=",
		"trailing":  text + "AAAA",
		"changed":   strings.Replace(text, text[60:64], "AAAA", 1),
	} {
		if _, err := account.ParseCard(x); !errors.Is(err, account.ErrCard) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range len(text) {
		if _, err := account.ParseCard(text[:n]); !errors.Is(err, account.ErrCard) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
}

// TestVerifierOfTheApplication is asked in place of the pins.
func TestVerifierOfTheApplication(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.stop()
	alice.openVault()
	believes := true
	alice.cfg.Verifier = func(*mls.Credential, ed25519.PublicKey) bool { return believes }
	var err error
	alice.Account, err = account.Open(s.ctx, alice.cfg)
	s.must(err)
	alice.befriend(bob)
	believes = false
	s.want(alice.Connect(s.ctx, bob.card(), nil), account.ErrIdentityChanged)
	s.must(bob.Connect(s.ctx, alice.card(), nil))
	s.want(alice.receive()[0].Err, account.ErrIdentityChanged)
}

// TestFetchedKeyPackages that are not what they should be are refused.
func TestFetchedKeyPackages(t *testing.T) {
	s := newSite(t)
	alice, bob, carol := s.join("alice"), s.join("bob"), s.join("carol")
	alice.befriend(bob)
	alice.befriend(carol)
	contact := alice.contact("bob", account.ContactAccepted)
	k, link, err := alice.FetchKeyPackage(s.ctx, contact)
	s.must(err)
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &k.LeafNode.Credential)
	s.must(err)
	if _, err := identity.OpenLink(name.Credential, k.LeafNode.SignatureKey, link, alice.Verifier()); err != nil {
		t.Fatal(err)
	}
	fetch := func(answer []byte) error {
		s.mu.Lock()
		s.lie = func(r *wire.Request) ([]byte, bool) { return answer, r.Operation == wire.OpGroupPackages }
		s.mu.Unlock()
		_, _, err := alice.FetchKeyPackage(s.ctx, contact)
		return err
	}
	sealed := func(b []byte) []byte {
		out, err := seal.SealKeyPackage(rand.Reader, seal.PoolKeyOf(contact.LinkWrap), contact.Pools[0], b)
		s.must(err)
		return out
	}
	whole, err := mls.Marshal(k)
	s.must(err)
	changed := bytes.Clone(whole)
	changed[len(changed)-1] ^= 1
	other, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("carol", account.ContactAccepted))
	s.must(err)
	carols, err := mls.Marshal(other)
	s.must(err)
	bare, err := alice.barePackage(k)
	s.must(err)
	for what, b := range map[string][]byte{"empty": nil, "cut": whole[:100], "signature": changed, "another's": carols, "without link": bare} {
		if err := fetch(sealed(b)); !errors.Is(err, account.ErrKeyPackage) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.want(fetch(whole), account.ErrKeyPackage) // not sealed
	s.must(fetch(sealed(whole)))
	s.sleep(60 * 24 * 3600 * 1e9)
	s.want(fetch(sealed(whole)), account.ErrKeyPackage)
	s.lie = nil
	_, _, err = alice.FetchKeyPackage(s.ctx, &account.Contact{})
	s.want(err, account.ErrNoContact)
}

// barePackage returns a KeyPackage of a bare pseudonym with the extensions of
// another.
func (p *person) barePackage(k *mls.KeyPackage) ([]byte, error) {
	suite, err := k.CipherSuite.Suite()
	p.must(err)
	signer, err := suite.GenerateSignatureKey(rand.Reader)
	p.must(err)
	bare := *k
	bare.LeafNode = *k.LeafNode.Clone()
	bare.LeafNode.SignatureKey = signer.Public()
	bare.LeafNode.Credential = mls.BasicCredential(make([]byte, 16))
	p.must(bare.LeafNode.Sign(signer, nil, 0))
	p.must(bare.Sign(signer))
	return mls.Marshal(&bare)
}

// TestConnectionPool serves whoever has the card.
func TestConnectionPool(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	k, err := alice.FetchConnectionPackage(s.ctx, bob.card())
	s.must(err)
	s.welcome(k, 1)
	in := bob.receive()
	if len(in) != 1 || in[0].Pool != wire.PoolConnection || in[0].JoinInfo == nil {
		t.Fatalf("received %+v", in)
	}
	_, err = alice.FetchConnectionPackage(s.ctx, &wire.ContactCard{})
	s.want(err, account.ErrCard)
}
