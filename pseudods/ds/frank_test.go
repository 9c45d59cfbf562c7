package ds_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// leaf is what the client has put into its leaf.
func (c *client) leaf() *mls.LeafNode { return must(c.Member(must(c.OwnLeaf()))) }

func (c *client) isFranked(leaf *mls.LeafNode) bool {
	name, err := wire.ParseMemberName(must(wire.PolicyOf(c.Context().Extensions)).Profile, &leaf.Credential)
	c.ok(err)
	return name.Credential != nil
}

// message encrypts a text, with a tag if the client's credential asks for one.
func (c *client) message(text string) (*mls.Message, error) {
	if !c.isFranked(c.leaf()) {
		return c.Group.Send([]byte(text), group.MessageOptions{})
	}
	tag, data, err := seal.TagContent(rand.Reader, c.id(), c.Epoch(), []byte(text))
	c.ok(err)
	return c.Group.Send(data, group.MessageOptions{AuthenticatedData: tag[:]})
}

// text reads a message, whose tag must open and whose frank must verify, if it has
// one.
func (c *client) text(got *group.Received, frank *wire.Frank) string {
	c.Helper()
	leaf := must(c.Member(got.Sender.Leaf))
	if !c.isFranked(leaf) {
		if frank != nil {
			c.Fatal("a message of nobody is franked")
		}
		return string(got.Application)
	}
	content := must(seal.OpenTagged(got.AuthenticatedData, c.id(), got.Epoch, got.Application))
	if frank == nil {
		if len(c.rig.cfg.Signers) > 0 {
			c.Fatal("a message is not franked")
		}
		return string(content.Content)
	}
	var keys [][]byte
	for _, k := range c.rig.cfg.Signers {
		keys = append(keys, k.Public())
	}
	f := &seal.Franked{Domain: domain, Group: c.id(), Sender: must(wire.FrankedSender(&leaf.Credential, leaf.SignatureKey)), Epoch: got.Epoch,
		Tag: wire.FrankingTag(got.AuthenticatedData)}
	c.ok(f.Verify(keys, frank))
	c.franked = append(c.franked, wire.FrankedMessage{Content: content.Content, Key: content.Key, Epoch: got.Epoch, Frank: *frank})
	return string(content.Content)
}

// franking gives a service a key to frank by, before those that it has.
func franking(c *ds.Config) {
	c.Signers = append([]*mls.SignatureKey{must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))}, c.Signers...)
}

// TestMessagesAreFranked: members get a frank with each message that names its
// sender and the day, by the key that the service signs with first.
func TestMessagesAreFranked(t *testing.T) {
	r := newRig(t, franking)
	all := r.founded(3)
	a, b, c := all[0], all[1], all[2]
	r.ok(a.send("one"))
	r.pass(24 * time.Hour)
	franking(&r.cfg)
	r.restart()
	r.ok(b.send("two"))
	r.ok(a.commit(wire.OpUpdate, nil))
	r.settle(a, all...)
	r.cfg.Signers = nil // of a service that does not frank
	r.restart()
	r.ok(b.send("three"))
	r.settle(a, all...)
	if len(c.seen) != 3 || len(c.franked) != 2 {
		t.Fatalf("%d of %d messages with a frank", len(c.franked), len(c.seen))
	}
	first := uint64(start.Unix() / 86400)
	for i, f := range c.franked {
		if f.Frank.Day != first+uint64(i) {
			t.Errorf("message %d franked on day %d", i, f.Frank.Day-first)
		}
	}
	if c.franked[0].Frank.Key == c.franked[1].Frank.Key {
		t.Error("the new key is not used")
	}
}

// TestTagIsRequired: who has a pseudonym with somebody behind it can send nothing
// that could not be reported; who has none can do without.
func TestTagIsRequired(t *testing.T) {
	r := newRig(t, franking)
	all := r.founded(2)
	a, b := all[0], all[1]
	for _, data := range [][]byte{nil, make([]byte, wire.FrankingTagSize-1), make([]byte, wire.FrankingTagSize+1)} {
		m := must(mls.Marshal(must(a.Group.Send([]byte("x"), group.MessageOptions{AuthenticatedData: data}))))
		r.refused(r.call(a.request(wire.OpSendMessage, &wire.GroupMessage{Group: a.id(), Message: m}, a.leafAuth(), stateKey(a.Group)), nil), wire.CodeMalformed)
	}
	nobody := r.person("nobody", "one.example").bare()
	r.ok(a.add(wire.OpAddUsers, nobody))
	r.settle(a, a, b, nobody)
	r.ok(nobody.send("hello"))
	r.settle(a, a, b, nobody)
	if len(b.seen) != 1 || len(b.franked) != 0 {
		t.Errorf("read %q, %d franked", b.seen, len(b.franked))
	}
}

// BenchmarkFrank: what a frank costs of the service's time for a message of 100
// octets to a group of 8, with its signature and without.
func BenchmarkFrank(b *testing.B) {
	for name, change := range map[string]func(*ds.Config){"without": nil, "franked": franking} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, change)
			a := r.crowd(8)
			for b.Loop() {
				b.StopTimer()
				request := a.sign(a.sendRequest(string(make([]byte, 100))))
				r.forget()
				b.StartTimer()
				r.ok(r.call(request, new(wire.Accepted)))
			}
		})
	}
}
