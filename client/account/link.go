package account

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	linkPrefix     = "pseudods-link:"
	linkSecretSize = 32
	linkLife       = day
	maxLinks       = 4 // that are open at a time
	maxLinkText    = 16 << 10
)

// Link is what makes another client of a user: the identity with its private key,
// and where the client is that handed it out. Whoever has it is the user.
type Link struct {
	key    *mls.SignatureKey
	device DeviceID
	name   string // of the device
	card   wire.ContactCard
	secret secret.Bytes
}

// Name returns whose client it makes.
func (l *Link) Name() string {
	_, name, err := parseCardIdentity(&l.card)
	if err != nil {
		return ""
	}
	return name
}

// Domain returns the user's provider.
func (l *Link) Domain() string { return l.card.Domain }

// MarshalTLS encodes l.
func (l *Link) MarshalTLS(w *tlscodec.Writer) {
	w.Uint8(deviceVersion)
	writeEd25519(w, l.key)
	w.Raw(l.device[:])
	w.Opaque8([]byte(l.name))
	l.card.MarshalTLS(w)
	w.Raw(l.secret.Reveal())
}

// UnmarshalTLS decodes l.
func (l *Link) UnmarshalTLS(r *tlscodec.Reader) {
	if v := r.Uint8(); r.Err() == nil && v != deviceVersion {
		r.Fail(tlscodec.ErrValue)
	}
	*l = Link{key: readEd25519(r), device: readDeviceID(r), name: readDeviceName(r)}
	l.card.UnmarshalTLS(r)
	l.secret = secret.Clone(r.Fixed(linkSecretSize))
}

// NewLink makes a code, a text, by which one more client of this user can be made
// with [CreateLinked]. It is good for one client and a day. It holds the private key
// of the identity: whoever sees it is the user for good. Name is what the new client
// calls this one, unless it had a name before; "" for a name that says nothing.
func (a *Account) NewLink(name string) (secret.Bytes, error) {
	if name == "" {
		name = firstDevice
	}
	if err := checkDeviceName(name); err != nil {
		return secret.Bytes{}, err
	}
	card, err := a.Card()
	if err != nil {
		return secret.Bytes{}, err
	}
	b := make([]byte, linkSecretSize)
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		return secret.Bytes{}, fmt.Errorf("account: reading randomness: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	next := &self{name: name}
	if a.self != nil {
		*next = *a.self
	} else if next.key, err = plainSuite().GenerateSignatureKey(a.cfg.Rand); err != nil {
		return secret.Bytes{}, err
	}
	until := uint64(a.cfg.Now().Add(linkLife).Unix())
	next.links = append([]openLink{{secret: secret.Clone(b), until: until}}, next.links[:min(len(next.links), maxLinks-1)]...)
	if err := a.putSelf(next); err != nil {
		return secret.Bytes{}, err
	}
	encoded, err := mls.Marshal(&Link{key: a.static.identity.Key, device: next.id(), name: next.name, card: *card, secret: secret.New(b)})
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.New([]byte(linkPrefix + base64.RawURLEncoding.EncodeToString(encoded))), nil
}

// ParseLink reads a code and checks it by itself. White space within is ignored. It
// fails with [ErrLink].
func ParseLink(code secret.Bytes) (*Link, error) {
	if code.Len() > maxLinkText {
		return nil, ErrLink
	}
	encoded, ok := strings.CutPrefix(strings.Join(strings.Fields(string(code.Reveal())), ""), linkPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrLink, linkPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrLink)
	}
	l := new(Link)
	if err := mls.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("%w: malformed", ErrLink)
	}
	id, _, err := parseCardIdentity(&l.card)
	if err != nil || !id.key.Equal(ed25519.PublicKey(l.key.Public())) {
		return nil, fmt.Errorf("%w: card of another", ErrLink)
	}
	return l, nil
}

// CreateLinked makes one more client of the user who handed out a code, at the same
// provider, with a queue, KeyPackages and a card of its own. Name is what the user
// calls it. The client that handed out the code lists it when it has next read its
// queue, and tells it of the user's contacts; a code that was used before, or is too
// old, is refused there and then.
//
// It fails with [ErrExists], [ErrName], [ErrProvider], or as [Account.Call] does.
// After an error of the latter kinds the account is in the vault, and [Open] and
// [Account.Refill] go on.
func CreateLinked(ctx context.Context, cfg Config, l *Link, name string) (*Account, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return createLinked(ctx, cfg, cfg.Vault, l, name)
}

func createLinked(ctx context.Context, cfg Config, s store, l *Link, name string) (*Account, error) {
	if err := checkDeviceName(name); err != nil {
		return nil, err
	}
	id, user, err := parseCardIdentity(&l.card)
	if err != nil {
		return nil, err
	}
	a, err := createWith(ctx, cfg, s, user, l.card.Domain, func(made *static) error {
		made.identity = &identity.Identity{Credential: id.credential, Key: l.key}
		own := &self{name: name}
		var err error
		if own.key, err = plainSuite().GenerateSignatureKey(cfg.Rand); err != nil {
			return err
		}
		first := &device{id: l.device, name: l.name, card: l.card, outbox: []deviceItem{{kind: itemHello, name: name, secret: l.secret}}}
		if err := dropAll(s, prefixDevices); err != nil { // of an attempt before
			return err
		}
		if err := save(s, first.record(), first); err != nil {
			return err
		}
		return save(s, recordSelf, own)
	})
	if err != nil {
		return nil, err
	}
	if err := a.DeliverDevices(ctx); err != nil && isLocal(err) {
		return nil, err
	}
	return a, nil
}

// dropAll deletes all records of a prefix.
func dropAll(s store, prefix string) error { return loadAll(s, prefix, s.Delete) }

// putSelf saves what this client is as a device. The caller holds mu.
func (a *Account) putSelf(s *self) error {
	if err := a.save(recordSelf, s); err != nil {
		return err
	}
	a.self = s
	return nil
}

// link returns the index of the open code with that secret, or -1.
func (s *self) link(given secret.Bytes, now time.Time) int {
	found := -1
	for i := range s.links {
		if s.links[i].secret.Equal(given) && uint64(now.Unix()) <= s.links[i].until {
			found = i
		}
	}
	return found
}

// useLink notes which device a code has made. The caller holds mu.
func (a *Account) useLink(i int, id DeviceID) error {
	next := *a.self
	next.links = append([]openLink(nil), a.self.links...)
	next.links[i].used = id
	return a.putSelf(&next)
}
