package account

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// address is where a group delivers to: one bound to the group, or the stream of
// one in a KeyPackage by which the client was welcomed.
type address struct {
	id wire.AddressID // what entries name as their stream
	// domain and group are what entries must come from.
	domain string
	group  wire.GroupID
	secret seal.DeliverySecret
	// made and until are when the address was sealed, and when it is dead because
	// the queue service has deleted the key: days since the Unix epoch.
	made, until uint32
}

// MarshalTLS encodes d.
func (d *address) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(d.id[:])
	w.Opaque([]byte(d.domain))
	w.Raw(d.group[:])
	w.Opaque8(d.secret.Reveal())
	w.Uint32(d.made)
	w.Uint32(d.until)
}

// UnmarshalTLS decodes d.
func (d *address) UnmarshalTLS(r *tlscodec.Reader) {
	*d = address{}
	copy(d.id[:], r.Fixed(len(d.id)))
	d.domain = string(r.Opaque())
	copy(d.group[:], r.Fixed(len(d.group)))
	d.secret = seal.DeliverySecret{Bytes: secret.Clone(r.Opaque8())}
	d.made, d.until = r.Uint32(), r.Uint32()
	if r.Err() == nil && d.secret.Len() != seal.DeliverySecretSize {
		r.Fail(tlscodec.ErrValue)
	}
}

func (d *address) record() string { return prefixAddresses + hex.EncodeToString(d.id[:]) }

// due reports whether half of the life of what was sealed on the day made is over.
func due(made, until uint32, now time.Time) bool {
	return dayOf(now) >= made+(max(until, made)-made)/2
}

func dayOf(t time.Time) uint32 { return uint32(max(0, t.Unix()) / int64(day/time.Second)) }

// addressKey returns the key of the own queue service to seal addresses to, and
// the day on which they are dead.
func (a *Account) addressKey(ctx context.Context) (*wire.HPKEKey, uint32, error) {
	now := a.cfg.Now()
	a.mu.Lock()
	k := a.sealTo
	fresh := k != nil && now.Sub(a.sealToAsked).Abs() < 6*time.Hour
	a.mu.Unlock()
	if !fresh {
		var keys wire.AddressKeys
		if err := a.Call(ctx, &Call{Domain: a.static.domain, Operation: wire.OpAddressKeys, Answer: &keys}); err != nil {
			return nil, 0, err
		}
		if len(keys) == 0 || seal.CheckKey(&keys[0].Key) != nil {
			return nil, 0, fmt.Errorf("%w: no address key", ErrService)
		}
		k = &keys[0]
		a.mu.Lock()
		a.sealTo, a.sealToAsked = k, now
		a.mu.Unlock()
	}
	// Keys that open addresses for ever would keep a day from fitting.
	return &k.Key, uint32(min(k.OpenUntil/uint64(day/time.Second), 1<<31)), nil
}

// sealAddress makes an address of the own queue.
func (a *Account) sealAddress(ctx context.Context, kind wire.AddressKind, ds string, group []byte) (*wire.QueueAddress, wire.AddressID, uint32, error) {
	var id wire.AddressID
	key, until, err := a.addressKey(ctx)
	if err != nil {
		return nil, id, 0, err
	}
	q := &wire.QueueAddress{Domain: a.static.domain}
	for _, b := range [][]byte{id[:], q.Nonce[:]} {
		if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
			return nil, id, 0, fmt.Errorf("account: reading randomness: %w", err)
		}
	}
	var use seal.Use
	if kind == wire.AddressBound {
		use = seal.Use{Domain: ds, Binding: seal.Binding(group, q.Nonce)}
	}
	sealed, err := seal.SealAddress(key, kind, a.static.queue(), id, use)
	if err != nil {
		return nil, id, 0, err
	}
	q.Sealed = *sealed
	return q, id, until, nil
}

// BoundAddress makes an address for one group at a delivery service, with a fresh
// delivery secret. It is remembered before it is returned: entries that come by it
// open from now on.
func (a *Account) BoundAddress(ctx context.Context, dsDomain string, g wire.GroupID) (*wire.MemberAddress, wire.AddressID, error) {
	q, id, until, err := a.sealAddress(ctx, wire.AddressBound, dsDomain, g[:])
	if err != nil {
		return nil, id, err
	}
	b := make([]byte, seal.DeliverySecretSize)
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		return nil, id, fmt.Errorf("account: reading randomness: %w", err)
	}
	d := &address{id: id, domain: dsDomain, group: g, secret: seal.DeliverySecret{Bytes: secret.New(b)}, made: dayOf(a.cfg.Now()), until: until}
	if err := a.putAddress(d); err != nil {
		return nil, id, err
	}
	return &wire.MemberAddress{Address: *q, Secret: d.secret.Bytes}, id, nil
}

func (a *Account) putAddress(d *address) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.save(d.record(), d); err != nil {
		return err
	}
	a.addresses[d.id] = d
	return nil
}

// Adopt has entries of the stream, by which a Welcome came, open with the delivery
// secret in its join info from now on. Call it once the group is saved and before
// the Welcome is acknowledged. It fails with [ErrUnknownAddress] unless
// [Account.Receive] returned a Welcome of the stream that waits for its
// acknowledgement; adopting twice changes nothing.
func (a *Account) Adopt(stream wire.AddressID, s seal.DeliverySecret) error {
	a.mu.Lock()
	w, known := a.welcomes[stream], a.addresses[stream]
	a.mu.Unlock()
	if known != nil && known.secret.Equal(s.Bytes) {
		return nil
	}
	if w == nil || s.Len() != seal.DeliverySecretSize {
		return ErrUnknownAddress
	}
	return a.putAddress(&address{id: stream, domain: w.domain, group: w.group, secret: s, made: w.made, until: w.until})
}

// Forget forgets an address: what still comes by it has [ErrUnknownAddress]. It
// is for an address that its delivery service uses no more; see [Account.Revoke].
func (a *Account) Forget(id wire.AddressID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.addresses[id]
	if d == nil {
		return nil
	}
	if err := a.store.Delete(d.record()); err != nil {
		return err
	}
	delete(a.addresses, id)
	return nil
}

// Revoke has the queue service take nothing more by an address, for good, and
// forgets it. So a group is blocked: its delivery service learns that the address
// is revoked, the members do not. After an error it can be called again.
func (a *Account) Revoke(ctx context.Context, id wire.AddressID) error {
	body := &wire.RevokeAddress{Queue: a.static.queue(), Address: id}
	if err := a.Call(ctx, a.queueCall(wire.OpRevokeAddress, body, nil)); err != nil {
		return err
	}
	return a.Forget(id)
}

// DueAddresses returns the addresses of groups that should be replaced, since half
// of their life is over: make another with [Account.BoundAddress], have the group's
// delivery service use it, and forget the old one.
func (a *Account) DueAddresses() []wire.AddressID {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []wire.AddressID
	for id, d := range a.addresses {
		if due(d.made, d.until, now) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(x, y wire.AddressID) int { return slices.Compare(x[:], y[:]) })
	return out
}
