package wire

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// ItemKind says how an item came.
type ItemKind uint8

const (
	// ItemDelivery came from a delivery service.
	ItemDelivery ItemKind = 1
	// ItemOffer came from somebody who has the owner's contact card.
	ItemOffer ItemKind = 2
)

// EntrySize is the size in octets of what a delivery service seals to one
// recipient, see package seal.
const EntrySize = 88

// Item is what a queue service seals to a queue's owner.
type Item struct {
	Kind ItemKind
	// Address is the address that was used.
	Address AddressID
	// Stream is Address, or for a reusable address the part of it that belongs
	// to one group or sender. Either can be revoked.
	Stream AddressID
	// Entry opens the payload of a delivery. An offer has none.
	Entry [EntrySize]byte
	// Inline is the payload if Ticket is nil.
	Inline []byte
	Ticket *Ticket
}

// MarshalTLS encodes i.
func (i *Item) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(i.Kind))
	w.Raw(i.Address[:])
	w.Bool(i.Stream != i.Address)
	if i.Stream != i.Address {
		w.Raw(i.Stream[:])
	}
	switch i.Kind {
	case ItemDelivery:
		w.Raw(i.Entry[:])
	case ItemOffer:
	default:
		w.Fail(tlscodec.ErrEncode)
	}
	w.Bool(i.Ticket != nil)
	if i.Ticket != nil {
		i.Ticket.MarshalTLS(w)
	} else {
		w.Opaque(i.Inline)
	}
}

// UnmarshalTLS decodes i.
func (i *Item) UnmarshalTLS(r *tlscodec.Reader) {
	*i = Item{Kind: ItemKind(r.Uint8())}
	copy(i.Address[:], r.Fixed(len(i.Address)))
	i.Stream = i.Address
	if r.Bool() {
		copy(i.Stream[:], r.Fixed(len(i.Stream)))
		if r.Err() == nil && i.Stream == i.Address {
			r.Fail(fmt.Errorf("%w: stream repeats the address", tlscodec.ErrValue))
		}
	}
	switch i.Kind {
	case ItemDelivery:
		copy(i.Entry[:], r.Fixed(len(i.Entry)))
	case ItemOffer:
	default:
		r.Fail(fmt.Errorf("%w: item kind", tlscodec.ErrValue))
	}
	if r.Bool() {
		i.Ticket = new(Ticket)
		i.Ticket.UnmarshalTLS(r)
	} else {
		i.Inline = r.Opaque()
	}
}
