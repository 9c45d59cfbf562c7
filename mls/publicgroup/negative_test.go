package publicgroup_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
)

// negative breaks one rule of the catalogue. attack sets the scene, which may
// change the group, and returns the call that must fail with want.
type negative struct {
	check, name string
	cfg         func(*publicgroup.Config)
	attack      func(*scene) func() error
	want        error
	// closed says that the scene ends with a closed group.
	closed bool
}

var negatives = [][]negative{
	framingNegatives, messageNegatives, leafNegatives, keyPackageNegatives, proposalNegatives,
	commitNegatives, externalNegatives, pathNegatives, groupInfoNegatives, welcomeNegatives, importNegatives,
}

// standard is the scene of the negative cases: leaves 0 to 5 with leaf 3 blank,
// external joins and inline trees allowed.
func standard(t testing.TB, change func(*publicgroup.Config)) *scene {
	cfg := external
	if change != nil {
		change(&cfg)
	}
	joins := cfg.ExternalJoins
	cfg.ExternalJoins = true // for the scene's own GroupInfos are made so
	s := newScene(t, mls.X25519AES128GCM, cfg)
	s.fill(6)
	s.commit(commit{values: []*mls.Proposal{remove(3)}})
	if !joins {
		cfg.ExternalJoins = false
		g, err := publicgroup.Open(s.store, cfg)
		s.ok(err)
		s.group, s.cfg = g, cfg
	}
	return s
}

// TestINV11BadInputChangesNothing runs every negative case: the error must be
// the one of its rule, nothing may have changed, and the group must take the next
// valid message. Every rule of the catalogue must have a case.
func TestINV11BadInputChangesNothing(t *testing.T) {
	known, tested := map[string]bool{}, map[string]bool{}
	for _, c := range catalogue {
		if known[c.id] {
			t.Errorf("the catalogue has %s twice", c.id)
		}
		known[c.id] = true
	}
	for _, list := range negatives {
		for _, n := range list {
			if !known[n.check] {
				t.Errorf("%s %s: the catalogue has no such rule", n.check, n.name)
			}
			tested[n.check] = true
			t.Run(n.check+"/"+n.name, n.run)
		}
	}
	members := memberTests(t)
	for _, c := range catalogue {
		if c.member != "" && !members[c.member] {
			t.Errorf("%s (%s): no %s among the members' tests", c.id, c.rule, c.member)
		}
		if tested[c.id] == (c.member != "") {
			t.Errorf("%s (%s): tested here: %t, left to members: %q", c.id, c.rule, tested[c.id], c.member)
		}
	}
}

// memberTests returns the names of the tests of packages group and mls.
func memberTests(t *testing.T) map[string]bool {
	files := append(must(filepath.Glob("../group/*_test.go")), must(filepath.Glob("../*_test.go"))...)
	names := map[string]bool{}
	for _, f := range files {
		for _, m := range testName.FindAllSubmatch(must(os.ReadFile(f)), -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

func (n *negative) run(t *testing.T) {
	s := standard(t, n.cfg)
	call := n.attack(s)
	before, applies := s.dump(), s.store.applies
	err := call()
	if !errors.Is(err, n.want) {
		t.Fatalf("got %v, want %v", err, n.want)
	}
	if s.store.applies != applies || !bytes.Equal(s.dump(), before) {
		t.Error("a refused message changed the store")
	}
	if n.closed {
		return
	}
	// The next valid message: a commit of all that waits, by somebody whom it
	// does not concern.
	var valid commit
	touched := map[mls.LeafIndex]bool{}
	for _, e := range s.group.Header().Pending {
		switch e.Type {
		case mls.ProposalTypeSelfRemove, mls.ProposalTypeUpdate:
			touched[e.Sender.Leaf] = true
		case mls.ProposalTypeRemove:
			touched[e.Target] = true
		}
		if e.Type == mls.ProposalTypeSelfRemove || e.Type == mls.ProposalTypeRemove {
			valid.refs = append(valid.refs, e.Ref)
		}
	}
	for l := range mls.LeafIndex(s.group.Tree().Size()) {
		if _, there := s.keys[l]; there && !touched[l] {
			valid.from = l
			break
		}
	}
	s.commit(valid)
}

// dump encodes all that the store holds.
func (s *scene) dump() []byte {
	store := s.store.Store
	h := must(store.Header())
	var w tlscodec.Writer
	h.MarshalTLS(&w)
	for x := range mls.NodeIndex(2*h.Tree.Size - 1) {
		if r := must(store.Node(x, tree.Version(h.Context.Epoch))); r != nil {
			r.MarshalTLS(&w)
		}
	}
	for _, e := range h.Pending {
		must(store.Proposal(e.Ref)).MarshalTLS(&w)
	}
	for _, e := range h.Retained {
		must(store.Retained(e)).MarshalTLS(&w)
	}
	return must(w.Bytes())
}

// stage is the call that a bad commit fails in, propose that of a bad proposal.
func (s *scene) stage(b *publicgroup.Bundle) func() error {
	return func() error {
		_, err := s.group.StageCommit(b, now)
		return err
	}
}

func (s *scene) bad(c commit) func() error { return s.stage(s.build(c)) }

func (s *scene) stageProposal(message []byte) func() error {
	return func() error {
		_, err := s.group.StageProposal(message, now)
		return err
	}
}

func (s *scene) badProposal(from mls.Sender, p *mls.Proposal) func() error {
	return s.stageProposal(s.proposal(from, p, nil))
}

// with returns a commit whose list ends in proposals that were not applied when
// its path was made.
func with(ps ...*mls.Proposal) commit {
	return commit{commit: func(c *mls.Commit) {
		for _, p := range ps {
			c.Proposals = append(c.Proposals, mls.ProposalOrRef{Proposal: p})
		}
	}}
}

// naming is [with] for references.
func naming(refs ...mls.ProposalRef) commit {
	return commit{commit: func(c *mls.Commit) {
		for _, r := range refs {
			c.Proposals = append(c.Proposals, mls.ProposalOrRef{Ref: r})
		}
	}}
}

// lenient lets additions come without a Welcome, for cases in which the
// additions are what is wrong.
func lenient(c *publicgroup.Config) { c.WelcomeOptional = true }
