package ds

import (
	"bytes"
	"context"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// erasedKinds are the records that go when a group is deleted, those first that
// could still open others: without head, links and join records the rest are
// random octets to everybody.
var erasedKinds = []byte{keyLink, keyJoin, keyJoins, keyHeader, keyAccess, keyRoster, keyMembers, keyUser, keyActivity, keyOutcome,
	keyProposal, keyRetained, keyExpiry, keyNonce, keyPublic, keyStale, keyNode}

// keptKinds are those of the records that a deleted group has.
var keptKinds = map[byte]bool{keyHead: true, keyNonce: true, keyExpiry: true}

// maxErased is how many records go in one step. A variable for tests.
var maxErased = MaxWrites - 16

// doDelete deletes a group for its last member, or one that a ReInit has ended,
// whose members are elsewhere. There stay an empty head, so that nobody creates
// the group anew, and the answer to this request with its expiry. Messages that
// wait still go out, among them the commits that removed the others.
func doDelete(r *request) (mls.Marshaler, error) {
	leaf, err := r.public.Leaf(r.Auth.Leaf)
	if err != nil {
		return nil, err
	}
	name, err := r.name(leaf)
	if err != nil {
		return nil, err
	}
	if !r.policy.IsAdmin(name.User) || r.public.Tree().Members() != 1 && r.public.Header().ReInit == nil {
		return nil, notAllowed
	}
	g, answer := r.group, r.accepted()
	g.drop()
	if _, err := r.service.erase(g, r.Nonce); err != nil {
		return nil, err
	}
	g.head, g.rewriteHead = head{}, true
	return answer, nil
}

// erase deletes records of a group, as many as one step takes, but for the answer
// to one request. It reports whether there were any.
func (s *Service) erase(g *session, nonce [wire.NonceSize]byte) (bool, error) {
	kept := nonceKey(nonce)
	for _, kind := range erasedKinds {
		for from := []byte{kind}; len(g.deletes) < maxErased; {
			found, err := g.read(Lookup{Key: from, Prefix: 1})
			if err != nil {
				return false, err
			}
			key := found[0].Key
			if key == nil {
				break
			}
			from = append(bytes.Clone(key), 0)
			if kind == keyExpiry {
				of, ok := s.open(g.id, key, found[0].Value)
				if ok && bytes.HasPrefix(of, kept) {
					continue
				}
			}
			if !bytes.Equal(key, kept) {
				g.delete(key)
			}
		}
	}
	return len(g.deletes) > 0, nil
}

// bury deletes what is left of a group after its deletion. A crash before the end
// leaves records that open with no key; who repeats the request goes on here.
func (s *Service) bury(ctx context.Context, id wire.GroupID, nonce [wire.NonceSize]byte) error {
	for {
		g, err := newSession(ctx, s.cfg.Store, s.cfg.Rand, id)
		if err != nil || g.base == 0 || len(g.head.wraps) > 0 {
			return err
		}
		if more, err := s.erase(g, nonce); err != nil || !more {
			return err
		}
		batch, err := g.batch()
		if err != nil {
			return err
		}
		if err := s.cfg.Store.Commit(ctx, id, batch); err != nil {
			return err
		}
	}
}
