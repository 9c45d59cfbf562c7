package tree

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
)

// OwnPath is a path that this member made and merged, before it is encrypted.
// The order is: [Edit.CreatePath], then the provisional GroupContext with
// [Edit.Hash] in it, then [OwnPath.Seal].
type OwnPath struct {
	edit    *Edit
	leaf    *mls.LeafNode
	private *Private
	steps   []step
	nodes   []*mls.ParentNode
	secrets []secret.Bytes // path secrets, as steps
	commit  secret.Bytes
}

// CreatePath gives the sender's leaf and filtered direct path fresh keys (RFC
// 9420, Section 7.4), after the commit's proposals were applied. sender is the
// committer's leaf, or [Edit.Vacancy] for an external commit. The new leaf is a
// copy of template but for its keys, source, parent hash and signature. It fails
// with [ErrNoMember], [ErrFull], [ErrCensus], or an error of rand or signer.
func (e *Edit) CreatePath(rand io.Reader, sender mls.LeafIndex, template *mls.LeafNode, signer *mls.SignatureKey, groupID []byte) (*OwnPath, error) {
	if _, err := e.seat(sender); err != nil {
		return nil, err
	}
	steps, err := e.filteredPath(sender)
	if err != nil {
		return nil, err
	}
	leafKey, leafPublic, err := e.suite.GenerateKeyPair(rand)
	if err != nil {
		return nil, err
	}
	own := &OwnPath{edit: e, private: NewPrivate(sender, leafKey), steps: steps}
	keys, err := own.derive(rand)
	if err != nil {
		return nil, err
	}
	nodes, parentHash, err := e.chain(steps, keys)
	if err != nil {
		return nil, err
	}
	leaf := template.Clone()
	leaf.EncryptionKey, leaf.SignatureKey = leafPublic, signer.Public()
	leaf.Source, leaf.Lifetime, leaf.ParentHash = mls.LeafNodeSourceCommit, mls.Lifetime{}, parentHash
	if err := leaf.Sign(signer, groupID, sender); err != nil {
		return nil, err
	}
	own.leaf, own.nodes = leaf, nodes
	return own, e.setPath(sender, leaf, steps, nodes)
}

// Wipe deletes the path secrets, once the path and the Welcome are sealed. The
// commit secret and the private keys stay.
func (o *OwnPath) Wipe() {
	for _, s := range o.secrets {
		s.Wipe()
	}
}

// derive fills in the path secrets, the private keys of the path and the commit
// secret, and returns the public keys.
func (o *OwnPath) derive(rand io.Reader) (public [][]byte, err error) {
	s := o.edit.suite
	pathSecret, err := s.RandomSecret(rand)
	if err != nil {
		return nil, err
	}
	for _, st := range o.steps {
		private, key, err := nodeKeys(s, pathSecret)
		if err != nil {
			return nil, err
		}
		o.private.keys[st.node] = private
		public = append(public, key)
		o.secrets = append(o.secrets, pathSecret)
		pathSecret = s.DeriveSecret(pathSecret, "path")
	}
	o.commit = pathSecret
	return public, nil
}

// Leaf returns the committer's new leaf.
func (o *OwnPath) Leaf() *mls.LeafNode { return o.leaf }

// CommitSecret returns what the path brings into the key schedule.
func (o *OwnPath) CommitSecret() secret.Bytes { return o.commit }

// Private returns the committer's keys in the new epoch.
func (o *OwnPath) Private() *Private { return o.private }

// PathSecret returns the secret that a Welcome carries for a member whom this
// commit added: that of the lowest node above both (RFC 9420, Section
// 12.4.3.1). It fails with [ErrNoMember] if the leaf is not such a member's.
func (o *OwnPath) PathSecret(newMember mls.LeafIndex) (secret.Bytes, error) {
	if _, ok := slices.BinarySearch(o.edit.added, newMember); !ok {
		return secret.Bytes{}, ErrNoMember
	}
	shared := mls.CommonAncestor(newMember, o.private.leaf)
	for i, s := range o.steps {
		if s.node == shared {
			return o.secrets[i], nil
		}
	}
	return secret.Bytes{}, fmt.Errorf("%w: path without the common ancestor", ErrInconsistent)
}

// sealing is one HPKE encryption to do.
type sealing struct {
	to     []byte
	secret secret.Bytes
	out    *mls.HPKECiphertext
}

// Seal encrypts the path secrets under the encoded provisional GroupContext (RFC
// 9420, Section 7.6). It does one HPKE encryption per member of the copath's
// resolutions, on all cores if there are many: 2^d leaves of which all have
// committed take d, but just added ones take one each.
func (o *OwnPath) Seal(groupContext []byte) (*mls.UpdatePath, error) {
	path := &mls.UpdatePath{LeafNode: *o.leaf, Nodes: make([]mls.UpdatePathNode, len(o.steps))}
	var jobs []sealing
	for i := range o.steps {
		keys, err := o.edit.recipientKeys(o.steps[i].copath)
		if err != nil {
			return nil, err
		}
		out := make([]mls.HPKECiphertext, len(keys))
		path.Nodes[i] = mls.UpdatePathNode{EncryptionKey: o.nodes[i].EncryptionKey, EncryptedPathSecret: out}
		for j, key := range keys {
			jobs = append(jobs, sealing{key, o.secrets[i], &out[j]})
		}
	}
	err := parallel(len(jobs), func(i int) (err error) {
		j := &jobs[i]
		*j.out, err = o.edit.suite.EncryptWithLabel(j.to, "UpdatePathNode", groupContext, j.secret.Reveal())
		return err
	})
	if err != nil {
		return nil, err
	}
	return path, nil
}

// recipientKeys returns the public keys of the resolution of x without the
// leaves that this commit added.
func (e *Edit) recipientKeys(x mls.NodeIndex) ([][]byte, error) {
	nodes, err := e.Resolution(x)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, 0, len(nodes))
	for _, y := range nodes {
		if y.IsLeaf() {
			if _, justAdded := slices.BinarySearch(e.added, y.Leaf()); justAdded {
				continue
			}
		}
		r, err := e.record(y)
		if err != nil {
			return nil, err
		}
		switch {
		case r != nil && r.Leaf != nil:
			keys = append(keys, r.Leaf.EncryptionKey)
		case r != nil && r.Node != nil:
			keys = append(keys, r.Node.EncryptionKey)
		default:
			return nil, fmt.Errorf("%w: blank node in a resolution", ErrInconsistent)
		}
	}
	return keys, nil
}

// parallel calls f for 0 to n-1, on all cores if n is worth it, and returns an
// error of one that failed. After a failure it starts no more.
func parallel(n int, f func(int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/2)
	if workers <= 1 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next   atomic.Int64
		group  sync.WaitGroup
		once   sync.Once
		failed error
	)
	for range workers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	group.Wait()
	return failed
}
