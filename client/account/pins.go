package account

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxPins bounds how many credentials are remembered: groups may have members
// that nobody vouches for. Those over the bound are refused.
const maxPins = 1 << 16

// Verifier returns what decides which key belongs to a real credential: that of
// the configuration, or the pins in the vault, which accept a credential that they
// have not met with the key it then has. It is safe for concurrent use.
func (a *Account) Verifier() identity.Verifier {
	if a.cfg.Verifier != nil {
		return a.cfg.Verifier
	}
	return func(c *mls.Credential, key ed25519.PublicKey) bool { return a.pin(c, key, false) == nil }
}

// pinName returns the name of a credential's record.
func pinName(c *mls.Credential) (string, error) {
	b, err := mls.Marshal(c)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(b)
	return prefixPins + hex.EncodeToString(h[:]), nil
}

// verify checks a key against what is known of a credential, and learns nothing.
// It fails with [ErrIdentityChanged].
func (a *Account) verify(c *mls.Credential, key ed25519.PublicKey) error {
	own := a.static.identity
	if c.Equal(&own.Credential) && !key.Equal(ed25519.PublicKey(own.Key.Public())) {
		return ErrIdentityChanged
	}
	if a.cfg.Verifier != nil {
		if !a.cfg.Verifier(c, key) {
			return ErrIdentityChanged
		}
		return nil
	}
	name, err := pinName(c)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.pins[name]; old != nil && !old.Equal(key) {
		return ErrIdentityChanged
	}
	return nil
}

// pin remembers the key of a credential. Unless it may replace another, it fails
// with [ErrIdentityChanged] for another key than the known one.
func (a *Account) pin(c *mls.Credential, key ed25519.PublicKey, replace bool) error {
	if a.cfg.Verifier != nil || c.Equal(&a.static.identity.Credential) {
		return a.verify(c, key)
	}
	name, err := pinName(c)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.pins[name]
	switch {
	case old.Equal(key):
		return nil
	case old != nil && !replace, old == nil && len(a.pins) >= maxPins:
		return ErrIdentityChanged
	}
	if err := a.store.Put(name, key); err != nil {
		return err
	}
	a.pins[name] = append(ed25519.PublicKey(nil), key...)
	return nil
}

// Trust has the name on a card belong to the card's key from now on, whatever was
// known. It is for when the user has compared fingerprints with somebody who
// appeared as [ErrIdentityChanged]. A contact of that name with another key is
// forgotten, and what it was given is revoked.
func (a *Account) Trust(card *wire.ContactCard) error {
	id, name, err := parseCardIdentity(card)
	if err != nil {
		return err
	}
	if err := a.pin(&id.credential, id.key, true); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.contacts[name]; c != nil && !c.key.Equal(id.key) {
		return a.forgetContact(c)
	}
	return nil
}
