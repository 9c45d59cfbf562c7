package ds

import (
	"encoding/binary"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/ds/atrest"
)

// treeStore shows a session to package publicgroup, which reads records one by
// one as it needs them and is given back what it applied only once the session
// is committed.
type treeStore struct{ *session }

var (
	_ publicgroup.Store = treeStore{}
	_ tree.BatchStore   = treeStore{}
)

// Header implements [publicgroup.Store].
func (s treeStore) Header() (*publicgroup.Header, error) {
	if s.header.group.Revision == 0 {
		return nil, nil
	}
	h := s.header.group
	return &h, nil
}

// Node implements [tree.Store].
func (s treeStore) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	out, err := s.Nodes([]mls.NodeIndex{x}, v)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Nodes implements [tree.BatchStore].
func (s treeStore) Nodes(xs []mls.NodeIndex, v tree.Version) ([]*tree.Record, error) {
	found, err := s.versions(xs, uint64(v))
	if err != nil {
		return nil, err
	}
	out := make([]*tree.Record, len(xs))
	for i, r := range found {
		if r.Key == nil {
			continue
		}
		if out[i], err = s.nodeRecord(xs[i], epochOf(r.Key), r.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// versions returns the newest records of nodes at or before an epoch. Those of
// the current epoch are remembered for [session.supersede].
func (s *session) versions(xs []mls.NodeIndex, epoch uint64) ([]Record, error) {
	lookups := make([]Lookup, len(xs))
	for i, x := range xs {
		lookups[i] = Lookup{Key: nodeKey(x, epoch), Prefix: nodePrefix}
		if r, ok := s.foreseen(newest(x)); ok && (r.Key == nil || len(r.Key) == nodePrefix+8 && epochOf(r.Key) <= epoch) {
			lookups[i] = newest(x)
		}
	}
	found, err := s.read(lookups...)
	if err != nil {
		return nil, err
	}
	for i, r := range found {
		if r.Key != nil && len(r.Key) != nodePrefix+8 {
			return nil, errStore
		}
		if epoch == s.header.group.Context.Epoch {
			s.current[xs[i]] = none
			if r.Key != nil {
				s.current[xs[i]] = epochOf(r.Key)
			}
		}
	}
	return found, nil
}

// newest asks for the last version of a node.
func newest(x mls.NodeIndex) Lookup { return Lookup{Key: nodeKey(x, none), Prefix: nodePrefix} }

const none = ^uint64(0) // no version of a node

func epochOf(key []byte) uint64 { return ^binary.BigEndian.Uint64(key[nodePrefix:]) }

// HasKey implements [tree.Store].
func (s treeStore) HasKey(k tree.KeyHash) (bool, error) {
	out, err := s.HasKeys([]tree.KeyHash{k})
	return err == nil && out[0], err
}

// HasKeys implements [tree.BatchStore].
func (s treeStore) HasKeys(ks []tree.KeyHash) ([]bool, error) {
	lookups := make([]Lookup, len(ks))
	for i, k := range ks {
		lookups[i].Key = s.name(keyPublic, k[:])
	}
	found, err := s.read(lookups...)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(ks))
	for i, r := range found {
		out[i] = r.Key != nil
	}
	return out, nil
}

// Proposal implements [publicgroup.Store].
func (s treeStore) Proposal(ref mls.ProposalRef) (*publicgroup.Pending, error) {
	p, key := new(publicgroup.Pending), s.name(keyProposal, ref)
	if ok, err := s.load(key, namedPlace(atrest.KindProposal, key), p); err != nil || !ok {
		return nil, err
	}
	return p, nil
}

// Retained implements [publicgroup.Store].
func (s treeStore) Retained(epoch uint64) (*publicgroup.Retained, error) {
	r := new(publicgroup.Retained)
	if ok, err := s.load(number64(keyRetained, epoch), retainedPlace(epoch), r); err != nil || !ok {
		return nil, err
	}
	return r, nil
}

func retainedPlace(epoch uint64) atrest.Place {
	return atrest.Place{Kind: atrest.KindRetained, Index: epoch}
}

// Apply implements [publicgroup.Store]: it puts the changes into the session's
// batch.
func (s treeStore) Apply(c *publicgroup.Changes) error {
	if c.Base != s.header.group.Revision {
		return publicgroup.ErrStale
	}
	if c.Tree != nil {
		if err := s.applyTree(c.Tree, uint64(c.Release)); err != nil {
			return err
		}
	}
	for _, p := range c.Proposals {
		key := s.name(keyProposal, p.Ref)
		if p.Record == nil {
			s.delete(key)
		} else if err := s.put(key, namedPlace(atrest.KindProposal, key), p.Record); err != nil {
			return err
		}
	}
	for _, r := range c.Retained {
		key := number64(keyRetained, r.Epoch)
		if r.Record != nil {
			if err := s.put(key, retainedPlace(r.Epoch), r.Record); err != nil {
				return err
			}
			continue
		}
		s.delete(key)
		if err := s.forgetJoins(r.Epoch); err != nil {
			return err
		}
	}
	if err := s.release(uint64(c.Release)); err != nil {
		return err
	}
	s.header.group, s.rewrite = *c.Header, true
	return nil
}

// applyTree writes nodes as versions of their own. Those that they supersede go
// at once if no newcomer needs them, else their names are kept for later.
func (s *session) applyTree(c *tree.Changes, release uint64) error {
	epoch := uint64(c.Version)
	var unknown []mls.NodeIndex
	for _, w := range c.Nodes {
		if _, ok := s.current[w.Index]; !ok && !c.Fresh {
			unknown = append(unknown, w.Index)
		}
	}
	if _, err := s.versions(unknown, s.header.group.Context.Epoch); err != nil {
		return err
	}
	stale := tlscodec.NewWriter(nil)
	note := func(x mls.NodeIndex, version uint64) {
		if epoch <= release {
			s.delete(nodeKey(x, version))
			return
		}
		stale.Uint32(uint32(x))
		stale.Uint64(version)
	}
	for _, w := range c.Nodes {
		old, known := s.current[w.Index]
		if known = known && old != none; known {
			note(w.Index, old)
		}
		place := atrest.Place{Kind: atrest.KindNode, Index: uint64(w.Index), Version: epoch}
		if w.Record != nil {
			if err := s.put(nodeKey(w.Index, epoch), place, w.Record); err != nil {
				return err
			}
		} else if known && epoch > release {
			// What is not there any more must hide what still is. It goes together
			// with that.
			if err := s.put(nodeKey(w.Index, epoch), place, nil); err != nil {
				return err
			}
			note(w.Index, epoch)
		}
	}
	if b, err := stale.Bytes(); err != nil {
		return err
	} else if len(b) > 0 {
		s.putPlain(number64(keyStale, epoch), b)
	}
	for _, k := range c.KeysRemoved {
		s.delete(s.name(keyPublic, k[:]))
	}
	for _, k := range c.KeysAdded {
		s.putPlain(s.name(keyPublic, k[:]), nil)
	}
	return nil
}

// maxReleased bounds how many epochs' stale versions one request drops. What is
// left goes with later ones.
const maxReleased = 64

// release drops node versions that only epochs before the given one show.
func (s *session) release(epoch uint64) error {
	last := min(epoch, s.header.released+maxReleased)
	var lookups []Lookup
	for e := s.header.released + 1; e <= last; e++ {
		lookups = append(lookups, Lookup{Key: number64(keyStale, e)})
	}
	if len(lookups) == 0 {
		return nil
	}
	found, err := s.read(lookups...)
	if err != nil {
		return err
	}
	for _, r := range found {
		if r.Key == nil {
			continue
		}
		s.delete(r.Key)
		d := tlscodec.NewReader(r.Value, tlscodec.Limits{})
		for !d.Empty() {
			x := mls.NodeIndex(d.Uint32())
			s.delete(nodeKey(x, d.Uint64()))
		}
		if d.Err() != nil {
			return errStore
		}
	}
	s.header.released = last
	return nil
}
