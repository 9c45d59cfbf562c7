package abuse

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Stranger is somebody of the attacker's who only exists to ask for contact: a name
// and an identity key, made for nothing.
type Stranger struct {
	card wire.ContactCard
	key  *mls.SignatureKey
}

// Stranger makes one, under a name of its own.
func (q *Party) Stranger() (*Stranger, error) {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		return nil, err
	}
	s := &Stranger{}
	if s.key, err = suite.GenerateSignatureKey(rand.Reader); err != nil {
		return nil, err
	}
	credential := mls.BasicCredential(fmt.Appendf(nil, "stranger %x", q.w.Rand.Uint64()))
	identity, err := mls.Marshal(&credential)
	if err != nil {
		return nil, err
	}
	offers, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return nil, err
	}
	address, err := seal.SealAddress(&q.p.ring.Published()[0].Key, wire.AddressReusable, wire.QueueID(random(len(wire.QueueID{}))), wire.AddressID(random(16)), seal.Use{})
	if err != nil {
		return nil, err
	}
	s.card = wire.ContactCard{Domain: q.p.Domain, Address: *address, OfferKey: *offers.Public(), Identity: append(identity, s.key.Public()...)}
	tbs, err := s.card.TBS()
	if err != nil {
		return nil, err
	}
	s.card.Signature, err = s.key.SignWithLabel(wire.ContactCardLabel, tbs)
	return s, err
}

// Offer is the stranger's request for contact to the holder of a card.
func (s *Stranger) Offer(to *wire.ContactCard, greeting string) (*wire.ConnectionRequest, error) {
	c := &wire.Contact{Card: s.card, Version: 1, Token: wire.ContactToken{Bytes: secret.New(random(wire.ContactTokenSize))},
		LinkWrap: secret.New(random(wire.LinkWrapSize)), Content: []byte(greeting)}
	tbs, err := c.TBS(to)
	if err != nil {
		return nil, err
	}
	if c.Signature, err = s.key.SignWithLabel(wire.ContactLabel, tbs); err != nil {
		return nil, err
	}
	offer, err := seal.SealOffer(to, c)
	return &wire.ConnectionRequest{Address: to.Address, Offer: offer}, err
}

// Offer has a new stranger ask the holder of a card for contact, with the given
// tokens, at one of the provider's nodes.
func (q *Party) Offer(ctx context.Context, at *Provider, to *wire.ContactCard, paid [][]byte) error {
	s, err := q.Stranger()
	if err != nil {
		return err
	}
	body, err := s.Offer(to, "buy")
	if err != nil {
		return err
	}
	r, err := q.Compose(wire.OpConnectionRequest, body, wire.Auth{}, secret.Bytes{}, nil, paid)
	if err != nil {
		return err
	}
	return q.Do(ctx, at, r, nil)
}
