package publicgroup_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// TestGroupInfoForms commits with each form of GroupInfo after each other. What
// the server then serves must be what the committer signed.
func TestGroupInfoForms(t *testing.T) {
	s := standard(t, nil)
	for i, form := range []struct {
		from    mls.LeafIndex
		partial bool
		tree    bool
		first   bool // the tree stands before external_pub
	}{
		{0, false, false, false}, {1, true, false, false}, {2, false, true, false}, {4, true, true, false},
		{5, true, false, false}, {0, true, true, false}, {1, false, true, true}, {2, true, false, false},
	} {
		var signed *mls.GroupInfo
		c := commit{from: form.from, partial: form.partial, tree: &form.tree, signed: func(g *mls.GroupInfo) {
			if form.first {
				e := g.Extensions
				g.Extensions = mls.Extensions{e[1], e[0]}
				s.ok(g.Sign(s.keys[form.from]))
			}
			signed = g
		}}
		s.commit(c)
		got := must(s.group.GroupInfo())
		if !bytes.Equal(groupInfoMessage(got), groupInfoMessage(signed)) {
			t.Errorf("commit %d: the server serves another GroupInfo than was signed", i)
		}
		j := must(s.group.ExternalJoin())
		if (j.Tree == nil) != form.tree {
			t.Errorf("commit %d: the tree is served twice or not at all", i)
		}
		// Whoever takes the group over from what is served gets the same.
		copied := must(publicgroup.Import(s.cfg, groupInfoMessage(j.GroupInfo), j.Tree))
		h := s.group.Header()
		if !bytes.Equal(copied.Header.InterimTranscriptHash, h.InterimTranscriptHash) ||
			!bytes.Equal(must(mls.Marshal(&copied.Header.Tree)), must(mls.Marshal(&h.Tree))) {
			t.Errorf("commit %d: the group cannot be taken over", i)
		}
	}
}

// TestGroupInfoReplaced: a member mends what another one published.
func TestGroupInfoReplaced(t *testing.T) {
	s := standard(t, nil)
	_, good, err := s.suite.GenerateKeyPair(s.rand)
	s.ok(err)
	for _, partial := range []bool{false, true} {
		g := must(s.group.GroupInfo())
		g.Signer = 2
		g.Extensions = must(g.Extensions.With(mls.ExtensionTypeExternalPub, &mls.ExternalPub{Key: good}))
		if partial {
			g.Extensions = append(g.Extensions, mls.Extension{Type: customExtension, Data: []byte("x")})
		}
		s.ok(g.Sign(s.keys[2]))
		full, short := groupInfoMessage(g), []byte(nil)
		if partial {
			full, short = nil, must(mls.Marshal(must(g.Partial(false))))
		}
		s.apply(must(s.group.StageGroupInfo(2, full, short)))
		if !bytes.Equal(groupInfoMessage(must(s.group.GroupInfo())), groupInfoMessage(g)) {
			t.Errorf("partial %t: not replaced", partial)
		}
	}
	s.commit(s.join(s.client()))
}

// TestWithoutGroupInfo: where the policy lets them be left out, a group works
// and has nothing to serve until somebody brings one.
func TestWithoutGroupInfo(t *testing.T) {
	s := standard(t, func(c *publicgroup.Config) { c.GroupInfoOptional = true })
	b := s.build(commit{})
	b.GroupInfo = nil
	s.apply(must(s.group.StageCommit(b, now)).Changes)
	if _, err := s.group.GroupInfo(); !errors.Is(err, publicgroup.ErrNoGroupInfo) {
		t.Errorf("a GroupInfo out of nothing: %v", err)
	}
	if _, err := s.group.ExternalJoin(); !errors.Is(err, publicgroup.ErrNoGroupInfo) {
		t.Errorf("an invitation without a GroupInfo: %v", err)
	}
	s.commit(commit{partial: true})
	must(s.group.ExternalJoin())
}

// TestExternalJoinServesSelfRemoves: an external committer gets the proposals it
// has to name, and no others.
func TestExternalJoinServesSelfRemoves(t *testing.T) {
	s := standard(t, nil)
	s.propose(member(1), s.psk("x"))
	ref := s.propose(member(2), selfRemove)
	j := must(s.group.ExternalJoin())
	if len(j.SelfRemoves) != 1 || len(must(s.group.Pending(nil))) != 2 {
		t.Fatalf("%d SelfRemoves served", len(j.SelfRemoves))
	}
	var m mls.Message
	s.ok(mls.Unmarshal(j.SelfRemoves[0], &m))
	if got := must(m.PublicMessage.Authenticated().ProposalRef(s.suite)); !bytes.Equal(got, ref) {
		t.Error("another proposal was served")
	}
	c := s.join(s.client())
	c.refs = []mls.ProposalRef{ref}
	s.commit(c)
	s.cfg.ExternalJoins = false
	g := must(publicgroup.Open(s.store, s.cfg))
	if _, err := g.ExternalJoin(); !errors.Is(err, publicgroup.ErrExternalCommit) {
		t.Errorf("an invitation against the policy: %v", err)
	}
}
