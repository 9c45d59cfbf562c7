package group_test

import (
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// refusal is a message that must be refused.
type refusal struct {
	name string
	make func(*court) *mls.Message
	want error
}

// court is a group of four before the same judge: bob, who gets a message that
// alice made or that somebody made of it.
type court struct {
	t                       testing.TB
	suite                   *mls.Suite
	alice, bob, carol, dave *person
	// commit is alice's valid commit, with a path.
	commit *group.Commit
}

func newCourt(t testing.TB, change ...func(*group.Config)) *court {
	all := people(t, suite, 5, change...)
	c := &court{t: t, suite: mustSuite(t, suite), alice: all[0], bob: all[1], carol: all[2], dave: all[3]}
	all[4].takes(all[3].commits(values(group.Remove(4)), all[:3]...).Message)
	c.commit = c.alice.drafts(group.CommitOptions{})
	return c
}

// refuses tries each refusal on bob, whose state must not change, and then shows
// him the valid commit.
func (c *court) refuses(t *testing.T, list []refusal) {
	for _, r := range list {
		t.Run(r.name, func(t *testing.T) {
			c.bob.t = t
			c.bob.refuses(r.make(c), r.want)
		})
	}
	c.bob.t = t
	c.bob.takes(c.commit.Message)
	if _, err := c.alice.Merge(); err != nil {
		t.Fatal(err)
	}
	agree(t, c.alice, c.bob)
}

// forge changes the valid commit and signs it again as alice.
func (c *court) forge(change func(*mls.AuthenticatedContent)) *mls.Message {
	c.t.Helper()
	a := over(c.t, c.commit.Message).PublicMessage.Authenticated()
	change(a)
	m, err := c.alice.Forge(a)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// committing is alice's commit with another list of proposals.
func (c *court) committing(list ...*mls.Proposal) *mls.Message {
	return c.forge(func(a *mls.AuthenticatedContent) {
		for _, p := range list {
			a.Content.Commit.Proposals = append(a.Content.Commit.Proposals, mls.ProposalOrRef{Proposal: p})
		}
	})
}

// proposing is a proposal of alice's that her own client would not make.
func (c *court) proposing(p *mls.Proposal) *mls.Message {
	return c.forge(func(a *mls.AuthenticatedContent) {
		a.Content.ContentType, a.Content.Commit, a.Content.Proposal = mls.ContentTypeProposal, nil, p
	})
}

// raw changes the valid commit as a stranger could.
func (c *court) raw(change func(*mls.PublicMessage)) *mls.Message {
	m := over(c.t, c.commit.Message)
	change(m.PublicMessage)
	return m
}

func flip(b []byte) []byte {
	c := append([]byte(nil), b...)
	c[len(c)/2] ^= 1
	return c
}

func TestFramingIsChecked(t *testing.T) {
	newCourt(t).refuses(t, []refusal{
		{"Welcome", func(c *court) *mls.Message {
			return &mls.Message{WireFormat: mls.WireFormatWelcome, Welcome: &mls.Welcome{CipherSuite: suite}}
		}, group.ErrWireFormat},
		{"KeyPackage", func(c *court) *mls.Message {
			return &mls.Message{WireFormat: mls.WireFormatKeyPackage, KeyPackage: c.dave.keyPackage()}
		}, group.ErrWireFormat},
		{"GroupInfo", func(c *court) *mls.Message {
			return &mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: c.dave.groupInfo(open)}
		}, group.ErrWireFormat},
		{"other group", func(c *court) *mls.Message {
			return c.raw(func(m *mls.PublicMessage) { m.Content.GroupID = []byte("other") })
		}, epoch.ErrWrongGroup},
		{"past epoch", func(c *court) *mls.Message { return c.raw(func(m *mls.PublicMessage) { m.Content.Epoch-- }) }, epoch.ErrWrongEpoch},
		{"future epoch", func(c *court) *mls.Message { return c.raw(func(m *mls.PublicMessage) { m.Content.Epoch++ }) }, epoch.ErrWrongEpoch},
		{"membership tag", func(c *court) *mls.Message {
			return c.raw(func(m *mls.PublicMessage) { m.MembershipTag = flip(m.MembershipTag) })
		}, mls.ErrMembershipTag},
		{"no membership tag", func(c *court) *mls.Message {
			return c.raw(func(m *mls.PublicMessage) { m.MembershipTag = nil })
		}, mls.ErrMembershipTag},
		{"content under the tag", func(c *court) *mls.Message {
			return c.raw(func(m *mls.PublicMessage) { m.Content.AuthenticatedData = []byte("more") })
		}, mls.ErrMembershipTag},
		{"confirmation tag under the tag", func(c *court) *mls.Message {
			return c.raw(func(m *mls.PublicMessage) { m.ConfirmationTag = flip(m.ConfirmationTag) })
		}, mls.ErrMembershipTag},
		{"signature", func(c *court) *mls.Message {
			a := over(c.t, c.commit.Message).PublicMessage.Authenticated()
			a.Signature = flip(a.Signature)
			m, _ := c.alice.Frame(a)
			return m
		}, mls.ErrSignature},
		{"another member's signature", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.Content.Sender.Leaf = c.dave.leaf() })
		}, mls.ErrSignature},
		{"blank sender", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.Content.Sender.Leaf = 4 })
		}, epoch.ErrUnknownSender},
		{"sender outside the tree", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.Content.Sender.Leaf = 1 << 31 })
		}, epoch.ErrUnknownSender},
		{"application data in the clear", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) {
				a.Content.ContentType, a.Content.Commit, a.Content.ApplicationData = mls.ContentTypeApplication, nil, []byte("x")
			})
		}, mls.ErrSender},
		{"tag of a wrong size", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.ConfirmationTag = a.ConfirmationTag[:31] })
		}, epoch.ErrTag},
		{"confirmation tag", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.ConfirmationTag = flip(a.ConfirmationTag) })
		}, mls.ErrConfirmationTag},
		{"other transcript", func(c *court) *mls.Message {
			return c.forge(func(a *mls.AuthenticatedContent) { a.Content.AuthenticatedData = []byte("more") })
		}, mls.ErrConfirmationTag},
		{"external sender without a list", func(c *court) *mls.Message {
			return outside(c, mls.Sender{Type: mls.SenderTypeExternal}, group.Remove(2))
		}, epoch.ErrUnknownSender},
		{"Update from outside", func(c *court) *mls.Message {
			return outside(c, mls.Sender{Type: mls.SenderTypeExternal}, &mls.Proposal{Type: mls.ProposalTypeUpdate, Update: leafOf(c)})
		}, mls.ErrSender},
		{"newcomer's Remove", func(c *court) *mls.Message {
			return outside(c, mls.Sender{Type: mls.SenderTypeNewMemberProposal}, group.Remove(2))
		}, mls.ErrSender},
		{"newcomer signed by another", func(c *court) *mls.Message {
			return outside(c, mls.Sender{Type: mls.SenderTypeNewMemberProposal}, group.Add(newPerson(c.t, suite, "new").keyPackage()))
		}, mls.ErrSignature},
	})
}

func leafOf(c *court) *mls.LeafNode {
	l, err := c.alice.Member(c.alice.leaf())
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// outside is a proposal signed by alice's key from a sender who is no member.
func outside(c *court, s mls.Sender, p *mls.Proposal) *mls.Message {
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPublicMessage, Content: mls.FramedContent{
		GroupID: c.bob.GroupID(), Epoch: c.bob.Epoch(), Sender: s, ContentType: mls.ContentTypeProposal, Proposal: p}}
	m, err := c.alice.Forge(a)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func TestPrivateFramingIsChecked(t *testing.T) {
	c := newCourt(t)
	m := c.dave.sends("hello")
	for name, tc := range map[string]struct {
		change func(*mls.PrivateMessage)
		want   error
	}{
		"ciphertext":   {func(m *mls.PrivateMessage) { m.Ciphertext = flip(m.Ciphertext) }, mls.ErrDecrypt},
		"end":          {func(m *mls.PrivateMessage) { m.Ciphertext[len(m.Ciphertext)-1] ^= 1 }, mls.ErrDecrypt},
		"empty":        {func(m *mls.PrivateMessage) { m.Ciphertext = nil }, mls.ErrDecrypt},
		"sender data":  {func(m *mls.PrivateMessage) { m.EncryptedSenderData = flip(m.EncryptedSenderData) }, mls.ErrDecrypt},
		"content type": {func(m *mls.PrivateMessage) { m.ContentType = mls.ContentTypeCommit }, mls.ErrDecrypt},
		"group":        {func(m *mls.PrivateMessage) { m.GroupID = []byte("x") }, epoch.ErrWrongGroup},
		"epoch":        {func(m *mls.PrivateMessage) { m.Epoch++ }, epoch.ErrWrongEpoch},
		"past":         {func(m *mls.PrivateMessage) { m.Epoch-- }, epoch.ErrWrongEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			bad := over(t, m)
			tc.change(bad.PrivateMessage)
			c.bob.t = t
			c.bob.refuses(bad, tc.want)
		})
	}
	c.bob.t = t
	c.bob.hears(m, "hello")

	// Alice uses dave's ratchet, which every member can, but not his signature.
	a := &mls.AuthenticatedContent{WireFormat: mls.WireFormatPrivateMessage, Content: mls.FramedContent{
		GroupID: c.alice.GroupID(), Epoch: c.alice.Epoch(), Sender: mls.Sender{Type: mls.SenderTypeMember, Leaf: c.dave.leaf()},
		ContentType: mls.ContentTypeApplication, ApplicationData: []byte("I am dave")}}
	forged, err := c.alice.Forge(a)
	if err != nil {
		t.Fatal(err)
	}
	c.carol.refuses(forged, mls.ErrSignature)
	c.carol.hears(m, "hello") // which has the same generation
}

func TestHandshakePolicy(t *testing.T) {
	all := people(t, suite, 3, func(c *group.Config) { c.Accept = group.AcceptPublic })
	alice, bob, carol := all[0], all[1], all[2]
	m, err := alice.Propose(group.Remove(2), group.MessageOptions{WireFormat: mls.WireFormatPrivateMessage})
	if err != nil {
		t.Fatal(err)
	}
	bob.refuses(m, group.ErrWireFormat)
	carol.refuses(m, group.ErrWireFormat)
	_, err = alice.Commit(group.CommitOptions{WireFormat: mls.WireFormatWelcome})
	wants(t, err, group.ErrWireFormat)

	all = people(t, suite, 2, private)
	m, err = all[0].Propose(group.Remove(1), group.MessageOptions{WireFormat: mls.WireFormatPublicMessage})
	if err != nil {
		t.Fatal(err)
	}
	all[1].refuses(m, group.ErrWireFormat)
}
