package client

import (
	"errors"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// places are where the user's other clients are, as far as this one knows.
type places struct {
	at map[placeKey]place
	// ready are KeyPackages that were made for groups that another client is to add
	// this one to: the same for each that asks, so that one of them does.
	ready map[wire.GroupID]readyPackage
}

type placeKey struct {
	group  wire.GroupID
	device account.DeviceID
}

// place is how a device stands to a group.
type place struct {
	// told tells that it knows that this client is a member, and may become one.
	told bool
	// client is its pseudonym, if present.
	present bool
	client  wire.Pseudonym
}

type readyPackage struct {
	user       wire.Pseudonym
	label      string
	keyPackage []byte
	link       secret.Bytes
	ref        []byte
	until      uint64 // seconds since the Unix epoch
}

// MarshalTLS encodes p.
func (p *places) MarshalTLS(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for k, v := range p.at {
			w.Raw(k.group[:])
			w.Raw(k.device[:])
			w.Bool(v.told)
			w.Bool(v.present)
			w.Raw(v.client[:])
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for id, v := range p.ready {
			w.Raw(id[:])
			w.Raw(v.user[:])
			w.Opaque([]byte(v.label))
			w.Opaque(v.keyPackage)
			w.Opaque(v.link.Reveal())
			w.Opaque(v.ref)
			w.Uint64(v.until)
		}
	})
}

// UnmarshalTLS decodes p.
func (p *places) UnmarshalTLS(r *tlscodec.Reader) {
	*p = places{at: map[placeKey]place{}, ready: map[wire.GroupID]readyPackage{}}
	r.Vector(func(r *tlscodec.Reader) {
		var k placeKey
		copy(k.group[:], r.Fixed(len(k.group)))
		copy(k.device[:], r.Fixed(len(k.device)))
		v := place{told: r.Bool(), present: r.Bool()}
		copy(v.client[:], r.Fixed(len(v.client)))
		p.at[k] = v
	})
	r.Vector(func(r *tlscodec.Reader) {
		var id wire.GroupID
		copy(id[:], r.Fixed(len(id)))
		var v readyPackage
		copy(v.user[:], r.Fixed(len(v.user)))
		v.label, v.keyPackage = string(r.Opaque()), r.Opaque()
		v.link, v.ref, v.until = secret.Clone(r.Opaque()), r.Opaque(), r.Uint64()
		p.ready[id] = v
	})
}

// placesName is that of the record of places.
const placesName = "client/places"

func (c *Client) loadPlaces() error {
	c.places = places{at: map[placeKey]place{}, ready: map[wire.GroupID]readyPackage{}}
	b, err := c.cfg.Account.Vault.Get(placesName)
	if errors.Is(err, vault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return mls.UnmarshalWithin(mls.Limits{MaxBytes: len(b)}, b, &c.places)
}

func (c *Client) savePlaces() error {
	b, err := mls.Marshal(&c.places)
	if err != nil {
		return err
	}
	return c.cfg.Account.Vault.Put(placesName, b)
}

// setPlace saves how a device stands to a group.
func (c *Client) setPlace(k placeKey, p place) error {
	if c.places.at[k] == p {
		return nil
	}
	c.places.at[k] = p
	return c.savePlaces()
}

// cameIn notes that this client has become a member of a group: the others are to
// hear of it.
func (c *Client) cameIn(id wire.GroupID) error {
	_, ready := c.places.ready[id]
	delete(c.places.ready, id)
	changed := ready
	for k, p := range c.places.at {
		if k.group == id && p.told {
			p.told, changed = false, true
			c.places.at[k] = p
		}
	}
	if !changed {
		return nil
	}
	return c.savePlaces()
}
