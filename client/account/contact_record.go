package account

import (
	"crypto/ed25519"
	"encoding/hex"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// contact is a contact as the vault has it. It is never modified once it is saved:
// changes are made to a clone.
type contact struct {
	name     string
	key      ed25519.PublicKey
	state    ContactState
	greeting []byte
	card     wire.ContactCard

	// theirs is the newest offer of theirs; zero if there was none.
	theirs grant

	// token is what they have, or are to get; zero if nothing. It is allowed once it
	// is registered.
	token   wire.ContactToken
	allowed bool
	// revoke are earlier tokens that may be registered and must not be.
	revoke []wire.ContactToken
	// offer is sealed to card, with its version; empty if there is none. It is sent
	// once the service has taken it.
	offer   []byte
	sent    bool
	version uint64
}

// grant is what an offer grants.
type grant struct {
	version  uint64
	offer    []byte // its hash
	token    wire.ContactToken
	pools    []wire.PoolID
	linkWrap secret.Bytes
}

// pending reports whether something is to be sent.
func (c *contact) pending() bool {
	return len(c.revoke) > 0 || !c.token.IsZero() && !c.allowed || len(c.offer) > 0 && !c.sent
}

// revokeToken has the token revoked.
func (c *contact) revokeToken() {
	if !c.token.IsZero() {
		c.revoke = append(c.revoke[:len(c.revoke):len(c.revoke)], c.token)
	}
	c.token, c.allowed = wire.ContactToken{}, false
}

func (c *contact) clone() *contact {
	next := *c
	return &next
}

// view returns what others see of c.
func (c *contact) view() *Contact {
	return &Contact{
		Name: c.name, Identity: append([]byte(nil), c.key...), Card: c.card, Token: c.theirs.token, Pools: append([]wire.PoolID(nil), c.theirs.pools...),
		LinkWrap: c.theirs.linkWrap, State: c.state, Greeting: append([]byte(nil), c.greeting...), Pending: c.pending(),
	}
}

// MarshalTLS encodes c.
func (c *contact) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque([]byte(c.name))
	w.Raw(c.key)
	w.Uint8(uint8(c.state))
	w.Opaque(c.greeting)
	c.card.MarshalTLS(w)
	w.Uint64(c.theirs.version)
	w.Opaque(c.theirs.offer)
	w.Opaque8(c.theirs.token.Reveal())
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range c.theirs.pools {
			w.Raw(p[:])
		}
	})
	w.Opaque8(c.theirs.linkWrap.Reveal())
	w.Opaque8(c.token.Reveal())
	w.Bool(c.allowed)
	writeContactTokens(w, c.revoke)
	w.Opaque(c.offer)
	w.Bool(c.sent)
	w.Uint64(c.version)
}

// UnmarshalTLS decodes c.
func (c *contact) UnmarshalTLS(r *tlscodec.Reader) {
	*c = contact{name: string(r.Opaque()), key: r.Fixed(ed25519.PublicKeySize), state: ContactState(r.Uint8()), greeting: r.Opaque()}
	c.card.UnmarshalTLS(r)
	c.theirs.version, c.theirs.offer = r.Uint64(), r.Opaque()
	c.theirs.token = readContactToken(r)
	r.Vector(func(r *tlscodec.Reader) {
		var p wire.PoolID
		copy(p[:], r.Fixed(len(p)))
		c.theirs.pools = append(c.theirs.pools, p)
	})
	if b := r.Opaque8(); len(b) > 0 {
		c.theirs.linkWrap = secret.Clone(b)
	}
	c.token = readContactToken(r)
	c.allowed = r.Bool()
	c.revoke = readContactTokens(r)
	c.offer, c.sent, c.version = r.Opaque(), r.Bool(), r.Uint64()
	if r.Err() == nil && (checkName(c.name) != nil || c.state < ContactOffered || c.state > ContactBlocked) {
		r.Fail(tlscodec.ErrValue)
	}
}

func readContactToken(r *tlscodec.Reader) (t wire.ContactToken) {
	switch b := r.Opaque8(); len(b) {
	case 0:
	case wire.ContactTokenSize:
		t.Bytes = secret.Clone(b)
	default:
		r.Fail(tlscodec.ErrValue)
	}
	return t
}

func writeContactTokens(w *tlscodec.Writer, tokens []wire.ContactToken) {
	w.Vector(func(w *tlscodec.Writer) {
		for i := range tokens {
			w.Opaque8(tokens[i].Reveal())
		}
	})
}

func readContactTokens(r *tlscodec.Reader) (out []wire.ContactToken) {
	r.Vector(func(r *tlscodec.Reader) {
		t := readContactToken(r)
		if r.Err() == nil && t.IsZero() {
			r.Fail(tlscodec.ErrValue)
		}
		out = append(out, t)
	})
	return out
}

// former is a contact that is none any more.
type former struct {
	key     ed25519.PublicKey
	blocked bool
	revoke  []wire.ContactToken
}

func (f *former) record() string { return prefixFormer + hex.EncodeToString(f.key) }

// MarshalTLS encodes f.
func (f *former) MarshalTLS(w *tlscodec.Writer) {
	w.Raw(f.key)
	w.Bool(f.blocked)
	writeContactTokens(w, f.revoke)
}

// UnmarshalTLS decodes f.
func (f *former) UnmarshalTLS(r *tlscodec.Reader) {
	*f = former{key: r.Fixed(ed25519.PublicKeySize), blocked: r.Bool(), revoke: readContactTokens(r)}
}

// putFormer adds to what is known of a former contact. The caller holds mu.
func (a *Account) putFormer(f *former) error {
	if old := a.formers[string(f.key)]; old != nil {
		f = &former{f.key, f.blocked || old.blocked, append(old.revoke[:len(old.revoke):len(old.revoke)], f.revoke...)}
	}
	return a.saveFormer(f)
}

func (a *Account) saveFormer(f *former) error {
	if !f.blocked && len(f.revoke) == 0 {
		if err := a.store.Delete(f.record()); err != nil {
			return err
		}
		delete(a.formers, string(f.key))
		return nil
	}
	if err := a.save(f.record(), f); err != nil {
		return err
	}
	a.formers[string(f.key)] = f
	return nil
}

// unblock has the offers of a former contact taken again. The caller holds mu.
func (a *Account) unblock(key ed25519.PublicKey) error {
	f := a.formers[string(key)]
	if f == nil || !f.blocked {
		return nil
	}
	return a.saveFormer(&former{key: f.key, revoke: f.revoke})
}

// sealOffer signs and seals an offer for the holder of a card.
func sealOffer(key *mls.SignatureKey, to *wire.ContactCard, c *wire.Contact) ([]byte, error) {
	if err := signOffer(key, to, c); err != nil {
		return nil, err
	}
	return seal.SealOffer(to, c)
}
