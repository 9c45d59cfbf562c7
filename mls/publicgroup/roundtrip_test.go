package publicgroup_test

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// roundTripStore keeps what it is given in memory and hands out what is left of
// it after it was encoded and decoded, as a store on disk would. Beside that it
// keeps the key index as a set that can be compared.
type roundTripStore struct {
	publicgroup.Store
	keys map[tree.KeyHash]bool
}

func newRoundTripStore() *roundTripStore {
	return &roundTripStore{Store: publicgroup.NewMemory(), keys: map[tree.KeyHash]bool{}}
}

func roundTrip[T any, P interface {
	*T
	mls.Marshaler
	mls.Unmarshaler
}](v P) P {
	if v == nil {
		return nil
	}
	out := P(new(T))
	mustDo(mls.Unmarshal(must(mls.Marshal(v)), out))
	return out
}

func (s *roundTripStore) Header() (*publicgroup.Header, error) {
	h, err := s.Store.Header()
	return roundTrip(h), err
}

func (s *roundTripStore) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	r, err := s.Store.Node(x, v)
	return roundTrip(r), err
}

func (s *roundTripStore) Proposal(ref mls.ProposalRef) (*publicgroup.Pending, error) {
	p, err := s.Store.Proposal(ref)
	return roundTrip(p), err
}

func (s *roundTripStore) Retained(epoch uint64) (*publicgroup.Retained, error) {
	r, err := s.Store.Retained(epoch)
	return roundTrip(r), err
}

func (s *roundTripStore) Apply(c *publicgroup.Changes) error {
	if err := s.Store.Apply(c); err != nil {
		return err
	}
	if c.Tree != nil {
		for _, k := range c.Tree.KeysRemoved {
			delete(s.keys, k)
		}
		for _, k := range c.Tree.KeysAdded {
			s.keys[k] = true
		}
	}
	return nil
}
