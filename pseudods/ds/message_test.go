package ds_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func (c *client) target(to mls.LeafIndex, text string) (wire.Accepted, error) {
	var out wire.Accepted
	err := c.call(c.request(wire.OpTargetedMessage, &wire.TargetedMessage{Group: c.id(), Leaf: to, Content: []byte(text)}, c.leafAuth(), stateKey(c.Group)), &out)
	return out, err
}

// TestTargetedMessages: a message for one member reaches it alone, and nobody
// else sees a gap, which the rig would not let pass.
func TestTargetedMessages(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a, b, c := all[0], all[1], all[2]
	at := func(l *client) mls.LeafIndex { return must(l.OwnLeaf()) }
	place := func(got wire.Accepted, err error) uint64 { r.ok(err); return got.Sequence }
	r.ok(a.send("one"))
	r.settle(a, all...)
	last := c.last
	for i := range 3 {
		if n := place(a.target(at(b), fmt.Sprint("to b ", i))); n != last {
			t.Fatalf("a message for one member has place %d after %d", n, last)
		}
	}
	place(b.target(at(a), "to a"))
	r.ok(c.send("two"))
	place(c.target(at(b), "after two"))
	r.restart()
	r.settle(a, all...)
	r.ok(a.commit(wire.OpUpdate, nil))
	r.ok(a.add(wire.OpAddUsers, r.person("late", "one.example")))
	r.settle(a, all...)
	if got := fmt.Sprint(b.targeted); got != "[0: to b 0 0: to b 1 0: to b 2 2: after two]" {
		t.Errorf("b got %s", got)
	}
	if got := fmt.Sprint(a.targeted, c.targeted); got != "[1: to a] []" {
		t.Errorf("a and c got %s", got)
	}
	if len(a.seen) != 1 || len(b.seen) != 2 || len(c.seen) != 1 || b.last != last+3 {
		t.Errorf("messages to all: %q, %q, %q", a.seen, b.seen, c.seen)
	}

	_, err := a.target(17, "nobody")
	r.refused(err, wire.CodeNotAllowed)
	_, err = a.target(at(b), strings.Repeat("x", 128<<10+1))
	r.refused(err, wire.CodeTooLarge)
	r.ok(a.remove(wire.OpRemoveUsers, c))
	_, err = c.target(at(b), "still here")
	r.refused(err, wire.CodeNotAllowed)
	_, err = a.target(at(c), "are you?")
	r.refused(err, wire.CodeNotAllowed)
}

// TestTargetedMessageToNoAddress: who wants no messages is not told apart.
func TestTargetedMessageToNoAddress(t *testing.T) {
	r := newRig(t, nil)
	a := r.person("a", "one.example")
	body := a.createBody()
	body.Address = nil
	r.ok(r.call(a.request(wire.OpCreateGroup, body, wire.Auth{Type: wire.AuthJoiner}, stateKey(a.Group)), nil))
	b := r.person("b", "one.example")
	r.ok(a.add(wire.OpAddUsers, b))
	r.settle(a, b)
	got, err := b.target(0, "hello")
	r.ok(err)
	if waiting := must(r.store.Waiting(t.Context(), ds.Ref{}, 1)); len(waiting) != 0 || got.Sequence != b.last {
		t.Fatalf("%d lanes wait, at place %d", len(waiting), got.Sequence)
	}
	r.ok(b.send("one"))
	r.settle(a, b)
}
