package qs

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// maxOffer is the longest offer in octets.
const maxOffer = 32 << 10

// Offer puts an offer of connection into the queue of a contact card's address,
// once for each request. Whether it got there is not told: the sender could
// otherwise tell who has blocked it, is away, or has left. It fails with
// [ErrSize], or if the store does.
//
// Each offer is a stream of its own, so that the same request comes in once, and
// the owner can revoke the card's address and with it all further offers.
func (s *Service) Offer(ctx context.Context, c *wire.ConnectionRequest, request [32]byte) error {
	if len(c.Offer) == 0 || len(c.Offer) > maxOffer {
		return ErrSize
	}
	if c.Address.Kind != wire.AddressReusable {
		return nil
	}
	_, err := s.send(ctx, &sending{kind: wire.ItemOffer, payload: c.Offer,
		recipients: []wire.Recipient{{Address: c.Address, Binding: request, Number: 1}}})
	return err
}
