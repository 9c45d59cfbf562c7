package publicgroup_test

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

func small(c *publicgroup.Config) { c.MaxMessage = 3000 }

// atEpoch moves a message to another epoch before it is signed.
func atEpoch(by int64) func(*mls.AuthenticatedContent) {
	return func(a *mls.AuthenticatedContent) { a.Content.Epoch += uint64(by) }
}

func closeGroup(s *scene) {
	s.commit(commit{noPath: true, values: []*mls.Proposal{{Type: mls.ProposalTypeReInit,
		ReInit: &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, CipherSuite: s.suite.ID()}}}})
}

var framingNegatives = []negative{
	{"D1", "an octet more", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit = append(b.Commit, 0)
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"D1", "an octet less", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit = b.Commit[:len(b.Commit)-1]
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"D1", "nothing", nil, func(s *scene) func() error { return s.stageProposal(nil) }, mls.ErrMalformed, false},
	{"D2", "length of the group's ID in two octets", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit = append(append(append([]byte{}, b.Commit[:4]...), 0x40), b.Commit[4:]...)
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"D2", "length with prefix 11", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit[4] |= 0xc0
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"D3", "version 2", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit[1] = 2
		return s.stage(b)
	}, mls.ErrMalformed, false},
	{"D4", "a commit", small, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.AuthenticatedData = make([]byte, 3000) }})
	}, publicgroup.ErrTooLarge, false},
	{"D4", "a commit's parts together", small, func(s *scene) func() error {
		return s.bad(commit{signed: func(g *mls.GroupInfo) { g.Signature = make([]byte, 2500) }})
	}, publicgroup.ErrTooLarge, false},
	{"D4", "a proposal", small, func(s *scene) func() error {
		return s.stageProposal(s.proposal(member(0), s.psk("x"), func(a *mls.AuthenticatedContent) {
			a.Content.AuthenticatedData = make([]byte, 3000)
		}))
	}, publicgroup.ErrTooLarge, false},
	{"D4", "an application message", small, func(s *scene) func() error {
		return s.private(func(m *mls.PrivateMessage) { m.Ciphertext = make([]byte, 3000) })
	}, publicgroup.ErrTooLarge, false},
	{"D4", "a GroupInfo", small, func(s *scene) func() error {
		return func() error {
			_, err := s.group.StageGroupInfo(0, make([]byte, 3001), nil)
			return err
		}
	}, publicgroup.ErrTooLarge, false},
	{"D5", "a commit in a PrivateMessage", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit = s.privateMessage(func(m *mls.PrivateMessage) { m.ContentType = mls.ContentTypeCommit })
		return s.stage(b)
	}, publicgroup.ErrWireFormat, false},
	{"D5", "a proposal in a PrivateMessage", nil, func(s *scene) func() error {
		return s.stageProposal(s.privateMessage(func(m *mls.PrivateMessage) { m.ContentType = mls.ContentTypeProposal }))
	}, publicgroup.ErrWireFormat, false},
	{"D5", "a GroupInfo", nil, func(s *scene) func() error {
		b := s.build(commit{})
		b.Commit = b.GroupInfo
		return s.stage(b)
	}, publicgroup.ErrWireFormat, false},
	{"D6", "a proposal for a commit", nil, func(s *scene) func() error {
		return s.stage(&publicgroup.Bundle{Commit: s.proposal(member(0), s.psk("x"), nil)})
	}, publicgroup.ErrContentType, false},
	{"D6", "a commit for a proposal", nil, func(s *scene) func() error {
		return s.stageProposal(s.build(commit{}).Commit)
	}, publicgroup.ErrContentType, false},

	{"F1", "a commit", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.GroupID = []byte("other") }})
	}, epoch.ErrWrongGroup, false},
	{"F1", "a proposal", nil, func(s *scene) func() error {
		return s.stageProposal(s.proposal(member(0), s.psk("x"), func(a *mls.AuthenticatedContent) { a.Content.GroupID = nil }))
	}, epoch.ErrWrongGroup, false},
	{"F2", "a commit that lost the race", nil, func(s *scene) func() error {
		late := s.build(commit{from: 1})
		s.commit(commit{from: 2})
		return s.tellsCurrent(s.stage(late))
	}, epoch.ErrWrongEpoch, false},
	{"F2", "a commit of the future", nil, func(s *scene) func() error {
		return s.tellsCurrent(s.bad(commit{content: atEpoch(1)}))
	}, epoch.ErrWrongEpoch, false},
	{"F2", "an external commit that lost the race", nil, func(s *scene) func() error {
		late := s.build(s.join(s.client()))
		s.commit(s.join(s.client()))
		return s.tellsCurrent(s.stage(late))
	}, epoch.ErrWrongEpoch, false},
	{"F2", "a proposal", nil, func(s *scene) func() error {
		return s.tellsCurrent(s.stageProposal(s.proposal(member(0), s.psk("x"), atEpoch(-1))))
	}, epoch.ErrWrongEpoch, false},
	{"F3", "a commit by an external sender", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.Sender = outside }})
	}, mls.ErrSender, false},
	{"F3", "a commit by a newcomer who may only propose", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) {
			a.Content.Sender = mls.Sender{Type: mls.SenderTypeNewMemberProposal}
		}})
	}, mls.ErrSender, false},
	{"F3", "an Update by an external sender", nil, func(s *scene) func() error {
		return s.badProposal(outside, s.update(0, nil))
	}, mls.ErrSender, false},
	{"F3", "an ExternalInit by an external sender", nil, func(s *scene) func() error {
		return s.badProposal(outside, s.externalInit())
	}, mls.ErrSender, false},
	{"F3", "a Remove by a newcomer", nil, func(s *scene) func() error {
		return s.badProposal(mls.Sender{Type: mls.SenderTypeNewMemberProposal}, remove(0))
	}, mls.ErrSender, false},
	{"F3", "a proposal by an external committer", nil, func(s *scene) func() error {
		return s.badProposal(joins, remove(0))
	}, mls.ErrSender, false},
	{"F3", "application data in the clear", nil, func(s *scene) func() error {
		return s.stageProposal(s.proposal(member(0), nil, func(a *mls.AuthenticatedContent) {
			a.Content.ContentType, a.Content.ApplicationData = mls.ContentTypeApplication, []byte("hello")
		}))
	}, mls.ErrSender, false},
	{"F4", "none", nil, func(s *scene) func() error {
		return s.bad(commit{message: func(m *mls.PublicMessage) { m.ConfirmationTag = nil }})
	}, epoch.ErrTag, false},
	{"F4", "longer", nil, func(s *scene) func() error {
		return s.bad(commit{message: func(m *mls.PublicMessage) { m.ConfirmationTag = append(m.ConfirmationTag, 0) }})
	}, epoch.ErrTag, false},
	{"F5", "none", nil, func(s *scene) func() error {
		return s.bad(commit{message: func(m *mls.PublicMessage) { m.MembershipTag = nil }})
	}, epoch.ErrTag, false},
	{"F5", "of a proposal", nil, func(s *scene) func() error {
		a := s.content(member(0), s.psk("x"), nil)
		s.ok(a.Sign(s.keys[0], s.context()))
		return s.stageProposal(s.message(a, func(m *mls.PublicMessage) { m.MembershipTag = m.MembershipTag[:31] }))
	}, epoch.ErrTag, false},
	{"F6", "blank", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.Sender = member(3) }})
	}, epoch.ErrUnknownSender, false},
	{"F6", "outside the tree", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.Sender = member(1 << 31) }})
	}, epoch.ErrUnknownSender, false},
	{"F6", "of a proposal", nil, func(s *scene) func() error {
		s.keys[3] = s.keys[0]
		call := s.badProposal(member(3), s.psk("x"))
		delete(s.keys, 3)
		return call
	}, epoch.ErrUnknownSender, false},
	{"F7", "index 1 of 1", nil, func(s *scene) func() error {
		return s.badProposal(mls.Sender{Type: mls.SenderTypeExternal, Index: 1}, remove(0))
	}, epoch.ErrUnknownSender, false},
	{"F7", "no extension", nil, func(s *scene) func() error {
		s.commit(commit{values: []*mls.Proposal{{Type: mls.ProposalTypeGroupContextExtensions}}})
		return s.badProposal(outside, remove(0))
	}, epoch.ErrUnknownSender, false},
	{"F8", "a commit, changed", nil, func(s *scene) func() error {
		return s.bad(commit{message: func(m *mls.PublicMessage) { m.Content.AuthenticatedData = []byte{1} }})
	}, mls.ErrSignature, false},
	{"F8", "a commit in another's name", nil, func(s *scene) func() error {
		return s.bad(commit{content: func(a *mls.AuthenticatedContent) { a.Content.Sender = member(1) }})
	}, mls.ErrSignature, false},
	{"F8", "a commit without a signature", nil, func(s *scene) func() error {
		return s.bad(commit{message: func(m *mls.PublicMessage) { m.Signature = nil }})
	}, mls.ErrSignature, false},
	{"F8", "a proposal under another GroupContext", nil, func(s *scene) func() error {
		a := s.content(member(0), s.psk("x"), nil)
		ctx := *s.group.Context()
		ctx.TreeHash = s.bytes()
		s.ok(a.Sign(s.keys[0], must(mls.Marshal(&ctx))))
		return s.stageProposal(s.message(a, nil))
	}, mls.ErrSignature, false},
	{"F8", "an external sender's proposal by a member", nil, func(s *scene) func() error {
		s.sender = s.keys[0]
		return s.badProposal(outside, remove(1))
	}, mls.ErrSignature, false},
	{"F8", "a newcomer's proposal by another", nil, func(s *scene) func() error {
		return s.badProposal(mls.Sender{Type: mls.SenderTypeNewMemberProposal}, s.client().add())
	}, mls.ErrSignature, false},
	{"F8", "an external commit not by its leaf", nil, func(s *scene) func() error {
		c := s.join(s.client())
		c.message = func(m *mls.PublicMessage) { m.Signature = must(s.keys[0].SignWithLabel("FramedContentTBS", nil)) }
		return s.bad(c)
	}, mls.ErrSignature, false},
	{"F9", "a commit", nil, func(s *scene) func() error {
		closeGroup(s)
		return s.bad(commit{})
	}, publicgroup.ErrClosed, true},
	{"F9", "a proposal", nil, func(s *scene) func() error {
		closeGroup(s)
		return s.badProposal(member(0), remove(1))
	}, publicgroup.ErrClosed, true},
}

var outside = mls.Sender{Type: mls.SenderTypeExternal}

var errNotTold = errors.New("the error does not tell the current epoch")

// tellsCurrent makes sure that a wrong epoch is answered with the right one.
func (s *scene) tellsCurrent(call func() error) func() error {
	return func() error {
		err := call()
		var wrong *epoch.WrongEpochError
		if !errors.As(err, &wrong) || wrong.Current != s.group.Epoch() {
			return errNotTold
		}
		return err
	}
}

// privateMessage makes up an application message.
func (s *scene) privateMessage(hook func(*mls.PrivateMessage)) []byte {
	m := &mls.PrivateMessage{GroupID: s.group.Context().GroupID, Epoch: s.group.Epoch(), ContentType: mls.ContentTypeApplication,
		EncryptedSenderData: s.bytes(), Ciphertext: s.bytes()}
	if hook != nil {
		hook(m)
	}
	return must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatPrivateMessage, PrivateMessage: m}))
}

func (s *scene) private(hook func(*mls.PrivateMessage)) func() error {
	message := s.privateMessage(hook)
	return func() error {
		_, err := s.group.CheckPrivate(message)
		return err
	}
}

var messageNegatives = []negative{
	{"M1", "a handshake", nil, func(s *scene) func() error {
		return func() error {
			_, err := s.group.CheckPrivate(s.build(commit{}).Commit)
			return err
		}
	}, publicgroup.ErrWireFormat, false},
	{"M1", "malformed", nil, func(s *scene) func() error {
		return func() error {
			_, err := s.group.CheckPrivate(append(s.privateMessage(nil), 0))
			return err
		}
	}, mls.ErrMalformed, false},
	{"M1", "another group", nil, func(s *scene) func() error {
		return s.private(func(m *mls.PrivateMessage) { m.GroupID = []byte("other") })
	}, epoch.ErrWrongGroup, false},
	{"M2", "the next epoch", nil, func(s *scene) func() error {
		return s.tellsCurrent(s.private(func(m *mls.PrivateMessage) { m.Epoch++ }))
	}, epoch.ErrWrongEpoch, false},
	{"M2", "too old", func(c *publicgroup.Config) { c.PastEpochs = 1 }, func(s *scene) func() error {
		return s.tellsCurrent(s.private(func(m *mls.PrivateMessage) { m.Epoch -= 2 }))
	}, epoch.ErrWrongEpoch, false},
	{"M3", "a proposal", nil, func(s *scene) func() error {
		return s.private(func(m *mls.PrivateMessage) { m.ContentType = mls.ContentTypeProposal })
	}, publicgroup.ErrWireFormat, false},
	{"M3", "a commit", nil, func(s *scene) func() error {
		return s.private(func(m *mls.PrivateMessage) { m.ContentType = mls.ContentTypeCommit })
	}, publicgroup.ErrWireFormat, false},
	{"M4", "of the last epoch", nil, func(s *scene) func() error {
		closeGroup(s)
		return s.private(nil)
	}, publicgroup.ErrClosed, true},
}
