package interop

import (
	"bytes"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// service is a delivery service that follows a group of public handshakes and
// gives newcomers what they need.
type service struct {
	t     *testing.T
	group *publicgroup.Group
}

func newService(t *testing.T, how framing, creator member) *service {
	t.Helper()
	s := &service{t: t}
	gi, err := creator.groupInfo(how.InlineTree)
	s.ok(err)
	var nodes mls.RatchetTree
	if !how.InlineTree {
		tree, err := creator.tree()
		s.ok(err)
		s.ok(mls.Unmarshal(tree, &nodes))
	}
	cfg := publicgroup.Config{ExternalJoins: true, InlineTree: how.InlineTree, CoverRemovals: true}
	changes, err := publicgroup.Register(cfg, gi, nodes)
	s.ok(err)
	s.group, err = publicgroup.Create(publicgroup.NewMemory(), cfg, changes)
	s.ok(err)
	return s
}

func (s *service) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("delivery service: %v", err)
	}
}

func (s *service) propose(message []byte) {
	s.t.Helper()
	staged, err := s.group.StageProposal(message, time.Now())
	s.ok(err)
	s.group, err = s.group.Apply(staged.Changes)
	s.ok(err)
}

func (s *service) commit(c *bundle) {
	s.t.Helper()
	b := &publicgroup.Bundle{Commit: c.Commit, Welcome: c.Welcome, GroupInfo: c.GroupInfo, PartialGroupInfo: c.Partial}
	staged, err := s.group.StageCommit(b, time.Now())
	s.ok(err)
	s.group, err = s.group.Apply(staged.Changes)
	s.ok(err)
}

// tree returns what goes with a Welcome.
func (s *service) tree() []byte {
	s.t.Helper()
	t, err := s.group.RetainedTree(s.group.Epoch())
	s.ok(err)
	nodes, err := t.Export()
	s.ok(err)
	b, err := mls.Marshal(&nodes)
	s.ok(err)
	return b
}

// externalJoin returns what an external committer needs. The tree is nil if it
// is in the GroupInfo.
func (s *service) externalJoin() (groupInfo, tree []byte) {
	s.t.Helper()
	j, err := s.group.ExternalJoin()
	s.ok(err)
	groupInfo, err = mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: j.GroupInfo})
	s.ok(err)
	if j.Tree != nil {
		tree, err = mls.Marshal(&j.Tree)
		s.ok(err)
	}
	return groupInfo, tree
}

// agrees compares what the service follows with what a member sees.
func (s *service) agrees(i *info) {
	s.t.Helper()
	h := s.group.Header()
	switch {
	case h.Context.Epoch != i.Epoch:
		s.t.Fatalf("delivery service is in epoch %d, the members in %d", h.Context.Epoch, i.Epoch)
	case !bytes.Equal(h.Context.TreeHash, i.TreeHash), !bytes.Equal(h.Tree.Hash, i.TreeHash):
		s.t.Fatalf("delivery service has another tree hash in epoch %d", i.Epoch)
	case !bytes.Equal(h.Context.ConfirmedTranscriptHash, i.Confirmed), !bytes.Equal(h.InterimTranscriptHash, i.Interim):
		s.t.Fatalf("delivery service has another transcript hash in epoch %d", i.Epoch)
	}
}
