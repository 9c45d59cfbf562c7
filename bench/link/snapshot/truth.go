package snapshot

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Kind is what a thing is that the auditor tries to link.
type Kind string

// The kinds.
const (
	Member  Kind = "member"
	Queue   Kind = "queue"
	Pool    Kind = "pool"
	Group   Kind = "group"
	Account Kind = "account"
)

// thing is what somebody has at the provider: what its records are found by, and
// whose it is.
type thing struct {
	kind   Kind
	id     string       // group, queue, pool, or name of the account
	leaf   uint32       // of a member
	users  map[int]bool // one, but of a group
	client int          // -1 if it is no client's
}

// truth lists all that there is.
func (w *world) truth() ([]*thing, error) {
	var out []*thing
	groups := map[wire.GroupID]*thing{}
	for _, c := range w.groups {
		newest := w.newest(c)
		if newest == nil {
			return nil, fmt.Errorf("snapshot: nobody is in %s", c.label)
		}
		members, err := newest.Members()
		if err != nil {
			return nil, err
		}
		id := newest.ID()
		groups[id] = &thing{kind: Group, id: string(id[:]), users: map[int]bool{}, client: -1}
		out = append(out, groups[id])
		names := map[uint32]string{}
		for _, m := range members {
			names[uint32(m.Leaf)] = m.Name
		}
		for n, d := range w.clients {
			g := d.in(c)
			if g == nil {
				continue
			}
			own, err := ownLeaf(g)
			if err != nil {
				return nil, err
			}
			if names[own] != d.user.name { // removed, and has not read so
				continue
			}
			groups[id].users[d.user.number] = true
			out = append(out, &thing{kind: Member, id: string(id[:]), leaf: own, users: map[int]bool{d.user.number: true}, client: n})
		}
	}
	for n, d := range w.clients {
		for _, t := range d.Traces() {
			kind, ok := map[string]Kind{account.TraceQueue: Queue, account.TracePool: Pool}[t.Kind]
			if ok {
				out = append(out, &thing{kind: kind, id: string(t.Octets), users: map[int]bool{d.user.number: true}, client: n})
			}
		}
	}
	names, err := w.accountNames()
	if err != nil {
		return nil, err
	}
	for _, u := range w.users {
		name := names.Account(attester.AccountKeyScheme, string(u.account.Public().(ed25519.PublicKey)))
		out = append(out, &thing{kind: Account, id: string(name[:]), users: map[int]bool{u.number: true}, client: -1})
	}
	return out, nil
}

// newest is the view of that member of a group who has followed it the farthest.
func (w *world) newest(c *circle) (out *client.Group) {
	for _, d := range w.clients {
		if g := d.in(c); g != nil && (out == nil || g.Epoch() > out.Epoch()) {
			out = g
		}
	}
	return out
}

func ownLeaf(g *client.Group) (uint32, error) {
	members, err := g.Members()
	if err != nil {
		return 0, err
	}
	for _, m := range members {
		if m.Own {
			return uint32(m.Leaf), nil
		}
	}
	return 0, fmt.Errorf("snapshot: a member without a leaf: %w", client.ErrNotMember)
}

// accountNames reads the key under which the issuer names accounts.
func (w *world) accountNames() (attester.Names, error) {
	key, err := daemon.Dir(filepath.Join(w.cfg.Data, "issuer")).ReadSecret(host.NamesFile)
	if err != nil {
		return attester.Names{}, err
	}
	return attester.NewNames(key), nil
}

// linked reports whether two things are a user's: for clients' things of different
// kinds, the same client's.
func linked(a, b *thing) bool {
	if a.kind != b.kind && a.client >= 0 && b.client >= 0 {
		return a.client == b.client
	}
	for u := range a.users {
		if b.users[u] {
			return true
		}
	}
	return false
}
