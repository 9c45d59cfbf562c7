package account

import (
	"encoding/hex"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// self is this client as a device. It is made when it is first needed.
type self struct {
	key   *mls.SignatureKey
	name  string
	links []openLink // newest first
}

// openLink is a code that was handed out. used is the device that it made, zero if
// there is none yet.
type openLink struct {
	secret secret.Bytes
	until  uint64 // seconds since the Unix epoch
	used   DeviceID
}

func (s *self) id() DeviceID { return DeviceID(s.key.Public()) }

// MarshalTLS encodes s.
func (s *self) MarshalTLS(w *tlscodec.Writer) {
	writeEd25519(w, s.key)
	w.Opaque8([]byte(s.name))
	w.Vector(func(w *tlscodec.Writer) {
		for i := range s.links {
			w.Raw(s.links[i].secret.Reveal())
			w.Uint64(s.links[i].until)
			w.Raw(s.links[i].used[:])
		}
	})
}

// UnmarshalTLS decodes s.
func (s *self) UnmarshalTLS(r *tlscodec.Reader) {
	*s = self{key: readEd25519(r), name: readDeviceName(r)}
	r.Vector(func(r *tlscodec.Reader) {
		s.links = append(s.links, openLink{secret.Clone(r.Fixed(linkSecretSize)), r.Uint64(), readDeviceID(r)})
	})
}

// device is another client of the user as the vault has it. It is never modified
// once it is saved: changes are made to a clone.
type device struct {
	id      DeviceID
	name    string
	card    wire.ContactCard
	removed bool
	// quiet tells that it may not know this one yet: nothing is sent before it has
	// been heard of. introduce tells that the others are to be told of it.
	quiet, introduce bool
	// sent is the number of the last item that the service took, outbox those that
	// follow; received that of the last one that was taken.
	sent, received uint64
	outbox         []deviceItem
	inbox          []Note
}

func (d *device) record() string { return prefixDevices + hex.EncodeToString(d.id[:]) }

func (d *device) clone() *device {
	next := *d
	return &next
}

func (d *device) view() *Device {
	return &Device{ID: d.id, Name: d.name, Removed: d.removed, Pending: d.pending()}
}

// pending reports whether something is to be sent now.
func (d *device) pending() bool {
	return !d.removed && !d.quiet && (len(d.outbox) > 0 || d.introduce)
}

// put adds to the outbox of a clone.
func (d *device) put(item deviceItem) error {
	if len(d.outbox) >= maxOutbox {
		return ErrTooManyNotes
	}
	d.outbox = append(slices.Clip(d.outbox), item)
	return nil
}

// peer tells of the device.
func (d *device) peer(quiet bool) deviceItem {
	return deviceItem{kind: itemPeer, id: d.id, name: d.name, card: &d.card, quiet: quiet}
}

// MarshalTLS encodes d.
func (d *device) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(d.id[:])
	w.Opaque8([]byte(d.name))
	d.card.MarshalTLS(w)
	w.Bool(d.removed)
	w.Bool(d.quiet)
	w.Bool(d.introduce)
	w.Uint64(d.sent)
	w.Uint64(d.received)
	writeItems(w, d.outbox)
	w.Vector(func(w *tlscodec.Writer) {
		for i := range d.inbox {
			w.Uint64(d.inbox[i].Number)
			w.Opaque(d.inbox[i].Body)
		}
	})
}

// UnmarshalTLS decodes d.
func (d *device) UnmarshalTLS(r *tlscodec.Reader) {
	*d = device{id: readDeviceID(r), name: readDeviceName(r)}
	d.card.UnmarshalTLS(r)
	d.removed, d.quiet, d.introduce = r.Bool(), r.Bool(), r.Bool()
	d.sent, d.received = r.Uint64(), r.Uint64()
	d.outbox = readItems(r)
	r.Vector(func(r *tlscodec.Reader) { d.inbox = append(d.inbox, Note{d.id, r.Uint64(), r.Opaque()}) })
}

func readDeviceID(r *tlscodec.Reader) (id DeviceID) {
	copy(id[:], r.Fixed(len(id)))
	return id
}

func readDeviceName(r *tlscodec.Reader) string {
	name := string(r.Opaque8())
	if r.Err() == nil && checkDeviceName(name) != nil {
		r.Fail(tlscodec.ErrValue)
	}
	return name
}

func checkDeviceName(name string) error {
	if len(name) > maxDevice {
		return ErrName
	}
	return checkName(name)
}
