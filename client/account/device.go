package account

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// The bounds of what a client keeps of the user's other clients.
const (
	MaxDevices  = 16       // that are linked
	MaxNote     = 8 << 10  // octets
	maxOutbox   = 1 << 13  // items that wait for one device
	maxInbox    = 1 << 10  // notes of one device that wait for the application
	maxItems    = 14 << 10 // octets of items in one message
	maxRemoved  = 64       // devices that are remembered as removed
	maxDevice   = 64       // octets of a device's name
	firstDevice = "first"  // name of a device that nobody gave one
)

// DeviceID names a client of the user for the user's other clients: the Ed25519
// key by which they know its messages. No service sees it.
type DeviceID [32]byte

// String returns the beginning of the identifier in hexadecimal.
func (d DeviceID) String() string { return hex.EncodeToString(d[:4]) }

// Device is another client of this user. It is a copy: changing it changes nothing.
type Device struct {
	ID DeviceID
	// Name is what the user calls it.
	Name string
	// Removed tells that it is none any more: nothing of it is taken.
	Removed bool
	// Pending tells that something is still to be sent to it.
	Pending bool
}

// Note is what another client of the user said to the application here.
type Note struct {
	From DeviceID
	// Number grows from note to note of a device.
	Number uint64
	Body   []byte
}

// Devices returns the user's other clients by name, also those that were removed.
func (a *Account) Devices() []*Device {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*Device
	for _, d := range a.devices {
		out = append(out, d.view())
	}
	slices.SortFunc(out, func(x, y *Device) int { return strings.Compare(x.Name+string(x.ID[:]), y.Name+string(y.ID[:])) })
	return out
}

// RemoveDevice takes nothing more from a device, and has the user's other ones do
// so. What it was given, the user's identity among it, it keeps: the groups it is in
// must remove it. It fails with [ErrNoDevice].
func (a *Account) RemoveDevice(id DeviceID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.devices[id]; d == nil || d.removed {
		return ErrNoDevice
	}
	return a.removeDevice(id, true)
}

// removeDevice marks a device as removed, and tells the others if they are to know.
// The caller holds mu.
func (a *Account) removeDevice(id DeviceID, tell bool) error {
	if tell {
		if err := a.tellDevices(deviceItem{kind: itemForget, id: id}, id); err != nil {
			return err
		}
	}
	next := a.devices[id].clone()
	next.removed, next.introduce, next.outbox, next.inbox = true, false, nil, nil
	return a.putDevice(next)
}

// Tell has a note sent to another client of the user, by [Account.DeliverDevices]. It
// is kept until the service has taken it, and comes once. The body has at most
// [MaxNote] octets. It fails with [ErrNoDevice] or [ErrTooManyNotes].
func (a *Account) Tell(to DeviceID, body []byte) error {
	if len(body) > MaxNote {
		return ErrTooManyNotes
	}
	return a.changeDevice(to, func(d *device) error { return d.put(deviceItem{kind: itemNote, body: body}) })
}

// Notes returns what other clients of the user said, in order for each, until
// [Account.Noted].
func (a *Account) Notes() []Note {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Note
	for _, d := range a.devices {
		out = append(out, d.inbox...)
	}
	return out
}

// Noted forgets a device's notes up to this one.
func (a *Account) Noted(n *Note) error {
	return a.changeDevice(n.From, func(d *device) error {
		d.inbox = slices.DeleteFunc(slices.Clone(d.inbox), func(x Note) bool { return x.Number <= n.Number })
		return nil
	})
}

// changeDevice saves what f makes of a device that is not removed.
func (a *Account) changeDevice(id DeviceID, f func(*device) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.devices[id]
	if old == nil || old.removed {
		return ErrNoDevice
	}
	next := old.clone()
	if err := f(next); err != nil {
		return err
	}
	return a.putDevice(next)
}

// putDevice saves a device. The caller holds mu.
func (a *Account) putDevice(d *device) error {
	if err := a.save(d.record(), d); err != nil {
		return err
	}
	a.devices[d.id] = d
	return nil
}

// addDevice makes room for a device and saves it. The caller holds mu.
func (a *Account) addDevice(d *device) error {
	linked, removed := 0, []DeviceID{}
	for id, d := range a.devices {
		if d.removed {
			removed = append(removed, id)
		} else {
			linked++
		}
	}
	if linked >= MaxDevices {
		return ErrTooManyDevices
	}
	if len(removed) >= maxRemoved {
		if err := a.store.Delete(a.devices[removed[0]].record()); err != nil {
			return err
		}
		delete(a.devices, removed[0])
	}
	return a.putDevice(d)
}

// tellDevices has all devices but one told something. The caller holds mu.
func (a *Account) tellDevices(item deviceItem, but DeviceID) error {
	for id, d := range a.devices {
		if d.removed || id == but {
			continue
		}
		next := d.clone()
		if err := next.put(item); err != nil {
			return err
		}
		if err := a.putDevice(next); err != nil {
			return err
		}
	}
	return nil
}

// DeliverDevices sends what is due for the user's other clients, at the price of a
// request for contact for each message. [Account.Refill] does so too. What fails
// does not keep the rest from being sent; errors are those of [Account.Call].
func (a *Account) DeliverDevices(ctx context.Context) error {
	var errs []error
	for _, d := range a.Devices() {
		if !d.Removed && d.Pending {
			errs = append(errs, a.deliverDevice(ctx, d.ID))
		}
	}
	return errors.Join(errs...)
}

func (a *Account) deliverDevice(ctx context.Context, id DeviceID) error {
	select {
	case a.contactTurn <- struct{}{}:
		defer func() { <-a.contactTurn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		a.mu.Lock()
		d := a.devices[id]
		a.mu.Unlock()
		if d == nil || !d.pending() {
			return nil
		}
		if len(d.outbox) == 0 {
			if err := a.introduceDevice(id); err != nil {
				return err
			}
			continue
		}
		offer, n, err := a.compileDevice(d)
		if err != nil {
			return err
		}
		request := &wire.ConnectionRequest{Address: d.card.Address, Offer: offer}
		if err := a.Call(ctx, &Call{Domain: d.card.Domain, Operation: wire.OpConnectionRequest, Body: request}); err != nil {
			return err
		}
		err = a.changeDevice(id, func(now *device) error {
			now.sent, now.outbox = d.sent+uint64(n), now.outbox[n:]
			return nil
		})
		if errors.Is(err, ErrNoDevice) {
			return nil // it was removed meanwhile
		}
		if err != nil {
			return err
		}
	}
}

// introduceDevice tells the others of a new device, which has been told of them:
// what they say to it comes after that.
func (a *Account) introduceDevice(id DeviceID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.devices[id]
	if d == nil || !d.introduce {
		return nil
	}
	if err := a.tellDevices(d.peer(false), id); err != nil {
		return err
	}
	next := d.clone()
	next.introduce = false
	return a.putDevice(next)
}

// compileDevice makes a message of the first n items that wait for a device.
func (a *Account) compileDevice(d *device) (offer []byte, n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.status.cards) == 0 {
		return nil, 0, ErrCard
	}
	m := &deviceMessage{from: a.self.id(), to: d.id, first: d.sent + 1}
	for size := 0; n < len(d.outbox); n++ {
		if size += d.outbox[n].size(); n > 0 && size > maxItems {
			break
		}
	}
	m.items = d.outbox[:n]
	content, err := m.sign(a.self.key)
	if err != nil {
		return nil, 0, err
	}
	token, err := a.newToken() // good for nothing: the form of an offer has one
	if err != nil {
		return nil, 0, err
	}
	offer, err = sealOffer(a.static.identity.Key, &d.card, &wire.Contact{Card: a.status.cards[0].card, Version: m.first, Token: token,
		LinkWrap: a.static.linkWrap, Content: content})
	return offer, n, err
}
