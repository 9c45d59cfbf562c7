package interop

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// conversation is a group with all its members. After each commit it checks that
// everybody agrees.
type conversation struct {
	t       *testing.T
	peer    *peer
	suite   mls.CipherSuite
	how     framing
	members []member
	service *service // nil if handshakes are private
	made    int      // members of ours so far
}

// start makes a group of one.
func start(t *testing.T, suite mls.CipherSuite, how framing, creator kind) *conversation {
	t.Helper()
	c := &conversation{t: t, peer: takePeer(t), suite: suite, how: how}
	m := c.client(creator)
	c.ok(m, m.create([]byte(rand.Text()), nil))
	c.members = []member{m}
	if how.Public {
		c.service = newService(t, how, m)
	}
	return c
}

// client makes somebody who is not in the group yet.
func (c *conversation) client(k kind) member {
	c.t.Helper()
	if k == ts {
		m, err := c.peer.newTS(c.suite, false)
		c.ok(m, err)
		return m
	}
	c.made++
	m, err := newGo(fmt.Sprintf("go%d", c.made), c.suite)
	c.ok(m, err)
	return m
}

func (c *conversation) clients(kinds ...kind) []member {
	c.t.Helper()
	out := make([]member, len(kinds))
	for i, k := range kinds {
		out[i] = c.client(k)
	}
	return out
}

func (c *conversation) ok(m member, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", m.name(), err)
	}
}

func (c *conversation) epoch() uint64 {
	c.t.Helper()
	i, err := c.members[0].info()
	c.ok(c.members[0], err)
	return i.Epoch
}

func (c *conversation) leaf(m member) uint32 {
	c.t.Helper()
	i, err := m.info()
	c.ok(m, err)
	return i.Leaf
}

func add(c *conversation, m member) proposal {
	c.t.Helper()
	kp, err := m.keyPackage()
	c.ok(m, err)
	return proposal{Type: "add", KeyPackage: kp}
}

func remove(c *conversation, m member) proposal {
	c.t.Helper()
	return proposal{Type: "remove", Leaf: c.leaf(m)}
}

// propose has a proposal sent to all.
func (c *conversation) propose(by member, p proposal) {
	c.t.Helper()
	message, err := by.propose(c.how, p)
	c.ok(by, err)
	c.proposed(by, message)
}

func (c *conversation) proposed(by member, message []byte) {
	c.t.Helper()
	if c.service != nil {
		c.service.propose(message)
	}
	c.deliver(by, message)
}

func (c *conversation) deliver(from member, message []byte) {
	c.t.Helper()
	for _, m := range c.members {
		if m != from {
			_, err := m.process(message)
			c.ok(m, err)
		}
	}
}

// commit has a member commit proposals by value and all that wait. newcomers are
// those whom it adds.
func (c *conversation) commit(by member, newcomers []member, proposals ...proposal) {
	c.t.Helper()
	made, err := by.commit(c.how, proposals...)
	c.ok(by, err)
	c.accept(by, made, newcomers)
}

// accept is what happens once the delivery service takes a commit.
func (c *conversation) accept(by member, made *bundle, newcomers []member) {
	c.t.Helper()
	if c.service != nil {
		c.service.commit(made)
	}
	c.deliver(by, made.Commit)
	c.ok(by, by.merge())
	c.dropRemoved()
	for _, m := range newcomers {
		c.ok(m, m.joinWelcome(made.Welcome, c.treeFrom(by), false))
		c.members = append(c.members, m)
	}
	c.agree()
}

// treeFrom returns the tree for those who join, nil if they get it inside the
// Welcome.
func (c *conversation) treeFrom(committer member) []byte {
	c.t.Helper()
	switch {
	case c.how.InlineTree:
		return nil
	case c.service != nil:
		return c.service.tree()
	}
	tree, err := committer.tree()
	c.ok(committer, err)
	return tree
}

// dropRemoved lets go of those whom a commit removed, who must know it.
func (c *conversation) dropRemoved() {
	c.t.Helper()
	var left []member
	for _, m := range c.members {
		i, err := m.info()
		c.ok(m, err)
		if !i.Ended {
			left = append(left, m)
		} else if _, err := m.send([]byte("still here")); err == nil {
			c.t.Fatalf("%s still sends after it was removed", m.name())
		}
	}
	c.members = left
}

// agree checks that all members and the delivery service are in the same state.
func (c *conversation) agree() {
	c.t.Helper()
	first, err := c.members[0].info()
	c.ok(c.members[0], err)
	if first.Members != len(c.members) {
		c.t.Fatalf("%s counts %d members of %d", c.members[0].name(), first.Members, len(c.members))
	}
	for _, m := range c.members[1:] {
		i, err := m.info()
		c.ok(m, err)
		if what := first.differs(i); what != "" {
			c.t.Fatalf("%s and %s disagree in epoch %d: %s", c.members[0].name(), m.name(), first.Epoch, what)
		}
	}
	if c.service != nil {
		c.service.agrees(first)
	}
}

// talk has every member send something that all others read.
func (c *conversation) talk() {
	c.t.Helper()
	for _, m := range c.members {
		said := "from " + m.name()
		message, err := m.send([]byte(said))
		c.ok(m, err)
		c.hear(m, message, said)
	}
}

func (c *conversation) hear(from member, message []byte, said string) {
	c.t.Helper()
	for _, m := range c.members {
		if m == from {
			continue
		}
		got, err := m.process(message)
		c.ok(m, err)
		if string(got) != said {
			c.t.Fatalf("%s read %q, %s wrote %q", m.name(), got, from.name(), said)
		}
	}
}

// join has somebody join by external commit, on a GroupInfo of signer or, with
// nil, the one that the delivery service has.
func (c *conversation) join(m, signer member, rejoin bool) {
	c.t.Helper()
	var gi, tree []byte
	if signer == nil {
		gi, tree = c.service.externalJoin()
	} else {
		var err error
		gi, err = signer.groupInfo(c.how.InlineTree)
		c.ok(signer, err)
		tree = c.treeFrom(signer)
	}
	made, err := m.joinExternal(gi, tree, rejoin)
	c.ok(m, err)
	if !rejoin {
		c.members = append(c.members, m)
	}
	c.accept(m, made, nil)
}
