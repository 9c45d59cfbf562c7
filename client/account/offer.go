package account

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// takeOffer takes an offer of contact, or an acceptance, that came to the address
// of one of the own cards. One that is known already, or older than what is known,
// changes nothing and returns the contact as it is. What the user itself signed is
// from another of its clients, and returns devices if it concerns them. It fails
// with [ErrUnknownAddress], [ErrOffer], [ErrIdentityChanged], [ErrBlocked],
// [ErrTooManyAsked], as takeDevice does, and with the vault's errors, which alone
// wrap none of these.
func (a *Account) takeOffer(to wire.AddressID, sealed []byte) (*Contact, []*Device, error) {
	offer, id, name, err := a.openOffer(to, sealed)
	if err != nil {
		return nil, nil, err
	}
	if id.key.Equal(a.ownKey()) {
		devices, err := a.takeDevice(offer)
		return nil, devices, err
	}
	c, err := a.takeContact(offer, id, name, seal.OfferHash(sealed))
	return c, nil, err
}

// takeContact is takeOffer for what somebody else signed.
func (a *Account) takeContact(offer *wire.Contact, id *cardIdentity, name string, hash []byte) (*Contact, error) {
	if err := a.verify(&id.credential, id.key); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isBlocked(id.key) {
		return nil, ErrBlocked
	}
	old := a.contacts[name]
	if old != nil && !old.key.Equal(id.key) {
		// Neither of the two was the user's choice, or the verifier would have
		// refused this one. The first to come keeps the name until it is blocked.
		if old.state != ContactBlocked {
			return nil, ErrIdentityChanged
		}
		if err := a.forgetContact(old); err != nil {
			return nil, err
		}
		old = nil
	}
	next := &contact{name: name, key: slices.Clone(id.key), state: ContactAsked, greeting: offer.Content}
	switch {
	case old == nil:
		if a.asked() >= MaxAsked {
			return nil, ErrTooManyAsked
		}
	case offer.Version <= old.theirs.version:
		return old.view(), nil
	default:
		// The signature says that they want contact. If it was the user who asked,
		// that is what was waited for, also if both asked at once.
		next = old.clone()
		if next.state != ContactAccepted {
			next.greeting = offer.Content
		}
		if next.state == ContactOffered {
			next.state = ContactAccepted
		}
	}
	next.card = offer.Card
	next.theirs = grant{offer.Version, hash, offer.Token, offer.Pools, offer.LinkWrap}
	if err := a.putContact(next); err != nil {
		return nil, err
	}
	return next.view(), nil
}

// isBlocked reports whether a key is that of somebody who is blocked, under
// whatever name. The caller holds mu.
func (a *Account) isBlocked(key ed25519.PublicKey) bool {
	if f := a.formers[string(key)]; f != nil && f.blocked {
		return true
	}
	for _, c := range a.contacts {
		if c.state == ContactBlocked && c.key.Equal(key) {
			return true
		}
	}
	return false
}

// asked counts the contacts that wait for the user. The caller holds mu.
func (a *Account) asked() (n int) {
	for _, c := range a.contacts {
		if c.state == ContactAsked {
			n++
		}
	}
	return n
}

// openOffer opens an offer and checks it by itself.
func (a *Account) openOffer(to wire.AddressID, sealed []byte) (offer *wire.Contact, id *cardIdentity, name string, err error) {
	cards := a.statusNow().cards
	i := slices.IndexFunc(cards, func(c ownCard) bool { return c.address == to })
	if i < 0 {
		return nil, nil, "", ErrUnknownAddress
	}
	card := &cards[i].card
	if offer, err = seal.OpenOffer(a.static.offerKey, card, sealed); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if id, name, err = parseCardIdentity(&offer.Card); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	tbs, err := offer.TBS(card)
	if err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if plainSuite().VerifyWithLabel(id.key, wire.ContactLabel, tbs, offer.Signature) != nil {
		return nil, nil, "", fmt.Errorf("%w: signature", ErrOffer)
	}
	if _, err := a.cfg.baseOf(offer.Card.Domain); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	bound := MaxGreeting
	if id.key.Equal(a.ownKey()) {
		bound = maxDeviceMessage
	}
	if offer.Version == 0 || len(offer.Content) > bound || len(offer.Pools) > maxPools {
		return nil, nil, "", fmt.Errorf("%w: out of bounds", ErrOffer)
	}
	return offer, id, name, nil
}
