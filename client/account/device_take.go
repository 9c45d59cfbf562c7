package account

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// takeDevice takes a message of another client of the user, in an offer that the
// user's identity signed. It returns the devices that the message brought or
// removed, also if it came before. It fails with [ErrOffer], [ErrLink],
// [ErrTooManyDevices], and with the vault's errors.
func (a *Account) takeDevice(offer *wire.Contact) ([]*Device, error) {
	m, err := parseDeviceMessage(offer.Content)
	if err != nil {
		return nil, err
	}
	from, err := a.sender(m, &offer.Card)
	if err != nil {
		return nil, err
	}
	var about []DeviceID
	var notes []Note
	for i := range m.items {
		item, number := &m.items[i], m.first+uint64(i)
		if id := item.about(m.from); id != nil {
			about = append(about, *id)
		}
		if number <= from.received {
			continue
		}
		if item.kind == itemNote {
			notes = append(notes, Note{m.from, number, item.body})
		} else if err := a.takeItem(item); err != nil {
			return nil, err
		}
	}
	if m.last() > from.received {
		err := a.changeDevice(m.from, func(d *device) error {
			d.received, d.card, d.quiet = m.last(), offer.Card, false
			for i := range m.items {
				if m.items[i].kind == itemHello {
					d.name = m.items[i].name
				}
			}
			d.inbox = append(d.inbox[:len(d.inbox):len(d.inbox)], notes...)
			d.inbox = d.inbox[max(0, len(d.inbox)-maxInbox):]
			return nil
		})
		if err != nil && !errors.Is(err, ErrNoDevice) {
			return nil, err
		}
	}
	var out []*Device
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range about {
		if d := a.devices[id]; d != nil {
			out = append(out, d.view())
		}
	}
	return out, nil
}

// about returns the device that an item brings or removes, nil for none.
func (i *deviceItem) about(from DeviceID) *DeviceID {
	switch {
	case i.kind == itemHello && !i.secret.IsZero():
		return &from
	case i.kind == itemPeer && !i.quiet, i.kind == itemForget:
		return &i.id
	}
	return nil
}

// sender returns the device that a message is from, which becomes one if it has the
// secret of a code.
func (a *Account) sender(m *deviceMessage, card *wire.ContactCard) (*device, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.self == nil || m.to != a.self.id() || m.from == m.to {
		return nil, fmt.Errorf("%w: for another device", ErrOffer)
	}
	if d := a.devices[m.from]; d != nil {
		if d.removed {
			return nil, fmt.Errorf("%w: from a removed device", ErrOffer)
		}
		return d, nil
	}
	hello := &m.items[0]
	if m.first != 1 || hello.kind != itemHello || hello.secret.IsZero() {
		return nil, fmt.Errorf("%w: from an unknown device", ErrOffer)
	}
	link := a.self.link(hello.secret, a.cfg.Now())
	if link < 0 || a.self.links[link].used != (DeviceID{}) && a.self.links[link].used != m.from {
		return nil, ErrLink
	}
	// The code is used up before the device is one, so that no crash leaves it open.
	if err := a.useLink(link, m.from); err != nil {
		return nil, err
	}
	d := &device{id: m.from, name: hello.name, card: *card, introduce: true}
	d.outbox = append(d.outbox, deviceItem{kind: itemHello, name: a.self.name})
	for _, other := range a.devices {
		if !other.removed {
			d.outbox = append(d.outbox, other.peer(true))
		}
	}
	for _, c := range a.contacts {
		if c.decided() {
			d.outbox = append(d.outbox, c.shared())
		}
	}
	if err := a.addDevice(d); err != nil {
		return nil, err
	}
	return d, nil
}

// takeItem takes what is not for the application. Its errors are of the vault.
func (a *Account) takeItem(i *deviceItem) error {
	switch i.kind {
	case itemPeer:
		return a.takePeer(i)
	case itemForget:
		a.mu.Lock()
		defer a.mu.Unlock()
		if d := a.devices[i.id]; d != nil && !d.removed {
			return a.removeDevice(i.id, false)
		}
	case itemContact:
		return a.takeShared(i.contact)
	}
	return nil
}

// takePeer learns of another device, unless it knows it, or removed it.
func (a *Account) takePeer(i *deviceItem) error {
	id, _, err := parseCardIdentity(i.card)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || !id.key.Equal(a.ownKey()) || i.id == a.self.id() || a.devices[i.id] != nil {
		return nil
	}
	d := &device{id: i.id, name: i.name, card: *i.card, quiet: i.quiet}
	if !i.quiet { // so that it hears of this one and begins to speak
		d.outbox = []deviceItem{{kind: itemHello, name: a.self.name}}
	}
	if err := a.addDevice(d); !errors.Is(err, ErrTooManyDevices) {
		return err
	}
	return nil
}

// decided reports whether the user's other clients are to know of a contact.
func (c *contact) decided() bool { return c.state == ContactAccepted || c.state == ContactBlocked }

// shared tells of a contact: all but what this client gave it.
func (c *contact) shared() deviceItem {
	return deviceItem{kind: itemContact, contact: &contact{name: c.name, key: c.key, state: c.state, greeting: c.greeting, card: c.card, theirs: c.theirs}}
}

// takeShared takes over what the user decided about a contact at another client.
// One that the configured verifier refuses is left out.
func (a *Account) takeShared(c *contact) error {
	id, name, err := parseCardIdentity(&c.card)
	if err != nil || name != c.name || !id.key.Equal(c.key) || id.key.Equal(a.ownKey()) || !c.decided() ||
		len(c.greeting) > MaxGreeting || len(c.theirs.pools) > maxPools {
		return nil
	}
	if err := a.pin(&id.credential, id.key, true); errors.Is(err, ErrIdentityChanged) {
		return nil
	} else if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.contacts[name]
	if old != nil && !old.key.Equal(c.key) {
		if err := a.forgetContact(old); err != nil {
			return err
		}
		old = nil
	}
	next := &contact{name: name, key: c.key, greeting: c.greeting, card: c.card, theirs: c.theirs}
	if old != nil {
		next = old.clone()
		if c.theirs.version > old.theirs.version {
			next.card, next.theirs = c.card, c.theirs
		}
	}
	next.state = c.state
	if c.state == ContactBlocked {
		next.revokeToken()
		next.offer, next.sent = nil, false
	} else if err := a.unblock(c.key); err != nil {
		return err
	}
	return a.saveContact(next)
}
