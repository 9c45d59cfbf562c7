package interop

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// reader is a client of either kind that reads its queue.
type reader interface {
	testing.TB
	read() []event
}

// expect has a client read until something comes that it did not send itself,
// which must be the last there is.
func expect(c reader, kind, text string) {
	c.Helper()
	for {
		events := c.read()
		if len(events) == 0 {
			c.Fatalf("nothing came, want %s %q", kind, text)
		}
		e := events[len(events)-1]
		if e.Own {
			continue
		}
		if e.Kind != kind || e.Text != text {
			c.Fatalf("got %+v, want %s %q", events, kind, text)
		}
		return
	}
}

// talk has both say something that the other hears.
func talk(c *ours, ts *theirs) {
	c.T.Helper()
	c.say("hello from ours")
	expect(ts, "text", "hello from ours")
	ts.do("say", object{"text": "hello from theirs"}, nil)
	expect(c, "text", "hello from theirs")
	if ours, theirs := c.group.Epoch(), ts.epoch(); ours != theirs {
		c.T.Fatalf("in epochs %d and %d", ours, theirs)
	}
}

func (c *theirs) epoch() uint64 {
	c.Helper()
	var i struct{ Epoch uint64 }
	c.do("info", nil, &i)
	return i.Epoch
}

// TestInvitedIntoOurGroup: a client that runs ts-mls is added to a group of ours
// with a KeyPackage from its pool, talks, commits, is removed, comes back from
// outside, loses its state, and rejoins.
func TestInvitedIntoOurGroup(t *testing.T) {
	c, ts := newOurs(t, "our founder"), open(t)
	c.found(&wire.GroupPolicy{Profile: wire.ProfilePseudonymous, MaxMembers: 10, BarePseudonyms: true, ExternalJoins: true}, nil)

	var pool struct {
		Pool, Token octets
		LinkWrap    octets `json:"link_wrap"`
	}
	ts.do("publish", nil, &pool)
	c.ok(c.invite(c.fetch(pool.Pool, pool.Token, pool.LinkWrap)))
	expect(ts, "join", "")
	talk(c, ts)

	ts.do("renew", nil, nil)
	expect(c, "commit", "")
	c.ok(c.commit(wire.OpUpdate, nil))
	expect(ts, "commit", "")
	talk(c, ts)

	key := ts.stateKey()
	c.ok(c.commit(wire.OpRemoveUsers, []*mls.Proposal{group.Remove(1)}))
	expect(ts, "removed", "")
	if err := ts.call("enter", object{"group": octets(c.group.GroupID()), "stateKey": octets(key), "rejoin": false}, nil); !isRefused(err, "not_allowed") {
		t.Fatalf("with the key of before its removal: %v", err)
	}
	if err := ts.call("say", object{"text": "still here?"}, nil); err == nil {
		t.Fatal("a removed member can send")
	}

	enter := func(rejoin bool) {
		t.Helper()
		ts.do("enter", object{"group": octets(c.group.GroupID()), "stateKey": octets(c.stateKey().Reveal()), "rejoin": rejoin}, nil)
		expect(c, "commit", "")
		if n := c.group.Members(); n != 2 {
			t.Fatalf("%d members", n)
		}
		talk(c, ts)
	}
	enter(false)
	ts.do("forget", nil, nil)
	enter(true)
}

func isRefused(err error, code string) bool {
	var e *peerError
	return errors.As(err, &e) && e.Name == code
}

// TestFoundedByTheirs: a client that runs ts-mls creates a group with a policy,
// adds one of ours, talks, commits, follows ours, and removes it.
func TestFoundedByTheirs(t *testing.T) {
	c, ts := newOurs(t, "our guest"), open(t)
	ts.do("found", object{"policy": object{"profile": "pseudonymous", "max_members": 5, "bare_pseudonyms": true, "external_joins": true, "guests": true,
		"admins": []string{}, "banned": []string{}}}, nil)
	ts.do("add", object{"keyPackage": octets(c.invitable())}, nil)
	expect(c, "join", "")
	talk(c, ts)

	third := open(t)
	var kp struct{ KeyPackage octets }
	third.do("invitable", nil, &kp)
	c.ok(c.invite(kp.KeyPackage))
	expect(third, "join", "")
	expect(ts, "commit", "")
	third.do("say", object{"text": "three of us"}, nil)
	expect(c, "text", "three of us")
	expect(ts, "text", "three of us")

	ts.do("removeUser", object{"leaf": must(c.group.OwnLeaf())}, nil)
	expect(third, "commit", "")
	ts.do("say", object{"text": "two of us"}, nil)
	expect(third, "text", "two of us")
}

// TestClaimsOfTheDocument: what docs/protocol.md says of refusals, repetition
// and payment.
func TestClaimsOfTheDocument(t *testing.T) {
	c, ts := newOurs(t, "our guest"), open(t)
	if err := ts.call("found", object{"group": octets(random(wire.GroupIDSize))}, nil); !isRefused(err, "not_allowed") {
		t.Fatalf("a group identifier of one's own: %v", err)
	}
	ts.do("found", object{}, nil)
	ts.do("add", object{"keyPackage": octets(c.invitable())}, nil)
	var out struct{ Made []string }
	ts.do("claims", nil, &out)
	if len(out.Made) < 29 {
		t.Errorf("only %d refusals were seen: %q", len(out.Made), out.Made)
	}
}
