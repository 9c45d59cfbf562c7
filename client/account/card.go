package account

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	maxName  = 128 // octets
	maxPools = 16  // of one user
	maxCards = 4   // of one's own that are taken offers for

	cardPrefix  = "pseudods-card:"
	maxCardText = 16 << 10
)

// cardIdentity is the content of [wire.ContactCard].Identity: a real credential and
// the key behind it.
type cardIdentity struct {
	credential mls.Credential
	key        ed25519.PublicKey
}

// MarshalTLS encodes c.
func (c *cardIdentity) MarshalTLS(w *tlscodec.Writer) {
	c.credential.MarshalTLS(w)
	w.Raw(c.key)
}

// UnmarshalTLS decodes c.
func (c *cardIdentity) UnmarshalTLS(r *tlscodec.Reader) {
	c.credential.UnmarshalTLS(r)
	c.key = r.Fixed(ed25519.PublicKeySize)
}

// name returns what the credential says of its holder. It fails with [ErrName].
func (c *cardIdentity) name() (string, error) {
	if c.credential.Type != mls.CredentialTypeBasic {
		return "", ErrName
	}
	name := string(c.credential.Identity)
	return name, checkName(name)
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrName
	}
	return nil
}

// parseCardIdentity checks a card by itself, and returns whose it is. It fails with
// [ErrCard], which wraps [ErrName] if that is why.
func parseCardIdentity(card *wire.ContactCard) (id *cardIdentity, name string, err error) {
	id = new(cardIdentity)
	if mls.Unmarshal(card.Identity, id) != nil || len(card.Pools) > maxPools || card.Address.Kind != wire.AddressReusable {
		return nil, "", fmt.Errorf("%w: malformed", ErrCard)
	}
	if name, err = id.name(); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCard, err)
	}
	tbs, err := card.TBS()
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCard, err)
	}
	if plainSuite().VerifyWithLabel(id.key, wire.ContactCardLabel, tbs, card.Signature) != nil {
		return nil, "", fmt.Errorf("%w: signature", ErrCard)
	}
	return id, name, nil
}

// CardName checks a card by itself and returns whose it says it is, and the key
// that signed it. It fails with [ErrCard].
func CardName(card *wire.ContactCard) (name string, identity []byte, err error) {
	id, name, err := parseCardIdentity(card)
	if err != nil {
		return "", nil, err
	}
	return name, id.key, nil
}

// FormatCard returns the text form of a card, in letters, digits and a few marks
// that need no quoting.
func FormatCard(card *wire.ContactCard) (string, error) {
	b, err := mls.Marshal(card)
	if err != nil {
		return "", err
	}
	return cardPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// ParseCard reads the text form of a card and checks it by itself. White space
// within is ignored, as mail and terminals wrap lines. It fails with [ErrCard].
func ParseCard(text string) (*wire.ContactCard, error) {
	if len(text) > maxCardText {
		return nil, fmt.Errorf("%w: too long", ErrCard)
	}
	encoded, ok := strings.CutPrefix(strings.Join(strings.Fields(text), ""), cardPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrCard, cardPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrCard)
	}
	card := new(wire.ContactCard)
	if err := mls.Unmarshal(b, card); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCard, err)
	}
	if _, _, err := parseCardIdentity(card); err != nil {
		return nil, err
	}
	return card, nil
}

// ownCard is a card of this client.
type ownCard struct {
	address     wire.AddressID
	made, until uint32 // days
	card        wire.ContactCard
}

// MarshalTLS encodes c.
func (c *ownCard) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(c.address[:])
	w.Uint32(c.made)
	w.Uint32(c.until)
	c.card.MarshalTLS(w)
}

// UnmarshalTLS decodes c.
func (c *ownCard) UnmarshalTLS(r *tlscodec.Reader) {
	*c = ownCard{}
	copy(c.address[:], r.Fixed(len(c.address)))
	c.made, c.until = r.Uint32(), r.Uint32()
	c.card.UnmarshalTLS(r)
}

// Card returns the client's contact card, signed by the identity. It is good until
// the queue service deletes the key of its address, months from now; Refill makes a
// new one long before, and older ones stay good as long as their keys live.
func (a *Account) Card() (*wire.ContactCard, error) {
	s := a.statusNow()
	if len(s.cards) == 0 {
		return nil, fmt.Errorf("%w: none was made yet", ErrCard)
	}
	card := s.cards[0].card
	return &card, nil
}

// ensureCard makes a card if there is none, or half of its life is over.
func (a *Account) ensureCard(ctx context.Context) error {
	s, now := a.statusNow(), a.cfg.Now()
	if len(s.cards) > 0 && !due(s.cards[0].made, s.cards[0].until, now) {
		return nil
	}
	q, id, until, err := a.sealAddress(ctx, wire.AddressReusable, "", nil)
	if err != nil {
		return err
	}
	own := ownCard{address: id, made: dayOf(now), until: until}
	identity, err := mls.Marshal(&cardIdentity{a.static.identity.Credential, a.static.identity.Key.Public()})
	if err != nil {
		return err
	}
	own.card = wire.ContactCard{Domain: a.static.domain, Address: q.Sealed, OfferKey: *a.static.offerKey.Public(),
		Pools: []wire.PoolID{a.static.pool(wire.PoolConnection)}, PackageKey: [wire.PackageKeySize]byte(seal.CardKeyOf(a.static.linkWrap).Reveal()), Identity: identity}
	tbs, err := own.card.TBS()
	if err != nil {
		return err
	}
	if own.card.Signature, err = a.static.identity.Key.SignWithLabel(wire.ContactCardLabel, tbs); err != nil {
		return err
	}
	err = a.setStatus(func(s *status) {
		s.cards = append([]ownCard{own}, s.cards[:min(len(s.cards), maxCards-1)]...)
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.self == nil || len(s.cards) == 0 {
		return nil
	}
	// What is sent to the user's other clients has the newest card.
	return a.tellDevices(deviceItem{kind: itemHello, name: a.self.name}, DeviceID{})
}
