package interop

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
)

// These tests show what ts-mls 1.6.4 does differently from RFC 9420, by running
// it. They fail when a version of ts-mls does it right; what the other tests and
// member.mjs do on account of it can go then.

// fails checks that an error is the expected one: of ours by its sentinel, of
// ts-mls by its text.
func fails(t *testing.T, err, sentinel error, text string) {
	t.Helper()
	var theirs *peerError
	switch {
	case err == nil:
		t.Fatal("ts-mls does this right now: drop the work-around")
	case sentinel != nil && !errors.Is(err, sentinel):
		t.Fatalf("unexpected error: %v", err)
	case sentinel == nil && (!errors.As(err, &theirs) || !strings.Contains(theirs.Message, text)):
		t.Fatalf("unexpected error: %v", err)
	}
	t.Logf("still so: %v", err)
}

var public = framing{Public: true, InlineTree: true}

// quirky makes a ts-mls member without the shims.
func (c *conversation) quirky() *tsMember {
	c.t.Helper()
	m, err := c.peer.newTS(c.suite, true)
	c.ok(m, err)
	return m
}

// The extension external_pub holds an HPKEPublicKey, which has a length of its
// own (RFC 9420, Section 12.4.3.2). ts-mls neither writes nor reads it.
func TestExternalPubWithoutLength(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	theirs, creator := c.quirky(), c.members[0]
	c.ok(theirs, theirs.create([]byte("quirky"), nil))
	gi, err := theirs.groupInfo(true)
	c.ok(theirs, err)
	_, err = c.client(ours).joinExternal(gi, nil, false)
	if errors.Is(err, mls.ErrPublicKey) {
		err = mls.ErrMalformed // one key in 256 begins like a key of 31 octets
	}
	fails(t, err, mls.ErrMalformed, "")

	gi, err = creator.groupInfo(true)
	c.ok(creator, err)
	_, err = theirs.joinExternal(gi, nil, false)
	fails(t, err, nil, "DeserializeError")
}

// Public keys of ECDSA are uncompressed points (RFC 9420, Section 5.1.1). ts-mls
// makes compressed ones.
func TestCompressedPublicKeys(t *testing.T) {
	c := start(t, mls.P256AES128GCM, public, ours)
	kp, err := c.quirky().keyPackage()
	c.ok(c.members[0], err)
	_, err = c.members[0].commit(public, proposal{Type: "add", KeyPackage: kp})
	fails(t, err, mls.ErrPublicKey, "")
}

// A commit with GroupContextExtensions needs a path (RFC 9420, Section 17.4).
// ts-mls makes and accepts it without. One of ours it takes.
func TestExtensionsWithoutPath(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	c.commitAdding(c.members[0], c.clients(ts, ts)...)
	required, err := mls.Marshal(&mls.RequiredCapabilities{Credentials: []mls.CredentialType{mls.CredentialTypeBasic}})
	c.ok(c.members[0], err)
	p := proposal{Type: "extensions", Extensions: []extension{{uint16(mls.ExtensionTypeRequiredCapabilities), required}}}
	made, err := c.members[1].commit(c.how, p)
	c.ok(c.members[1], err)
	_, err = c.members[0].process(made.Commit)
	fails(t, err, epoch.ErrPathRequired, "")

	// With a path, ts-mls encrypts to the GroupContext's old extensions, and not
	// even other members that run it can read that.
	made, err = c.members[1].commit(c.how, p, remove(c, c.members[0]))
	c.ok(c.members[1], err)
	_, err = c.members[2].process(made.Commit)
	fails(t, err, nil, "OpenError")

	c.commit(c.members[0], nil, p)
	c.propose(c.members[1], p)
	c.commit(c.members[0], nil)
	c.talk()

	// And it does not notice that there shall be no extensions any more.
	made, err = c.members[0].commit(c.how, proposal{Type: "extensions"})
	c.ok(c.members[0], err)
	_, err = c.members[1].process(made.Commit)
	fails(t, err, nil, "OpenError")
}

// The extension external_senders is a list (RFC 9420, Section 12.1.8.1). ts-mls
// writes and reads one entry without the list's length, so that no group can
// have external senders whom both stacks hear.
func TestExternalSenderWithoutList(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	sender, creator, other := c.quirky(), c.client(ts), c.client(ours)
	var one struct{ Data octets }
	c.ok(sender, sender.call("externalSender", nil, &one))
	theirs := extension{uint16(mls.ExtensionTypeExternalSenders), one.Data}
	c.ok(creator, creator.create([]byte("theirs"), []extension{theirs}))
	made, err := creator.commit(public, add(c, other))
	c.ok(creator, err)
	fails(t, other.joinWelcome(made.Welcome, nil, false), mls.ErrMalformed, "")

	s, err := c.suite.Suite()
	c.ok(other, err)
	key, err := s.GenerateSignatureKey(rand.Reader)
	c.ok(other, err)
	list := mls.ExternalSenders{{SignatureKey: key.Public(), Credential: mls.BasicCredential([]byte("service"))}, {}}
	c.ok(other, mls.Unmarshal(one.Data, &list[1]))
	data, err := mls.Marshal(&list)
	c.ok(other, err)
	g := &conversation{t: t, peer: c.peer, suite: c.suite, how: c.how, members: []member{c.client(ours)}}
	c.ok(other, g.members[0].create([]byte("ours"), []extension{{uint16(mls.ExtensionTypeExternalSenders), data}}))
	g.commitAdding(g.members[0], g.clients(ts, ours)...)
	g.talk()
	gi, err := g.members[0].groupInfo(true)
	c.ok(other, err)
	err = sender.call("proposeFromOutside", object{"groupInfo": octets(gi), "proposal": proposal{Type: "remove", Leaf: 2}}, nil)
	fails(t, err, nil, "external_sender")
	message, err := encoded(group.ProposeAsExternal(s, []byte("ours"), g.epoch(), 0, key, group.Remove(2)))
	c.ok(other, err)
	for _, m := range g.members {
		_, err := m.process(message)
		if m.kind() == ts {
			fails(t, err, nil, "ExternalSender")
		} else {
			c.ok(m, err)
		}
	}
}

// A member that is removed by a commit which also adds somebody, so that its
// leaf is taken again at once, does not notice and fails.
func TestReplacedInOneCommit(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	c.commitAdding(c.members[0], c.clients(ts, ours)...)
	made, err := c.members[0].commit(c.how, remove(c, c.members[1]), add(c, c.client(ours)))
	c.ok(c.members[0], err)
	_, err = c.members[1].process(made.Commit)
	fails(t, err, nil, "No overlap between provided private keys and update path")
}

// A parent's unmerged leaves may differ from those of the parents below and
// above it (RFC 9420, Section 12.4.3.1: those in between must list a leaf that a
// parent above lists). ts-mls refuses to join where they do.
func TestUnmergedLeavesThatDiffer(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ts)
	c.commitAdding(c.members[0], c.clients(ts, ts, ts, ts)...)
	// The second leaf is blank below a parent that is not, then unmerged there,
	// but not in the root.
	c.commit(c.members[0], nil, remove(c, c.members[1]))
	c.commitAdding(c.members[0], c.client(ts))
	c.commit(c.members[3], nil)
	if nodes := c.nodes(); tsCanJoin(nodes) {
		t.Fatalf("no such tree: %d unmerged leaves", unmerged(nodes))
	}
	for _, signer := range c.members[:2] {
		gi, err := signer.groupInfo(true)
		c.ok(signer, err)
		_, err = c.client(ts).joinExternal(gi, nil, false)
		fails(t, err, nil, "must list leaf node in its unmerged_leaves")
	}
	// For us, the tree is good.
	c.join(c.client(ours), nil, false)
}

// processMessage forgets the caller's PSKs if the message is a PrivateMessage.
func TestForgottenPSK(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, framing{}, ours)
	m := c.quirky()
	c.commitAdding(c.members[0], m)
	made, err := c.members[0].commit(c.how, proposal{Type: "resumption", Epoch: c.epoch()})
	c.ok(c.members[0], err)
	_, err = m.process(made.Commit)
	fails(t, err, nil, "Could not find pskId")
}

// A member can propose an Update, but not bring in its private key.
func TestForgottenUpdateKey(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	m := c.quirky()
	c.commitAdding(c.members[0], m)
	c.propose(m, proposal{Type: "update"})
	made, err := c.members[0].commit(c.how)
	c.ok(c.members[0], err)
	_, err = m.process(made.Commit)
	fails(t, err, nil, "OpenError")
}

// Members that run ts-mls do not support SelfRemove: the delivery service stops
// one, and who gets one all the same does not commit it.
func TestSelfRemoveIsUnsupported(t *testing.T) {
	c := start(t, mls.X25519AES128GCM, public, ours)
	c.commitAdding(c.members[0], c.clients(ours, ts)...)
	stays, leaves := c.members[0].(*goMember), c.members[1].(*goMember)
	message, err := encoded(leaves.group.Propose(group.SelfRemove(), group.MessageOptions{}))
	c.ok(leaves, err)
	if _, err := c.service.group.StageProposal(message, time.Now()); !errors.Is(err, epoch.ErrUnsupportedProposal) {
		t.Fatalf("delivery service: %v", err)
	}
	_, err = c.members[2].process(message)
	fails(t, err, nil, "Offset beyond buffer")
	_, err = stays.process(message)
	c.ok(stays, err)
	commit, err := stays.group.Commit(group.CommitOptions{})
	c.ok(stays, err)
	if len(commit.Skipped) != 1 {
		t.Fatal("committed a proposal that a member does not support")
	}
}
