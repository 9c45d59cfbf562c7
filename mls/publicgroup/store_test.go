package publicgroup_test

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// countingStore counts what passes through it: records and their encoded size,
// and point operations on the key index. Each record counts as one, the header
// too. It can fail on purpose.
type countingStore struct {
	publicgroup.Store
	reads, writes, keyOps, applies int
	readBytes, writtenBytes        int
	// discard counts changes and does not make them, so that the same ones can
	// be made again.
	discard bool
	// fail is returned by the read after the next failAfter ones.
	fail      error
	failAfter int
}

func (s *countingStore) read(v mls.Marshaler) {
	s.reads++
	s.readBytes += len(must(mls.Marshal(v)))
}

// fault counts down to the error that was asked for.
func (s *countingStore) fault() error {
	if s.fail == nil {
		return nil
	}
	if s.failAfter--; s.failAfter >= 0 {
		return nil
	}
	return s.fail
}

func (s *countingStore) write(v mls.Marshaler) {
	s.writes++
	s.writtenBytes += len(must(mls.Marshal(v)))
}

func (s *countingStore) Header() (*publicgroup.Header, error) {
	h, err := s.Store.Header()
	if err := s.fault(); err != nil {
		return nil, err
	}
	if h != nil {
		s.read(h)
	}
	return h, err
}

func (s *countingStore) Node(x mls.NodeIndex, v tree.Version) (*tree.Record, error) {
	r, err := s.Store.Node(x, v)
	if err := s.fault(); err != nil {
		return nil, err
	}
	if r != nil {
		s.read(r)
	} else {
		s.reads++
	}
	return r, err
}

func (s *countingStore) HasKey(k tree.KeyHash) (bool, error) {
	s.keyOps++
	if err := s.fault(); err != nil {
		return false, err
	}
	return s.Store.HasKey(k)
}

func (s *countingStore) Proposal(ref mls.ProposalRef) (*publicgroup.Pending, error) {
	p, err := s.Store.Proposal(ref)
	if err := s.fault(); err != nil {
		return nil, err
	}
	if p != nil {
		s.read(p)
	}
	return p, err
}

func (s *countingStore) Retained(epoch uint64) (*publicgroup.Retained, error) {
	r, err := s.Store.Retained(epoch)
	if err := s.fault(); err != nil {
		return nil, err
	}
	if r != nil {
		s.read(r)
	}
	return r, err
}

func (s *countingStore) Apply(c *publicgroup.Changes) error {
	s.applies++
	s.write(c.Header)
	if c.Tree != nil {
		for _, w := range c.Tree.Nodes {
			if w.Record != nil {
				s.write(w.Record)
			} else {
				s.writes++
			}
		}
		s.keyOps += len(c.Tree.KeysAdded) + len(c.Tree.KeysRemoved)
	}
	for _, w := range c.Proposals {
		if w.Record != nil {
			s.write(w.Record)
		} else {
			s.writes++
		}
	}
	for _, w := range c.Retained {
		if w.Record != nil {
			s.write(w.Record)
		} else {
			s.writes++
		}
	}
	if s.discard {
		return nil
	}
	return s.Store.Apply(c)
}
