package interop

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// TestSuccessors has a group end by a ReInit and continue in another, or branch
// off (RFC 9420, Sections 11.2 and 11.3). Each kind ends the group, and each
// founds the next.
func TestSuccessors(t *testing.T) {
	for _, branch := range []bool{false, true} {
		for i, how := range []framing{{true, true}, {false, false}} {
			creator := []kind{ours, ts}[i]
			for founder := range 2 {
				t.Run(fmt.Sprintf("branch %t/%v/%s creates/member %d founds", branch, how, creator, founder), func(t *testing.T) {
					c := start(t, mls.X25519AES128GCM, how, creator)
					c.commitAdding(c.members[0], c.clients(creator.other(), creator, creator.other())...)
					c.talk()
					groupID := []byte(rand.Text())
					if !branch {
						c.close(c.members[founder], groupID)
					}
					c.succeed(c.members[founder], branch, groupID)
				})
			}
		}
	}
}

// close ends the group by a ReInit.
func (c *conversation) close(by member, groupID []byte) {
	c.t.Helper()
	made, err := by.commit(c.how, proposal{Type: "reinit", GroupID: groupID})
	c.ok(by, err)
	if c.service != nil {
		c.service.commit(made)
	}
	c.deliver(by, made.Commit)
	c.ok(by, by.merge())
	c.agree()
	for _, m := range c.members {
		i, err := m.info()
		c.ok(m, err)
		if _, err := m.send([]byte("still here")); !i.Ended || err == nil {
			c.t.Fatalf("%s goes on in a group that is closed", m.name())
		}
	}
}

// succeed has founder make the next group, of all members, and all join it.
func (c *conversation) succeed(founder member, branch bool, groupID []byte) {
	c.t.Helper()
	next := &conversation{t: c.t, peer: c.peer, suite: c.suite, members: []member{founder}}
	var keyPackages [][]byte
	for _, m := range c.members {
		if m != founder {
			kp, err := m.keyPackage()
			c.ok(m, err)
			keyPackages = append(keyPackages, kp)
		}
	}
	made, err := founder.successor(next.how, branch, groupID, keyPackages)
	c.ok(founder, err)
	for _, m := range c.members {
		if m != founder {
			c.ok(m, m.joinWelcome(made.Welcome, next.treeFrom(founder), true))
			next.members = append(next.members, m)
		}
	}
	next.agree()
	for _, m := range next.members[:2] {
		next.commit(m, nil)
	}
	next.talk()
}
