package account

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ownKeyPackage is a KeyPackage of this client with what must stay secret of it.
type ownKeyPackage struct {
	ref        string // KeyPackageRef
	keys       *group.KeyPackage
	persona    Persona
	welcomeKey *seal.PrivateKey
	address    wire.AddressID
	made       uint32 // day
	until      uint32 // day on which the address is dead
	set        *keySet
}

// MarshalTLS encodes k, all but ref and set.
func (k *ownKeyPackage) MarshalTLS(w *tlscodec.Writer) {
	keys, err := k.keys.Marshal()
	if err != nil {
		w.Fail(err)
	}
	w.Opaque(keys.Reveal())
	k.persona.MarshalTLS(w)
	writeHPKE(w, k.welcomeKey)
	w.Raw(k.address[:])
	w.Uint32(k.made)
	w.Uint32(k.until)
}

// UnmarshalTLS decodes k.
func (k *ownKeyPackage) UnmarshalTLS(r *tlscodec.Reader) {
	*k = ownKeyPackage{}
	encoded := r.Opaque()
	k.persona.UnmarshalTLS(r)
	k.welcomeKey = readHPKE(r)
	copy(k.address[:], r.Fixed(len(k.address)))
	k.made, k.until = r.Uint32(), r.Uint32()
	if r.Err() != nil {
		return
	}
	keys, err := group.ParseKeyPackage(encoded)
	if err != nil {
		r.Fail(tlscodec.ErrValue)
		return
	}
	ref, err := keys.Ref()
	if err != nil {
		r.Fail(tlscodec.ErrValue)
		return
	}
	k.keys, k.ref = keys, string(ref)
}

// keySet is what one record holds: the KeyPackages of one batch of a pool, or one
// that is in no pool.
type keySet struct {
	name  string // of the record
	pool  wire.PoolKind
	batch uint64
	keys  []*ownKeyPackage
}

// MarshalTLS encodes s, all but the name.
func (s *keySet) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(uint8(s.pool))
	w.Uint64(s.batch)
	w.Vector(func(w *tlscodec.Writer) {
		for _, k := range s.keys {
			k.MarshalTLS(w)
		}
	})
}

// UnmarshalTLS decodes s.
func (s *keySet) UnmarshalTLS(r *tlscodec.Reader) {
	*s = keySet{pool: wire.PoolKind(r.Uint8()), batch: r.Uint64()}
	if r.Err() == nil && s.pool > wire.PoolGroup {
		r.Fail(tlscodec.ErrValue)
	}
	r.Vector(func(r *tlscodec.Reader) {
		k := new(ownKeyPackage)
		k.UnmarshalTLS(r)
		k.set = s
		s.keys = append(s.keys, k)
	})
}

// over reports whether the set's KeyPackages are of no use any more: nobody may add
// the client by them, and a Welcome that was sent in time has come or is gone.
func (s *keySet) over(now time.Time) bool {
	const late = 30 * day // that a Welcome lies in the queue
	return !slices.ContainsFunc(s.keys, func(k *ownKeyPackage) bool {
		return uint64(now.Add(-late).Unix()) <= k.keys.Public.LeafNode.Lifetime.NotAfter
	})
}

// makeKeyPackage makes a KeyPackage; nothing is saved.
func (a *Account) makeKeyPackage(ctx context.Context, p *Persona, lastResort bool) (*ownKeyPackage, error) {
	kind := wire.AddressOneTime
	if lastResort {
		kind = wire.AddressReusable
	}
	q, id, until, err := a.sealAddress(ctx, kind, "", nil)
	if err != nil {
		return nil, err
	}
	welcomeKey, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return nil, err
	}
	link, err := identity.Wrap(a.cfg.Rand, a.static.linkWrap, &p.Pseudonym)
	if err != nil {
		return nil, err
	}
	var extensions mls.Extensions
	for t, v := range map[mls.ExtensionType]mls.Marshaler{
		wire.ExtensionQueueAddress: &wire.KeyPackageAddress{Address: *q, WelcomeKey: [32]byte(welcomeKey.Public().Public)},
		wire.ExtensionLinkKey:      link,
	} {
		data, err := mls.Marshal(v)
		if err != nil {
			return nil, err
		}
		extensions = append(extensions, mls.Extension{Type: t, Data: data})
	}
	slices.SortFunc(extensions, func(x, y mls.Extension) int { return int(x.Type) - int(y.Type) })
	var kept collector
	client := a.client(p, time.Unix(int64(until)*int64(day/time.Second), 0))
	_, err = group.NewKeyPackage(group.Config{Rand: a.cfg.Rand, KeyPackages: &kept}, client,
		group.KeyPackageOptions{LastResort: lastResort, Extensions: extensions})
	if err != nil {
		return nil, err
	}
	return &ownKeyPackage{ref: kept.ref, keys: kept.keys, persona: *p, welcomeKey: welcomeKey, address: id, made: dayOf(a.cfg.Now()), until: until}, nil
}

// collector takes the private parts of one KeyPackage.
type collector struct {
	ref  string
	keys *group.KeyPackage
}

var _ group.KeyPackageStore = (*collector)(nil)

func (c *collector) PutKeyPackage(ref mls.KeyPackageRef, p *group.KeyPackage) error {
	c.ref, c.keys = string(ref), p
	return nil
}
func (c *collector) KeyPackage(mls.KeyPackageRef) (*group.KeyPackage, error) { return nil, nil }
func (c *collector) DeleteKeyPackage(mls.KeyPackageRef) error                { return nil }

// putSet saves a set and takes its KeyPackages into use. The caller holds mu.
func (a *Account) putSet(s *keySet) error {
	if err := a.save(s.name, s); err != nil {
		return err
	}
	a.takeSet(s)
	return nil
}

func (a *Account) takeSet(s *keySet) {
	a.sets[s.name] = s
	for _, k := range s.keys {
		k.set = s
		a.keyPackages[k.ref] = k
		a.keyAddresses[k.address] = k
	}
}

// dropKeyPackage deletes a KeyPackage for good. The caller holds mu.
func (a *Account) dropKeyPackage(k *ownKeyPackage) error {
	rest := *k.set
	rest.keys = slices.DeleteFunc(slices.Clone(k.set.keys), func(other *ownKeyPackage) bool { return other == k })
	if len(rest.keys) == 0 {
		return a.dropSet(k.set)
	}
	if err := a.save(rest.name, &rest); err != nil {
		return err
	}
	a.untake(k)
	a.takeSet(&rest)
	return nil
}

func (a *Account) untake(k *ownKeyPackage) {
	delete(a.keyPackages, k.ref)
	delete(a.keyAddresses, k.address)
}

// dropSet deletes a set. The caller holds mu.
func (a *Account) dropSet(s *keySet) error {
	if err := a.store.Delete(s.name); err != nil {
		return err
	}
	for _, k := range s.keys {
		a.untake(k)
	}
	delete(a.sets, s.name)
	return nil
}

// setName returns a fresh name of a record.
func (a *Account) setName() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(a.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("account: reading randomness: %w", err)
	}
	return prefixKeys + hex.EncodeToString(b[:]), nil
}

// NewKeyPackage makes a KeyPackage for a persona that is in no pool, such as for
// another client of the user to add this one by. It carries a one-time address of
// the queue and the wrapped link key, and is saved before it is returned.
func (a *Account) NewKeyPackage(ctx context.Context, p *Persona) (*mls.KeyPackage, error) {
	k, err := a.makeKeyPackage(ctx, p, false)
	if err != nil {
		return nil, err
	}
	name, err := a.setName()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.putSet(&keySet{name: name, keys: []*ownKeyPackage{k}}); err != nil {
		return nil, err
	}
	return k.keys.Public, nil
}

// CheckDevicePackage checks that a KeyPackage is another client's of this user, with
// a persona that has the user of the given one. It fails with [ErrKeyPackage].
func (a *Account) CheckDevicePackage(k *mls.KeyPackage, user *Persona, link identity.LinkKey) error {
	if err := a.checkKeyPackage(k, a.static.domain); err != nil {
		return err
	}
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &k.LeafNode.Credential)
	if err != nil || name.Credential == nil || name.Credential.User != user.Pseudonym.Credential.User ||
		!bytes.Equal(name.Credential.UserAuthKey, user.UserAuth.Public()) || name.Credential.Client == user.Pseudonym.Credential.Client {
		return fmt.Errorf("%w: of another user", ErrKeyPackage)
	}
	isUser := func(c *mls.Credential, key ed25519.PublicKey) bool {
		return c.Equal(&a.static.identity.Credential) && key.Equal(a.ownKey())
	}
	if _, err := identity.OpenLink(name.Credential, k.LeafNode.SignatureKey, link, isUser); err != nil {
		return fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	return nil
}

// KeyPackagePersona returns who a KeyPackage of this client is, and the key to
// which its Welcome's join info is sealed. It fails with [ErrNoKeyPackage].
func (a *Account) KeyPackagePersona(ref mls.KeyPackageRef) (*Persona, *seal.PrivateKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.keyPackages[string(ref)]
	if k == nil {
		return nil, nil, ErrNoKeyPackage
	}
	p := k.persona
	return &p, k.welcomeKey, nil
}

// KeyPackages returns the private parts of the client's KeyPackages, for joining.
// One that a Welcome used is deleted when the Welcome is acknowledged, and not
// before: a crash after joining and before the group was saved would lose the
// group otherwise.
func (a *Account) KeyPackages() group.KeyPackageStore { return (*keyStore)(a) }

// keyStore is an account as a [group.KeyPackageStore].
type keyStore Account

var _ group.KeyPackageStore = (*keyStore)(nil)

// PutKeyPackage fails: see [Account.NewKeyPackage].
func (s *keyStore) PutKeyPackage(mls.KeyPackageRef, *group.KeyPackage) error { return ErrNoKeyPackage }

// KeyPackage returns the private parts, or nil.
func (s *keyStore) KeyPackage(ref mls.KeyPackageRef) (*group.KeyPackage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keyPackages[string(ref)]; k != nil {
		return k.keys, nil
	}
	return nil, nil
}

// DeleteKeyPackage deletes a KeyPackage, or has the acknowledgement of its Welcome
// do it.
func (s *keyStore) DeleteKeyPackage(ref mls.KeyPackageRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keyPackages[string(ref)]
	if k == nil {
		return nil
	}
	for _, w := range s.welcomes {
		if w.key == k {
			return nil
		}
	}
	return (*Account)(s).dropKeyPackage(k)
}
