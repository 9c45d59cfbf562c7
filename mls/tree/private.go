package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Private holds the private keys that one member has in a tree: its leaf's, and
// those of nodes above that are not blank and to which the member is merged. It
// is immutable: what a commit changes is in a new value.
type Private struct {
	leaf mls.LeafIndex
	keys map[mls.NodeIndex]mls.HPKEPrivateKey
}

// NewPrivate returns the keys of a member who knows the key of its leaf alone.
func NewPrivate(leaf mls.LeafIndex, key mls.HPKEPrivateKey) *Private {
	return &Private{leaf: leaf, keys: map[mls.NodeIndex]mls.HPKEPrivateKey{leaf.Node(): key}}
}

// Leaf returns the member's leaf.
func (p *Private) Leaf() mls.LeafIndex { return p.leaf }

// LeafKey returns the private key of the member's leaf.
func (p *Private) LeafKey() mls.HPKEPrivateKey { return p.keys[p.leaf.Node()] }

func (p *Private) clone() *Private { return &Private{leaf: p.leaf, keys: maps.Clone(p.keys)} }

// Rekey returns what is left when an update of the member's own leaf is
// committed: the new leaf key, under a blank path.
func (p *Private) Rekey(key mls.HPKEPrivateKey) *Private { return NewPrivate(p.leaf, key) }

// Prune returns p without the keys of nodes that are blank or gone in e (RFC
// 9420, Section 9.2). It is for commits without a path; [Private.OpenPath] does
// the same.
func (p *Private) Prune(e *Edit) (*Private, error) {
	q := p.clone()
	for x := range p.keys {
		if x.IsLeaf() {
			continue
		}
		n, err := e.Parent(x)
		if err != nil {
			return nil, err
		}
		if n == nil {
			delete(q.keys, x)
		}
	}
	return q, nil
}

// Join adds the keys that a newcomer learns from the path secret in its
// Welcome, which belongs to the lowest node above both it and the committer who
// signed the GroupInfo (RFC 9420, Section 12.4.3.1). It fails with
// [ErrPathSecret] unless the secret gives the public keys in t.
func (p *Private) Join(t *Tree, signer mls.LeafIndex, pathSecret secret.Bytes) (*Private, error) {
	path, err := t.filteredPath(signer)
	if err != nil {
		return nil, err
	}
	shared := mls.CommonAncestor(p.leaf, signer)
	at := slices.IndexFunc(path, func(s step) bool { return s.node == shared })
	if at < 0 {
		return nil, ErrPathSecret
	}
	q := p.clone()
	_, err = q.climb(t.suite, path[at:], pathSecret, func(i int) []byte {
		if n := path[at+i].rec.Node; n != nil {
			return n.EncryptionKey
		}
		return nil
	})
	return q, err
}

// climb derives from a path secret the keys of its node and of the nodes above,
// and returns the commit secret (RFC 9420, Section 7.4). It fails with
// ErrPathSecret if a public key is not the one expected. The secrets in between
// are wiped, as Section 7.5 has it; the one it was given is the caller's.
func (p *Private) climb(s *mls.Suite, path []step, pathSecret secret.Bytes, want func(int) []byte) (secret.Bytes, error) {
	for i := range path {
		private, public, err := nodeKeys(s, pathSecret)
		if err != nil {
			return secret.Bytes{}, err
		}
		if !bytes.Equal(public, want(i)) {
			return secret.Bytes{}, ErrPathSecret
		}
		p.keys[path[i].node] = private
		next := s.DeriveSecret(pathSecret, "path")
		if i > 0 {
			pathSecret.Wipe()
		}
		pathSecret = next
	}
	return pathSecret, nil
}

// nodeKeys derives the key pair of a node from its path secret (RFC 9420,
// Section 7.4).
func nodeKeys(s *mls.Suite, pathSecret secret.Bytes) (mls.HPKEPrivateKey, []byte, error) {
	nodeSecret := s.DeriveSecret(pathSecret, "node")
	defer nodeSecret.Wipe()
	return s.DeriveKeyPair(nodeSecret)
}

// OpenPath decrypts the member's part of a path that [Edit.MergePath] merged
// into e (RFC 9420, Section 7.5). groupContext is the encoded provisional
// GroupContext, with the new tree hash. It returns the keys of the new epoch and
// the commit secret.
//
// It fails with [ErrNoPathKey] if the path has nothing for this member, such as
// for the sender itself, with [mls.ErrDecrypt], or with [ErrPathSecret] if the
// secret does not give the path's public keys. It reads records on the member's
// own direct path only, however large the resolution is.
func (p *Private) OpenPath(e *Edit, sender mls.LeafIndex, path *mls.UpdatePath, groupContext []byte) (*Private, secret.Bytes, error) {
	none := secret.Bytes{}
	if sender == p.leaf || uint32(p.leaf) >= e.size {
		return nil, none, ErrNoPathKey
	}
	steps, err := e.filteredPath(sender)
	if err != nil {
		return nil, none, err
	}
	if len(steps) != len(path.Nodes) {
		return nil, none, ErrPathLength
	}
	shared := mls.CommonAncestor(p.leaf, sender)
	at := slices.IndexFunc(steps, func(s step) bool { return s.node == shared })
	if at < 0 {
		return nil, none, ErrNoPathKey
	}
	key, position, err := p.locate(e, steps[at].copath)
	if err != nil {
		return nil, none, err
	}
	ciphertexts := path.Nodes[at].EncryptedPathSecret
	if position >= len(ciphertexts) {
		return nil, none, ErrPathCiphertexts
	}
	opened, err := e.suite.DecryptWithLabel(key, "UpdatePathNode", groupContext, ciphertexts[position])
	if err != nil {
		return nil, none, err
	}
	defer clear(opened)
	if len(opened) != e.suite.HashSize() {
		return nil, none, ErrPathSecret
	}
	// Nodes above the shared one are either blank or on the path, whose keys
	// replace what is held.
	q, err := p.Prune(e)
	if err != nil {
		return nil, none, err
	}
	commit, err := q.climb(e.suite, steps[at:], secret.New(opened), func(i int) []byte {
		return path.Nodes[at+i].EncryptionKey
	})
	if err != nil {
		return nil, none, err
	}
	return q, commit, nil
}

// locate finds, in the resolution of x without the leaves that this commit
// added, the node that holds a key of the member, who is below x. The stored
// sizes of resolutions give its position without enumerating them.
func (p *Private) locate(e *Edit, x mls.NodeIndex) (key mls.HPKEPrivateKey, position int, err error) {
	if _, justAdded := slices.BinarySearch(e.added, p.leaf); justAdded {
		return key, 0, ErrNoPathKey
	}
	for {
		r, err := e.record(x)
		if err != nil {
			return key, 0, err
		}
		if r == nil {
			return key, 0, ErrNoPathKey
		}
		if r.Leaf != nil || r.Node != nil {
			return p.locateIn(e, x, r, position)
		}
		if left := x.Left(); left.Covers(p.leaf) {
			x = left
		} else {
			position += int(r.Left.Resolution) - e.addedBelow(left)
			x = x.Right()
		}
	}
}

// locateIn looks for the member at node x, which is not blank, and among the
// node's unmerged leaves.
func (p *Private) locateIn(e *Edit, x mls.NodeIndex, r *Record, position int) (mls.HPKEPrivateKey, int, error) {
	held := x
	if r.Node != nil {
		if at, unmerged := slices.BinarySearch(r.Node.Unmerged, p.leaf); unmerged {
			first, _ := x.Leaves()
			position += 1 + at - countRange(e.added, first, p.leaf)
			held = p.leaf.Node()
		}
	}
	key, ok := p.keys[held]
	if !ok {
		return key, 0, fmt.Errorf("%w: node key not held", ErrNoPathKey)
	}
	return key, position, nil
}

// MarshalTLS encodes p. The encoding is secret.
func (p *Private) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(uint32(p.leaf))
	w.Vector(func(w *tlscodec.Writer) {
		for _, x := range slices.Sorted(maps.Keys(p.keys)) {
			w.Uint32(uint32(x))
			w.Opaque(p.keys[x].Reveal())
		}
	})
}

// UnmarshalTLS decodes p. It copies the keys.
func (p *Private) UnmarshalTLS(r *tlscodec.Reader) {
	*p = Private{leaf: mls.LeafIndex(r.Uint32()), keys: make(map[mls.NodeIndex]mls.HPKEPrivateKey)}
	last := -1
	r.Vector(func(r *tlscodec.Reader) {
		x := mls.NodeIndex(r.Uint32())
		key := secret.Clone(r.Opaque())
		if int(x) <= last || p.leaf >= mls.MaxLeaves || !x.Covers(p.leaf) {
			r.Fail(fmt.Errorf("%w: private keys", tlscodec.ErrValue))
			return
		}
		last = int(x)
		p.keys[x] = mls.HPKEPrivateKey{Bytes: key}
	})
	if r.Err() == nil && p.LeafKey().IsZero() {
		r.Fail(fmt.Errorf("%w: no leaf key", tlscodec.ErrValue))
	}
}
