package interop

import (
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

// scenarios are played with each kind of member as the creator. Others alternate
// between the kinds, so that each does everything in one of the two plays.
var scenarios = []struct {
	name string
	play func(*conversation)
}{
	{"add, update, remove", addUpdateRemove},
	{"proposals by reference", byReference},
	{"external commits", externalCommits},
	{"pre-shared keys", preSharedKeys},
	{"proposals of an unknown type", unknownProposals},
	{"messages late and out of order", lateMessages},
	{"a lost race", lostRace},
}

func TestScenarios(t *testing.T) {
	for _, how := range []framing{{true, true}, {true, false}, {false, true}, {false, false}} {
		for _, creator := range []kind{ours, ts} {
			for _, s := range scenarios {
				t.Run(fmt.Sprintf("%v/%s creates/%s", how, creator, s.name), func(t *testing.T) {
					s.play(start(t, mls.X25519AES128GCM, how, creator))
				})
			}
		}
	}
}

// TestSuites goes through everything once, in a smaller group, with the other
// suites that both stacks have. Each has public and private handshakes, one
// with either creator.
func TestSuites(t *testing.T) {
	for i, suite := range []mls.CipherSuite{
		mls.P256AES128GCM, mls.X25519ChaCha20Poly1305, mls.X448AES256GCM,
		mls.P521AES256GCM, mls.X448ChaCha20Poly1305, mls.P384AES256GCM,
	} {
		for j, creator := range []kind{ours, ts} {
			how := []framing{{true, true}, {false, false}, {true, false}, {false, true}}[(i+j)%4]
			t.Run(fmt.Sprintf("suite %d/%v/%s creates", suite, how, creator), func(t *testing.T) {
				tour(start(t, suite, how, creator))
			})
		}
	}
}

func tour(c *conversation) {
	k := c.members[0].kind()
	c.commitAdding(c.members[0], c.clients(k.other(), k)...)
	c.commitAdding(c.members[1], c.client(k.other()))
	c.talk()
	c.commit(c.members[0], nil)
	c.commit(c.members[1], nil)
	for _, m := range c.members[:2] {
		c.commit(m, nil, proposal{Type: "resumption", Epoch: c.epoch() - 1})
	}
	newcomer := c.client(k)
	c.propose(c.members[2], proposal{Type: "update"})
	c.propose(c.members[3], proposal{Type: "update"})
	c.propose(c.members[0], add(c, newcomer))
	c.commit(c.members[1], []member{newcomer})
	c.join(c.client(k), c.members[1], false)
	c.join(c.client(k.other()), c.members[0], false)
	c.join(c.members[3], c.members[2], true)
	c.commit(c.members[0], nil, remove(c, c.members[2]))
	c.commit(c.members[1], nil, remove(c, c.members[0]))
	c.talk()
}

// six fills a new conversation with three members of each kind.
func six(c *conversation) {
	c.t.Helper()
	k := c.members[0].kind()
	c.commitAdding(c.members[0], c.clients(k.other(), k)...)
	for _, k := range []kind{k.other(), k, k.other()} {
		c.commitAdding(c.members[len(c.members)-2], c.client(k))
	}
	c.talk()
}

func (c *conversation) commitAdding(by member, newcomers ...member) {
	c.t.Helper()
	proposals := make([]proposal, len(newcomers))
	for i, m := range newcomers {
		proposals[i] = add(c, m)
	}
	c.commit(by, newcomers, proposals...)
}

func addUpdateRemove(c *conversation) {
	six(c)
	for _, m := range c.members {
		c.commit(m, nil)
	}
	// Into a full tree, so that the newcomers stay unmerged for a while.
	c.commitAdding(c.members[0], c.clients(ours, ts)...)
	c.commitAdding(c.members[1], c.clients(ts, ours)...)
	c.commit(c.members[2], nil)
	c.commit(c.members[3], nil)
	c.talk()
	// From the middle, then two at the right end, then into the gap.
	for _, committer := range []int{0, 1} {
		c.commit(c.members[committer], nil, remove(c, c.members[3]))
		last := len(c.members) - 1
		c.commit(c.members[committer], nil, remove(c, c.members[last]), remove(c, c.members[last-1]))
		newcomers := c.clients(ts, ours)
		c.commit(c.members[committer], newcomers, add(c, newcomers[0]), add(c, newcomers[1]), remove(c, c.replaceable(c.members[2:])))
		c.talk()
	}
	for len(c.members) > 2 {
		c.commit(c.members[0], nil, remove(c, c.members[2]))
	}
	c.talk()
}

// replaceable returns one of members whose leaf the commit that removes it may fill
// again: see TestReplacedInOneCommit.
func (c *conversation) replaceable(members []member) member {
	c.t.Helper()
	for _, m := range members {
		if m.kind() == ours {
			return m
		}
	}
	c.t.Fatal("no member of ours to replace")
	return nil
}

func byReference(c *conversation) {
	six(c)
	for _, committer := range []int{0, 1} {
		by := c.members[committer]
		newcomers := c.clients(ours, ts, ours, ts)
		c.propose(c.members[2], proposal{Type: "update"})
		c.propose(c.members[3], proposal{Type: "update"})
		c.propose(c.members[4], add(c, newcomers[0]))
		c.propose(c.members[5], add(c, newcomers[1]))
		c.propose(c.members[committer^1], remove(c, c.replaceable(c.members[4:])))
		// These two ask for themselves.
		for _, m := range newcomers[2:] {
			gi, err := by.groupInfo(true)
			c.ok(by, err)
			message, err := m.proposeToJoin(gi)
			c.ok(m, err)
			c.proposed(m, message)
		}
		// One more by value.
		more := c.client(ours)
		c.commit(by, append(newcomers, more), add(c, more))
		c.talk()
		c.commit(c.members[3], nil)
	}
}

func externalCommits(c *conversation) {
	six(c)
	if c.service != nil {
		c.join(c.client(ours), nil, false)
		c.join(c.client(ts), nil, false)
	}
	for _, signer := range c.members[:2] {
		c.join(c.client(signer.kind().other()), signer, false)
		c.join(c.client(signer.kind()), signer, false)
	}
	c.talk()
	// Two of each kind have lost their place.
	for _, i := range []int{2, 3} {
		c.join(c.members[i], c.members[1], true)
		c.join(c.members[i+2], c.members[0], true)
		c.commit(c.members[i+1], nil)
	}
	c.commit(c.members[0], nil, remove(c, c.members[len(c.members)-1]))
	c.talk()
}

func preSharedKeys(c *conversation) {
	c.commitAdding(c.members[0], c.clients(ours, ts)...)
	id := octets("a key that all have")
	give := func(m member) { c.ok(m, m.putPSK(id, []byte("0123456789abcdef0123456789abcdef"))) }
	for _, m := range c.members {
		give(m)
	}
	for _, m := range c.members {
		c.commit(m, nil, proposal{Type: "psk", ID: id})
		c.commit(m, nil, proposal{Type: "resumption", Epoch: c.epoch() - 1}, proposal{Type: "psk", ID: id})
	}
	for i, m := range c.members {
		c.propose(m, proposal{Type: "psk", ID: id})
		c.commit(c.members[(i+1)%3], nil)
	}
	for _, m := range c.members[1:3] {
		newcomer := c.client(m.kind().other())
		give(newcomer)
		c.commit(m, []member{newcomer}, add(c, newcomer), proposal{Type: "psk", ID: id})
	}
	c.talk()
}

// unknownProposals are for the application. Whether they need a path nobody but
// it knows: our members make one, and ask for one, ts-mls does not.
func unknownProposals(c *conversation) {
	c.commitAdding(c.members[0], c.clients(ts, ours, ts)...)
	p := proposal{Type: "custom", Number: unknownType, Data: octets("for the application")}
	for _, m := range c.members {
		c.propose(m, p)
	}
	for _, m := range c.members {
		if m.kind() == ours {
			c.commit(m, nil, p)
		}
	}
	c.commit(c.members[1], nil, p, remove(c, c.members[2]))
	c.talk()
}

func lateMessages(c *conversation) {
	c.commitAdding(c.members[0], c.clients(ours, ts, ours)...)
	type sent struct {
		by      member
		message []byte
		said    string
	}
	var all []sent
	for i := range 6 {
		for _, m := range c.members {
			said := fmt.Sprintf("%s, %d", m.name(), i)
			message, err := m.send([]byte(said))
			c.ok(m, err)
			all = append(all, sent{m, message, said})
		}
	}
	// The newest first; the oldest only two epochs later.
	for len(all) > 8 {
		last := all[len(all)-1]
		c.hear(last.by, last.message, last.said)
		all = all[:len(all)-1]
	}
	c.commit(c.members[1], nil)
	c.commit(c.members[2], nil)
	for _, s := range all {
		c.hear(s.by, s.message, s.said)
	}
	for _, s := range all {
		for _, m := range c.members {
			if _, err := m.process(s.message); err == nil {
				c.t.Fatalf("%s read a message twice", m.name())
			}
		}
	}
}

func lostRace(c *conversation) {
	six(c)
	for _, i := range []int{0, 1, 2} {
		loser, winner := c.members[i], c.members[i+1]
		lost, err := loser.commit(c.how)
		c.ok(loser, err)
		c.commit(winner, nil)
		for _, m := range c.members {
			if _, err := m.process(lost.Commit); err == nil {
				c.t.Fatalf("%s took a second commit for one epoch", m.name())
			}
		}
		c.agree()
		c.commit(loser, nil)
	}
	c.talk()
}
