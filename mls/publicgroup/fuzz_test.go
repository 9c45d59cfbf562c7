package publicgroup_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// FuzzRecords: whatever decodes as a record encodes to the same octets.
func FuzzRecords(f *testing.F) {
	kinds := []func() record{
		func() record { return new(publicgroup.Header) },
		func() record { return new(publicgroup.Pending) },
		func() record { return new(publicgroup.Retained) },
	}
	for _, r := range records(f) {
		for kind, empty := range kinds {
			if b := must(mls.Marshal(r)); mls.Unmarshal(b, empty()) == nil {
				f.Add(append([]byte{byte(kind)}, b...))
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		r := kinds[int(in[0])%len(kinds)]()
		if mls.Unmarshal(in[1:], r) != nil {
			return
		}
		if out, err := mls.Marshal(r); err != nil || !bytes.Equal(out, in[1:]) {
			t.Fatalf("%T: %x encodes as %x, %v", r, in[1:], out, err)
		}
	})
}

// FuzzStage hands changed messages to a group that has one of each kind to
// expect. Whatever comes out, nothing may have changed; what is accepted must be
// fit to be applied.
func FuzzStage(f *testing.F) {
	s := standard(f, nil)
	ref := s.propose(member(1), s.update(1, nil))
	for _, c := range []commit{
		{}, {refs: []mls.ProposalRef{ref}}, {partial: true}, {values: []*mls.Proposal{s.client().add(), remove(2)}},
		{noPath: true, values: []*mls.Proposal{s.client().add()}}, s.join(s.client()), s.rejoin(4, nil),
	} {
		b := s.build(c)
		f.Add(b.Commit, b.Welcome, b.GroupInfo, b.PartialGroupInfo)
	}
	for _, p := range []*mls.Proposal{s.client().add(), remove(5), s.update(2, nil), selfRemove, s.psk("x"), extensions()} {
		f.Add(s.proposal(member(2), p, nil), []byte(nil), groupInfoMessage(must(s.group.GroupInfo())), []byte(nil))
	}
	f.Add(s.proposal(outside, remove(0), nil), s.privateMessage(nil), []byte(nil), []byte(nil))
	before, applies := s.dump(), s.store.applies
	f.Fuzz(func(t *testing.T, message, welcome, info, partial []byte) {
		b := &publicgroup.Bundle{Commit: message, Welcome: welcome, GroupInfo: info, PartialGroupInfo: partial}
		var staged []*publicgroup.Changes
		if c, err := s.group.StageCommit(b, now); err == nil {
			staged = append(staged, c.Changes)
		}
		if p, err := s.group.StageProposal(message, now); err == nil {
			staged = append(staged, p.Changes)
		}
		if c, err := s.group.StageGroupInfo(0, info, partial); err == nil {
			staged = append(staged, c)
		}
		_, _ = s.group.CheckPrivate(welcome)
		if s.store.applies != applies || !bytes.Equal(before, s.dump()) {
			t.Fatal("a message changed the group before it was applied")
		}
		for _, c := range staged {
			if c.Base != s.group.Header().Revision || c.Header.Revision != c.Base+1 {
				t.Fatal("changes without their place")
			}
			if err := mls.Unmarshal(must(mls.Marshal(c.Header)), new(publicgroup.Header)); err != nil {
				t.Fatalf("a header that can not be read again: %v", err)
			}
		}
	})
}
