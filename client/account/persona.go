package account

import (
	"crypto/ed25519"
	"io"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	day = 24 * time.Hour
	// leafLife is how long a KeyPackage, and the leaf of a group's creator, may be
	// used. It begins a day back, as clocks differ, and on a day, so that leaves do
	// not tell when they were made.
	leafLife = 30 * day
)

// Persona is who the client is in one group: all of it is drawn for each
// KeyPackage and each group that is created, so that no two groups show that they
// have a member in common.
type Persona struct {
	// Signer is the signature key of the leaf.
	Signer *mls.SignatureKey
	// Pseudonym is the credential of the leaf and the key of its identity link.
	Pseudonym identity.Pseudonym
	// UserAuth is the private part of the credential's UserAuthKey: the same at all
	// clients of the user in the group.
	UserAuth *mls.SignatureKey
}

// MarshalTLS encodes p, private keys included.
func (p *Persona) MarshalTLS(w *tlscodec.Writer) {
	suite := schemeOf(p.Signer)
	if suite == 0 || p.Pseudonym.LinkKey.Len() != identity.LinkKeySize {
		w.Fail(tlscodec.ErrEncode)
		return
	}
	w.Uint16(uint16(suite))
	w.Opaque8(p.Signer.Private().Reveal())
	p.Pseudonym.Credential.MarshalTLS(w)
	w.Raw(p.Pseudonym.LinkKey.Reveal())
	writeEd25519(w, p.UserAuth)
}

// UnmarshalTLS decodes p.
func (p *Persona) UnmarshalTLS(r *tlscodec.Reader) {
	*p = Persona{}
	id, private := mls.CipherSuite(r.Uint16()), secret.Clone(r.Opaque8())
	p.Pseudonym.Credential.UnmarshalTLS(r)
	p.Pseudonym.LinkKey = identity.LinkKey{Bytes: secret.Clone(r.Fixed(identity.LinkKeySize))}
	p.UserAuth = readEd25519(r)
	if r.Err() != nil {
		return
	}
	suite, err := id.Suite()
	if err == nil {
		p.Signer, err = suite.ParseSignatureKey(private)
	}
	if err != nil || schemeOf(p.Signer) != id {
		r.Fail(tlscodec.ErrValue)
	}
}

// schemeOf returns a suite that has the signature scheme of a key, or 0: each
// scheme has public keys of a length of its own.
func schemeOf(k *mls.SignatureKey) mls.CipherSuite {
	if k == nil {
		return 0
	}
	switch len(k.Public()) {
	case ed25519.PublicKeySize:
		return mls.X25519AES128GCM
	case 57:
		return mls.X448AES256GCM
	case 65:
		return mls.P256AES128GCM
	case 97:
		return mls.P384AES256GCM
	case 133:
		return mls.P521AES256GCM
	}
	return 0
}

func writeEd25519(w *tlscodec.Writer, k *mls.SignatureKey) {
	if k == nil || k.Private().Len() != ed25519.SeedSize {
		w.Fail(tlscodec.ErrEncode)
		return
	}
	w.Raw(k.Private().Reveal())
}

func readEd25519(r *tlscodec.Reader) *mls.SignatureKey {
	seed := secret.Clone(r.Fixed(ed25519.SeedSize))
	if r.Err() != nil {
		return nil
	}
	k, err := plainSuite().ParseSignatureKey(seed)
	if err != nil {
		r.Fail(tlscodec.ErrValue)
	}
	return k
}

// plainSuite is the suite of keys that belong to no group: Ed25519.
func plainSuite() *mls.Suite {
	s, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		panic("account: no suite of Ed25519")
	}
	return s
}

// NewPersona draws a persona. Its user is a new one, or that of another client of
// this user in the group, if user is not nil.
func (a *Account) NewPersona(user *Persona) (*Persona, error) {
	signer, err := a.suite.GenerateSignatureKey(a.cfg.Rand)
	if err != nil {
		return nil, err
	}
	p := &Persona{Signer: signer}
	var pseudonym wire.Pseudonym
	if user != nil {
		pseudonym, p.UserAuth = user.Pseudonym.Credential.User, user.UserAuth
	} else {
		if _, err := io.ReadFull(a.cfg.Rand, pseudonym[:]); err != nil {
			return nil, err
		}
		if p.UserAuth, err = plainSuite().GenerateSignatureKey(a.cfg.Rand); err != nil {
			return nil, err
		}
	}
	made, err := a.static.identity.NewPseudonym(a.cfg.Rand, pseudonym, a.static.domain, p.UserAuth.Public(), signer.Public())
	if err != nil {
		return nil, err
	}
	p.Pseudonym = *made
	return p, nil
}

// Client returns what the persona puts into its leaves: its credential, the
// capabilities of this product's groups, and a lifetime from now on.
func (a *Account) Client(p *Persona) *group.Client { return a.client(p, a.cfg.Now().Add(2*leafLife)) }

// client returns the persona's client with a lifetime that ends before the given
// time.
func (a *Account) client(p *Persona, end time.Time) *group.Client {
	credential, err := p.Pseudonym.Credential.Credential()
	if err != nil {
		panic("account: persona whose credential has no encoding")
	}
	c := &group.Client{Suite: a.suite.ID(), Credential: credential, Signer: p.Signer, Capabilities: group.DefaultCapabilities(a.suite.ID())}
	c.Capabilities.Extensions = append(c.Capabilities.Extensions, wire.ExtensionQueueAddress, wire.ExtensionGroupPolicy, wire.ExtensionLinkKey)
	today := a.cfg.Now().Truncate(day)
	last := today.Add(leafLife)
	if end = end.Truncate(day); end.Before(last) {
		last = end
	}
	c.Lifetime = mls.Lifetime{NotBefore: uint64(today.Add(-day).Unix()), NotAfter: uint64(last.Unix()) - 1}
	return c
}
