package account

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// FetchKeyPackage takes a KeyPackage of a contact, to add it to a group, and the key
// of its identity link, which was opened and is the contact's. It costs what the
// contact's provider asks for. It fails with [ErrNoContact] if the contact has
// granted nothing, [ErrBlocked], [ErrKeyPackage], or as [Account.Call] does:
// with [wire.CodeExhausted] if there is none, or the contact grants no more.
//
// Of a user with several clients it is that of the first that has one.
func (a *Account) FetchKeyPackage(ctx context.Context, c *Contact) (*mls.KeyPackage, identity.LinkKey, error) {
	if c.State == ContactBlocked {
		return nil, identity.LinkKey{}, ErrBlocked
	}
	if c.Token.IsZero() || len(c.Pools) == 0 {
		return nil, identity.LinkKey{}, ErrNoContact
	}
	k, err := a.fetchFrom(ctx, c.Card.Domain, wire.OpGroupPackages, c.Pools, c.Token, seal.PoolKeyOf(c.LinkWrap))
	if err != nil {
		return nil, identity.LinkKey{}, err
	}
	key, err := a.checkLink(k, c)
	return k, key, err
}

// FetchConnectionPackage takes a KeyPackage of somebody who is not a contact: of
// the pools on a card, which are for whoever has it. The identity behind it cannot
// be checked before its holder has joined. It fails with [ErrCard],
// [ErrKeyPackage], or as [Account.Call] does.
func (a *Account) FetchConnectionPackage(ctx context.Context, card *wire.ContactCard) (*mls.KeyPackage, error) {
	if _, _, err := parseCardIdentity(card); err != nil {
		return nil, err
	}
	key := seal.KeyPackageKey{Bytes: secret.Clone(card.PackageKey[:])}
	return a.fetchFrom(ctx, card.Domain, wire.OpConnectionPackages, card.Pools, wire.ContactToken{}, key)
}

// fetchFrom takes a KeyPackage of the first pool that has one.
func (a *Account) fetchFrom(ctx context.Context, domain string, o wire.Operation, from []wire.PoolID, token wire.ContactToken, key seal.KeyPackageKey) (*mls.KeyPackage, error) {
	err := error(&wire.Error{Code: wire.CodeExhausted})
	for _, pool := range from {
		var sealed octets
		err = a.Call(ctx, &Call{Domain: domain, Operation: o, Body: &wire.FetchKeyPackage{Pool: pool, Contact: token}, Answer: &sealed})
		switch {
		case err == nil:
			return a.openKeyPackage(sealed, pool, key, domain)
		case errors.Is(err, ErrService):
			return nil, fmt.Errorf("%w: %w", ErrKeyPackage, err)
		case !errors.Is(err, &wire.Error{Code: wire.CodeExhausted}):
			return nil, err
		}
	}
	return nil, err
}

// octets is an answer that is not encoded further.
type octets []byte

// UnmarshalTLS implements [mls.Unmarshaler].
func (o *octets) UnmarshalTLS(r *tlscodec.Reader) { *o = r.Rest() }

// openKeyPackage opens and checks a KeyPackage of a pool.
func (a *Account) openKeyPackage(sealed []byte, pool wire.PoolID, key seal.KeyPackageKey, domain string) (*mls.KeyPackage, error) {
	encoded, err := seal.OpenKeyPackage(key, pool, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	k := new(mls.KeyPackage)
	if err := mls.Unmarshal(encoded, k); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	return k, a.checkKeyPackage(k, domain)
}

// checkKeyPackage checks a KeyPackage by itself (RFC 9420, Section 10.1), and that
// it is one that this product makes: of this suite, with a pseudonymous credential
// of the domain, and an address there.
func (a *Account) checkKeyPackage(k *mls.KeyPackage, domain string) error {
	if err := k.Verify(a.suite); err != nil {
		return fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	if !k.LeafNode.Lifetime.Contains(a.cfg.Now()) {
		return fmt.Errorf("%w: lifetime", ErrKeyPackage)
	}
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &k.LeafNode.Credential)
	if err != nil || name.Credential == nil || name.Provider != domain {
		return fmt.Errorf("%w: credential", ErrKeyPackage)
	}
	var address wire.KeyPackageAddress
	if ok, err := k.Extensions.Decode(wire.ExtensionQueueAddress, &address); err != nil || !ok || address.Address.Domain != domain {
		return fmt.Errorf("%w: queue address", ErrKeyPackage)
	}
	return nil
}

// checkLink opens the identity link of a KeyPackage and checks that it is the
// contact's.
func (a *Account) checkLink(k *mls.KeyPackage, c *Contact) (identity.LinkKey, error) {
	var sealed wire.SealedLinkKey
	name, err := wire.ParseMemberName(wire.ProfilePseudonymous, &k.LeafNode.Credential)
	if err != nil {
		return identity.LinkKey{}, fmt.Errorf("%w: credential", ErrKeyPackage)
	}
	if ok, err := k.Extensions.Decode(wire.ExtensionLinkKey, &sealed); err != nil || !ok {
		return identity.LinkKey{}, fmt.Errorf("%w: link key", ErrKeyPackage)
	}
	key, err := identity.Unwrap(c.LinkWrap, name.Credential.Client, &sealed)
	if err != nil {
		return identity.LinkKey{}, fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	isContact := func(credential *mls.Credential, public ed25519.PublicKey) bool {
		return string(credential.Identity) == c.Name && bytes.Equal(public, c.Identity)
	}
	if _, err := identity.OpenLink(name.Credential, k.LeafNode.SignatureKey, key, isContact); err != nil {
		return identity.LinkKey{}, fmt.Errorf("%w: %w", ErrKeyPackage, err)
	}
	return key, nil
}
