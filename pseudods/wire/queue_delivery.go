package wire

import (
	"crypto/sha256"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The bounds of one [Delivery]. A message for more recipients goes in several.
const (
	MaxPayload    = 1 << 20 // octets of its payload
	MaxRecipients = 4096
)

// Recipient is one of those a [Delivery] is for.
type Recipient struct {
	Address SealedAddress
	// Binding ties the address to a group without naming it, see package seal.
	Binding [sha256.Size]byte
	// Number is the delivery's identifier: it grows with each delivery by the
	// same address, so that what comes again, or late, is known as such.
	Number uint64
	// Entry is sealed to the recipient, see package seal.
	Entry [EntrySize]byte
}

// minRecipient is the size of the shortest encoding in octets.
const minRecipient = 1 + len(AddressKeyID{}) + 2 + AddressCiphertextSize + sha256.Size + 8 + EntrySize

// MarshalTLS encodes r.
func (r *Recipient) MarshalTLS(w *tlscodec.Writer) {
	r.Address.MarshalTLS(w)
	w.Raw(r.Binding[:])
	w.Uint64(r.Number)
	w.Raw(r.Entry[:])
}

// UnmarshalTLS decodes r.
func (r *Recipient) UnmarshalTLS(d *tlscodec.Reader) {
	r.Address.UnmarshalTLS(d)
	copy(r.Binding[:], d.Fixed(len(r.Binding)))
	r.Number = d.Uint64()
	copy(r.Entry[:], d.Fixed(len(r.Entry)))
}

// Delivery is the body of [OpDeliver]: one payload for some recipients of one
// queue service. It is all that a delivery service tells a queue service about a
// message. The answer is a [DeliveryReport].
type Delivery struct {
	// Payload is encrypted under a key that is in the entries.
	Payload    []byte
	Recipients []Recipient
}

// MarshalTLS encodes d.
func (d *Delivery) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(d.Payload)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range d.Recipients {
			d.Recipients[i].MarshalTLS(w)
		}
	})
}

// UnmarshalTLS decodes d.
func (d *Delivery) UnmarshalTLS(r *tlscodec.Reader) {
	*d = Delivery{Payload: r.Opaque()}
	r.Vector(func(r *tlscodec.Reader) {
		if d.Recipients == nil {
			d.Recipients = make([]Recipient, 0, r.Len()/minRecipient)
		}
		d.Recipients = append(d.Recipients, Recipient{})
		d.Recipients[len(d.Recipients)-1].UnmarshalTLS(r)
	})
}

// Outcome is what became of a delivery to one recipient.
type Outcome uint8

const (
	// Delivered: it is durably in the queue, now or since an earlier attempt.
	Delivered Outcome = 1
	// UnknownAddress: the address does not open for this service and group, or
	// its queue is gone. It stays so.
	UnknownAddress Outcome = 2
	// Revoked: the queue's owner wants nothing more by this address.
	Revoked Outcome = 3
	// Full: the queue has no room. It may have later; the sender then tries
	// again before it sends what follows by this address, or gives the delivery
	// up. After a later one it would be taken for a repetition.
	Full Outcome = 4
)

// DeliveryReport has an outcome for each recipient, in the order of the
// [Delivery].
type DeliveryReport []Outcome

// MarshalTLS encodes d.
func (d *DeliveryReport) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, o := range *d {
			w.Uint8(uint8(o))
		}
	})
}

// UnmarshalTLS decodes d.
func (d *DeliveryReport) UnmarshalTLS(r *tlscodec.Reader) {
	*d = nil
	r.Vector(func(r *tlscodec.Reader) {
		o := Outcome(r.Uint8())
		if r.Err() == nil && (o < Delivered || o > Full) {
			r.Fail(fmt.Errorf("%w: outcome", tlscodec.ErrValue))
		}
		*d = append(*d, o)
	})
}
