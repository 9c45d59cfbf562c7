package account

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The bounds of what is kept of others.
const (
	MaxGreeting = 1024 // octets
	MaxAsked    = 64   // offers that wait for the user's answer
)

// ContactState says how far a contact is.
type ContactState uint8

// The states of a contact.
const (
	// ContactOffered: an offer was made, and not answered yet.
	ContactOffered ContactState = 1
	// ContactAsked: they offered, and wait for [Account.Accept].
	ContactAsked ContactState = 2
	// ContactAccepted: each can add the other to groups.
	ContactAccepted ContactState = 3
	// ContactBlocked: they get no KeyPackages, and their offers are ignored.
	ContactBlocked ContactState = 4
)

// String returns the state in a word.
func (s ContactState) String() string {
	switch s {
	case ContactOffered:
		return "offered"
	case ContactAsked:
		return "asked"
	case ContactAccepted:
		return "accepted"
	case ContactBlocked:
		return "blocked"
	}
	return "unknown"
}

// Contact is another user. It is a copy: changing it changes nothing.
type Contact struct {
	// Name is what the user's credential says.
	Name string
	// Identity is the Ed25519 key behind the name.
	Identity []byte
	// Card is the newest known.
	Card wire.ContactCard
	// Token, Pools and LinkWrap are what they granted: see [wire.Contact]. They are
	// zero in the state [ContactOffered].
	Token    wire.ContactToken
	Pools    []wire.PoolID
	LinkWrap secret.Bytes
	State    ContactState
	// Greeting came with their offer.
	Greeting []byte
	// Pending tells that something is still to be sent, such as an offer:
	// [Account.Refill] does.
	Pending bool
}

// Fingerprint returns a hash of the identity's key, for two people to compare:
// six groups of five digits, about 100 bits.
func (c *Contact) Fingerprint() string { return Fingerprint(c.Identity) }

// Fingerprint returns the fingerprint of an identity's key.
func Fingerprint(key ed25519.PublicKey) string {
	h := sha256.Sum256(append([]byte("pseudods 1.0 identity fingerprint"), key...))
	groups := make([]string, 6)
	for i := range groups {
		groups[i] = fmt.Sprintf("%05d", binary.BigEndian.Uint32(h[4*i:])%100_000)
	}
	return strings.Join(groups, " ")
}

// Contacts returns all contacts, by name.
func (a *Account) Contacts() ([]*Contact, error) {
	if a.isClosed() {
		return nil, ErrClosed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*Contact
	for _, c := range a.contacts {
		out = append(out, c.view())
	}
	slices.SortFunc(out, func(x, y *Contact) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// Contact returns the contact of a name, or [ErrNoContact].
func (a *Account) Contact(name string) (*Contact, error) {
	c := a.contactNow(name)
	if c == nil {
		return nil, ErrNoContact
	}
	return c.view(), nil
}

func (a *Account) contactNow(name string) *contact {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.contacts[name]
}

// Connect asks the holder of a card for contact, with a greeting of at most
// [MaxGreeting] octets. The offer holds what lets the other add this user to
// groups. If the other has asked before, Connect accepts. Repeating it sends the
// offer again, and what has changed since.
//
// It fails with [ErrCard], [ErrOwnCard], [ErrGreeting], [ErrIdentityChanged],
// [ErrBlocked], or as [Account.Call] does; in the last case the offer is kept, and
// Refill sends it.
func (a *Account) Connect(ctx context.Context, card *wire.ContactCard, greeting []byte) error {
	id, name, err := parseCardIdentity(card)
	if err != nil {
		return err
	}
	if id.key.Equal(ed25519.PublicKey(a.static.identity.Key.Public())) {
		return ErrOwnCard
	}
	if len(greeting) > MaxGreeting {
		return ErrGreeting
	}
	if _, err := a.cfg.baseOf(card.Domain); err != nil {
		return fmt.Errorf("%w: %w", ErrCard, err)
	}
	if err := a.pin(&id.credential, id.key, false); err != nil {
		return err
	}
	if err := a.prepare(name, id, card, greeting); err != nil {
		return err
	}
	return a.deliver(ctx, name)
}

// prepare makes and saves the offer of Connect.
func (a *Account) prepare(name string, id *cardIdentity, card *wire.ContactCard, greeting []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.contacts[name]
	if old != nil && !old.key.Equal(id.key) { // never pinned, so nobody the user chose
		if err := a.forgetContact(old); err != nil {
			return err
		}
		old = nil
	}
	next := &contact{name: name, key: id.key, state: ContactOffered}
	if old != nil {
		if old.state == ContactBlocked {
			return ErrBlocked
		}
		if next = old.clone(); next.state == ContactAsked {
			next.state = ContactAccepted
		}
	}
	if err := a.unblock(id.key); err != nil {
		return err
	}
	next.card = *card
	if err := a.compileOffer(next, greeting); err != nil {
		return err
	}
	return a.putContact(next)
}

// Accept accepts an offer, and makes a contact that was blocked one again. It
// fails with [ErrNoContact] unless they have made an offer, with
// [ErrIdentityChanged], or as [Account.Call] does; then the acceptance is kept, and
// Refill sends it. Repeating it sends it again.
func (a *Account) Accept(ctx context.Context, name string) error {
	c := a.contactNow(name)
	if c == nil || c.theirs.version == 0 {
		return ErrNoContact
	}
	id, _, err := parseCardIdentity(&c.card)
	if err != nil {
		return err
	}
	if err := a.pin(&id.credential, id.key, false); err != nil {
		return err
	}
	err = a.changeContact(name, func(c *contact) error {
		if c.theirs.version == 0 || !c.key.Equal(id.key) {
			return ErrNoContact
		}
		c.state = ContactAccepted
		return a.compileOffer(c, nil)
	})
	if err != nil {
		return err
	}
	return a.deliver(ctx, name)
}

// Block ends what a contact was granted, for good, and has its offers ignored. The
// contact is not told. Groups with it are another matter, see [Account.Revoke]. It
// fails with [ErrNoContact] or as [Account.Call] does; the contact is blocked then
// too, and Refill does the rest.
//
// What the contact already has it keeps: the key that shows whose this user's
// KeyPackages are, and one that it has fetched.
func (a *Account) Block(ctx context.Context, name string) error {
	err := a.changeContact(name, func(c *contact) error {
		c.state = ContactBlocked
		c.revokeToken()
		c.offer, c.sent = nil, false
		return nil
	})
	if err != nil {
		return err
	}
	return a.deliver(ctx, name)
}

// changeContact saves what f makes of a contact.
func (a *Account) changeContact(name string, f func(*contact) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.contacts[name]
	if old == nil {
		return ErrNoContact
	}
	next := old.clone()
	if err := f(next); err != nil {
		return err
	}
	return a.putContact(next)
}

// putContact saves a contact, and has the user's other clients told what is new to
// them: before, so that a crash repeats that. The caller holds mu.
func (a *Account) putContact(c *contact) error {
	old := a.contacts[c.name]
	if c.decided() && (old == nil || old.state != c.state || old.theirs.version != c.theirs.version) {
		if err := a.tellDevices(c.shared(), DeviceID{}); err != nil {
			return err
		}
	}
	return a.saveContact(c)
}

// saveContact saves a contact and tells nobody. The caller holds mu.
func (a *Account) saveContact(c *contact) error {
	if err := a.save(prefixContacts+c.name, c); err != nil {
		return err
	}
	a.contacts[c.name] = c
	return nil
}

// forgetContact deletes a contact but for what must still be revoked, and that it
// is blocked. The caller holds mu.
func (a *Account) forgetContact(c *contact) error {
	next := c.clone()
	next.revokeToken()
	f := &former{key: c.key, blocked: c.state == ContactBlocked, revoke: next.revoke}
	if len(f.revoke) > 0 || f.blocked {
		if err := a.putFormer(f); err != nil {
			return err
		}
	}
	if err := a.store.Delete(prefixContacts + c.name); err != nil {
		return err
	}
	delete(a.contacts, c.name)
	return nil
}

// newToken draws a contact token.
func (a *Account) newToken() (wire.ContactToken, error) {
	b := make([]byte, wire.ContactTokenSize)
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		return wire.ContactToken{}, fmt.Errorf("account: reading randomness: %w", err)
	}
	return wire.ContactToken{Bytes: secret.New(b)}, nil
}

// deliver sends what is due for a contact: revocations, then the registration of
// its token, then the offer that holds the token. Each step is saved when it is
// done, and repeating one changes nothing.
func (a *Account) deliver(ctx context.Context, name string) error {
	select {
	case a.contactTurn <- struct{}{}:
		defer func() { <-a.contactTurn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		c := a.contactNow(name)
		if c == nil || !c.pending() {
			return nil
		}
		if err := a.deliverStep(ctx, c); err != nil {
			return err
		}
	}
}

func (a *Account) deliverStep(ctx context.Context, c *contact) error {
	switch {
	case len(c.revoke) > 0:
		if err := a.allow(ctx, &c.revoke[0], false); err != nil {
			return err
		}
		return a.changeContact(c.name, func(now *contact) error {
			now.revoke = now.revoke[1:]
			return nil
		})
	case !c.allowed:
		if err := a.allow(ctx, &c.token, true); err != nil {
			return err
		}
		return a.changeContact(c.name, func(now *contact) error {
			now.allowed = now.token.Equal(c.token.Bytes)
			return nil
		})
	}
	request := &wire.ConnectionRequest{Address: c.card.Address, Offer: c.offer}
	if err := a.Call(ctx, &Call{Domain: c.card.Domain, Operation: wire.OpConnectionRequest, Body: request}); err != nil {
		return err
	}
	return a.changeContact(c.name, func(now *contact) error {
		now.sent = now.sent || slices.Equal(now.offer, c.offer)
		return nil
	})
}

// allow registers a contact token at the pool for groups, or revokes it.
func (a *Account) allow(ctx context.Context, token *wire.ContactToken, allow bool) error {
	pool := a.static.pool(wire.PoolGroup)
	body := &wire.AllowContact{Pool: pool, Contact: token.Hash(pool), Allow: allow}
	err := a.Call(ctx, a.poolCall(wire.OpAllowContact, wire.PoolGroup, body, nil))
	if !allow && errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
		return nil // the pool is gone, and with it what the token was good for
	}
	return err
}

// compileOffer makes the offer that is to be sent to a contact next, with a token
// for it. The caller holds mu.
func (a *Account) compileOffer(c *contact, greeting []byte) error {
	if c.token.IsZero() {
		token, err := a.newToken()
		if err != nil {
			return err
		}
		c.token, c.allowed = token, false
	}
	if len(a.status.cards) == 0 {
		return fmt.Errorf("%w: none was made yet", ErrCard)
	}
	offer := &wire.Contact{
		Card: a.status.cards[0].card, Version: max(c.version+1, uint64(max(0, a.cfg.Now().Unix()))), Token: c.token,
		Pools: []wire.PoolID{a.static.pool(wire.PoolGroup)}, LinkWrap: a.static.linkWrap, Accepts: c.theirs.offer, Content: greeting,
	}
	sealed, err := sealOffer(a.static.identity.Key, &c.card, offer)
	if err != nil {
		return err
	}
	c.version, c.offer, c.sent = offer.Version, sealed, false
	return nil
}

// signOffer signs an offer for the holder of a card.
func signOffer(key *mls.SignatureKey, to *wire.ContactCard, c *wire.Contact) error {
	tbs, err := c.TBS(to)
	if err != nil {
		return err
	}
	c.Signature, err = key.SignWithLabel(wire.ContactLabel, tbs)
	return err
}
