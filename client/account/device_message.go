package account

import (
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// deviceMessage is the content of an offer from one client of a user to another.
// The offer is signed by the identity, which all of them have, and a removed one
// keeps: the signature in the content is by the device.
type deviceMessage struct {
	from, to  DeviceID
	first     uint64 // number of the first item
	items     []deviceItem
	signature []byte
}

const (
	deviceLabel   = "pseudods 1.0 device message"
	deviceVersion = 1
	// maxDeviceMessage bounds a message in octets, which fits into an offer.
	maxDeviceMessage = 24 << 10
)

// itemKind says what an item of a message is.
type itemKind uint8

const (
	// itemHello: the sender is the device that was made of a link code, or if there
	// is no secret in it, it is still there.
	itemHello itemKind = 1
	// itemPeer: another device of the user.
	itemPeer itemKind = 2
	// itemForget: a device was removed.
	itemForget itemKind = 3
	// itemContact: what the user decided about a contact, and what the contact
	// granted.
	itemContact itemKind = 4
	// itemNote is for the application.
	itemNote itemKind = 5
)

// deviceItem is one thing that a device says.
type deviceItem struct {
	kind    itemKind
	name    string            // itemHello, itemPeer
	secret  secret.Bytes      // itemHello; zero for none
	id      DeviceID          // itemPeer, itemForget
	card    *wire.ContactCard // itemPeer
	quiet   bool              // itemPeer: it does not know the receiver yet
	contact *contact          // itemContact: without what is of the sender alone
	body    []byte            // itemNote
}

// size returns the length of the encoding in octets.
func (i *deviceItem) size() int {
	b, err := mls.Marshal(i)
	if err != nil {
		return maxItems
	}
	return len(b)
}

// MarshalTLS encodes i.
func (i *deviceItem) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(i.kind))
	switch i.kind {
	case itemHello:
		w.Opaque8([]byte(i.name))
		w.Opaque8(i.secret.Reveal())
	case itemPeer:
		w.Raw(i.id[:])
		w.Opaque8([]byte(i.name))
		i.card.MarshalTLS(w)
		w.Bool(i.quiet)
	case itemForget:
		w.Raw(i.id[:])
	case itemContact:
		i.contact.MarshalTLS(w)
	case itemNote:
		w.Opaque(i.body)
	default:
		w.Fail(tlscodec.ErrEncode)
	}
}

// UnmarshalTLS decodes i.
func (i *deviceItem) UnmarshalTLS(r *tlscodec.Reader) {
	*i = deviceItem{kind: itemKind(r.Uint8())}
	switch i.kind {
	case itemHello:
		i.name = readDeviceName(r)
		if b := r.Opaque8(); len(b) > 0 {
			i.secret = secret.Clone(b)
		}
	case itemPeer:
		i.id, i.name, i.card = readDeviceID(r), readDeviceName(r), new(wire.ContactCard)
		i.card.UnmarshalTLS(r)
		i.quiet = r.Bool()
	case itemForget:
		i.id = readDeviceID(r)
	case itemContact:
		i.contact = new(contact)
		i.contact.UnmarshalTLS(r)
	case itemNote:
		i.body = r.Opaque()
		if len(i.body) > MaxNote {
			r.Fail(tlscodec.ErrValue)
		}
	default:
		r.Fail(tlscodec.ErrValue)
	}
}

func writeItems(w *tlscodec.Writer, items []deviceItem) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range items {
			items[i].MarshalTLS(w)
		}
	})
}

func readItems(r *tlscodec.Reader) (out []deviceItem) {
	r.Vector(func(r *tlscodec.Reader) {
		var i deviceItem
		i.UnmarshalTLS(r)
		out = append(out, i)
	})
	return out
}

func (m *deviceMessage) marshalContent(w *tlscodec.Writer) {
	w.Uint8(deviceVersion)
	w.Raw(m.from[:])
	w.Raw(m.to[:])
	w.Uint64(m.first)
	writeItems(w, m.items)
}

// MarshalTLS encodes m.
func (m *deviceMessage) MarshalTLS(w *tlscodec.Writer) {
	m.marshalContent(w)
	w.Opaque(m.signature)
}

// UnmarshalTLS decodes m.
func (m *deviceMessage) UnmarshalTLS(r *tlscodec.Reader) {
	if v := r.Uint8(); r.Err() == nil && v != deviceVersion {
		r.Fail(tlscodec.ErrValue)
	}
	*m = deviceMessage{from: readDeviceID(r), to: readDeviceID(r), first: r.Uint64(), items: readItems(r)}
	m.signature = r.Opaque()
	if r.Err() == nil && (m.first == 0 || len(m.items) == 0 || m.first+uint64(len(m.items)) < m.first) {
		r.Fail(tlscodec.ErrValue)
	}
}

// last returns the number of the last item.
func (m *deviceMessage) last() uint64 { return m.first + uint64(len(m.items)) - 1 }

func (m *deviceMessage) tbs() ([]byte, error) {
	var w tlscodec.Writer
	m.marshalContent(&w)
	return w.Bytes()
}

// sign signs and encodes m.
func (m *deviceMessage) sign(key *mls.SignatureKey) ([]byte, error) {
	tbs, err := m.tbs()
	if err != nil {
		return nil, err
	}
	if m.signature, err = key.SignWithLabel(deviceLabel, tbs); err != nil {
		return nil, err
	}
	return mls.Marshal(m)
}

// parseDeviceMessage decodes a message and checks that it is from whom it says. It
// fails with [ErrOffer].
func parseDeviceMessage(content []byte) (*deviceMessage, error) {
	m := new(deviceMessage)
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: maxDeviceMessage, MaxElements: 1 << 12}, content, m); err != nil {
		return nil, ErrOffer
	}
	tbs, err := m.tbs()
	if err != nil || plainSuite().VerifyWithLabel(m.from[:], deviceLabel, tbs, m.signature) != nil {
		return nil, ErrOffer
	}
	return m, nil
}
