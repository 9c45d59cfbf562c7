package client

import (
	"crypto/ed25519"
	"encoding/hex"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Member is a client in a group as other members see it.
type Member struct {
	Leaf mls.LeafIndex
	// Client and User are the names in the group; all clients of a user share
	// the second.
	Client, User string
	// Provider is the member's own, "" if its credential names none.
	Provider string
	// Name and Key are who is behind the pseudonym, if Verified is set.
	Name     string
	Key      ed25519.PublicKey
	Verified bool
	// Own tells this client, OwnUser any of this user's clients: this one, or one with
	// the same user pseudonym whose link is verified and of the user's own identity.
	Own, OwnUser bool
}

// String is how a member may be shown: a name, or part of the pseudonym.
func (m *Member) String() string {
	if m.Name != "" {
		return m.Name
	}
	h := hex.EncodeToString([]byte(m.User))
	return "unverified-" + h[:min(8, len(h))]
}

// MarshalTLS encodes m.
func (m *Member) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(uint32(m.Leaf))
	for _, s := range []string{m.Client, m.User, m.Provider, m.Name, string(m.Key)} {
		w.Opaque([]byte(s))
	}
	w.Bool(m.Verified)
	own := uint8(0)
	if m.Own {
		own |= 1
	}
	if m.OwnUser {
		own |= 2
	}
	w.Uint8(own)
}

// UnmarshalTLS decodes m.
func (m *Member) UnmarshalTLS(r *tlscodec.Reader) {
	*m = Member{Leaf: mls.LeafIndex(r.Uint32()), Client: string(r.Opaque()), User: string(r.Opaque()), Provider: string(r.Opaque()),
		Name: string(r.Opaque())}
	if k := r.Opaque(); len(k) > 0 {
		m.Key = ed25519.PublicKey(k)
	}
	m.Verified = r.Bool()
	own := r.Uint8()
	if r.Err() == nil && own > 3 {
		r.Fail(tlscodec.ErrValue)
	}
	m.Own, m.OwnUser = own&1 != 0, own&2 != 0
}

// Members returns all members, in the order of their leaves.
func (g *Group) Members() ([]Member, error) {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.mls == nil {
		return nil, ErrNotMember
	}
	var out []Member
	err := g.mls.EachMember(func(l mls.LeafIndex, leaf *mls.LeafNode) error {
		out = append(out, g.member(l, leaf))
		return nil
	})
	return out, err
}

// member says who is at a leaf, as far as that can be known now.
func (g *Group) member(l mls.LeafIndex, leaf *mls.LeafNode) Member {
	m := Member{Leaf: l}
	if own, err := g.mls.OwnLeaf(); err == nil && own == l {
		m.Own, m.OwnUser = true, true
	}
	name, err := wire.ParseMemberName(g.policy().Profile, &leaf.Credential)
	if err != nil {
		return m
	}
	m.Client, m.User, m.Provider = name.Client, name.User, name.Provider
	if name.Credential == nil {
		if g.policy().Profile == wire.ProfileIdentified {
			m.Name = name.User // its provider answers for it
		}
		return m
	}
	key, ok := g.linkKey(name.Credential.Client)
	if !ok {
		return m
	}
	o, err := identity.OpenLink(name.Credential, leaf.SignatureKey, key, g.c.account.Verifier())
	if err != nil {
		return m
	}
	m.Name, m.Key, m.Verified = string(o.Credential.Identity), o.Key, true
	m.OwnUser = m.Own || g.sameUser(name.Credential) && o.Key.Equal(ed25519.PublicKey(g.c.account.Identity().Key.Public()))
	return m
}

// at is member for a leaf of the present epoch.
func (g *Group) at(l mls.LeafIndex) Member {
	leaf, err := g.mls.Member(l)
	if err != nil {
		return Member{Leaf: l}
	}
	return g.member(l, leaf)
}
