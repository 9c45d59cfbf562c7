package ds_test

import (
	"bytes"
	"crypto/rand"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// sendRequest is a request to send a message, before it is signed.
func (c *client) sendRequest(text string) *wire.Request {
	m := must(c.message(text))
	return &wire.Request{RecipientDomain: domain, Operation: wire.OpSendMessage, GroupStateKey: stateKey(c.Group),
		Body:      must(mls.Marshal(&wire.GroupMessage{Group: c.id(), Message: must(mls.Marshal(m))})),
		ExpiresAt: uint64(c.rig.cfg.Now().Unix()) + 60, Nonce: [16]byte(random(16)), Auth: c.leafAuth()}
}

// TestINV03NothingUnsignedOrStale: each change to a good request, under a good
// signature or not, gets it refused, and the group stays as it was.
func TestINV03NothingUnsignedOrStale(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(2)
	a, b := all[0], all[1]
	before := r.store.Records(a.id())
	for name, tc := range map[string]struct {
		change func(*wire.Request)
		code   wire.Code
	}{
		"other recipient":   {func(w *wire.Request) { w.RecipientDomain = "other.example" }, wire.CodeWrongRecipient},
		"expired":           {func(w *wire.Request) { w.ExpiresAt = uint64(start.Unix()) - 1 }, wire.CodeStale},
		"too far ahead":     {func(w *wire.Request) { w.ExpiresAt = uint64(start.Add(time.Hour).Unix()) }, wire.CodeStale},
		"nobody signs":      {func(w *wire.Request) { w.Auth = wire.Auth{} }, wire.CodeNotAllowed},
		"another leaf":      {func(w *wire.Request) { w.Auth.Leaf = must(b.OwnLeaf()) }, wire.CodeNotAllowed},
		"no leaf":           {func(w *wire.Request) { w.Auth.Leaf = 1000 }, wire.CodeNotAllowed},
		"as a joiner":       {func(w *wire.Request) { w.Auth = wire.Auth{Type: wire.AuthJoiner} }, wire.CodeNotAllowed},
		"as a user":         {func(w *wire.Request) { w.Auth = wire.Auth{Type: wire.AuthUser} }, wire.CodeNotAllowed},
		"wrong key":         {func(w *wire.Request) { w.GroupStateKey = secret.New(make([]byte, 32)) }, wire.CodeNotAllowed},
		"no key":            {func(w *wire.Request) { w.GroupStateKey = secret.Bytes{} }, wire.CodeNotAllowed},
		"tokens for a gift": {func(w *wire.Request) { w.Tokens = [][]byte{{1}} }, wire.CodeTokenInvalid},
		"other operation":   {func(w *wire.Request) { w.Operation = wire.OpPropose }, wire.CodeMalformed},
		"unknown operation": {func(w *wire.Request) { w.Operation = 0x00FF }, wire.CodeNotAllowed},
		"unknown group":     {func(w *wire.Request) { w.Body = append([]byte{^w.Body[0]}, w.Body[1:]...) }, wire.CodeNotAllowed},
		"trailing octet":    {func(w *wire.Request) { w.Body = append(w.Body, 0) }, wire.CodeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			w := a.sendRequest("x")
			tc.change(w)
			r.refused(r.call(a.sign(w), nil), tc.code)
		})
	}
	good := a.sign(a.sendRequest("x"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if r.call(bad, nil) == nil {
			t.Fatalf("octet %d changed: accepted", i)
		}
	}
	if !maps.EqualFunc(before, r.store.Records(a.id()), bytes.Equal) {
		t.Fatal("a refused request changed the group")
	}
	r.ok(r.call(good, nil))
}

// TestINV03ReplayGetsTheSameAnswer: an identical request is a retry, also after
// a restart and when the group's keys have changed; another one with its nonce is
// refused; and after it expired it is too.
func TestINV03ReplayGetsTheSameAnswer(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a := all[0]
	remove := a.commitBody(group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(must(all[2].OwnLeaf()))}})
	request := a.request(wire.OpRemoveUsers, remove, a.leafAuth(), stateKey(a.Group))
	var first, again wire.Accepted
	r.ok(r.call(request, &first))
	must(a.Merge())
	before := r.store.Records(a.id())
	for range 2 {
		r.ok(r.call(request, &again))
		if !reflect.DeepEqual(again, first) {
			t.Fatalf("the retry got %+v, not %+v", again, first)
		}
		r.restart()
	}
	if !maps.EqualFunc(before, r.store.Records(a.id()), bytes.Equal) {
		t.Fatal("a retry changed the group")
	}
	w := a.sendRequest("x")
	r.ok(r.call(a.sign(w), nil))
	other := a.sendRequest("y")
	other.Nonce = w.Nonce
	r.refused(r.call(a.sign(other), nil), wire.CodeReplayed)
	r.pass(2 * time.Minute)
	r.refused(r.call(request, nil), wire.CodeStale)
}

// TestAnswersAreForgotten: the records of old requests do not pile up.
func TestAnswersAreForgotten(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("a")
	for range 20 {
		r.ok(a.send("x"))
	}
	many := len(r.store.Records(a.id()))
	r.pass(10 * time.Minute)
	for range 20 {
		r.ok(a.send("x"))
		r.pass(10 * time.Minute)
	}
	if n := len(r.store.Records(a.id())); n > many-30 {
		t.Fatalf("%d records, %d before", n, many)
	}
}

func TestINV08Limits(t *testing.T) {
	r := newRig(t, func(c *ds.Config) {
		c.PerLeaf = ds.Limit{Every: time.Second, Burst: 3}
		c.PerGroup = ds.Limit{Every: time.Second, Burst: 12}
	})
	all := r.founded(2)
	r.pass(time.Minute)
	for range 3 {
		r.ok(all[0].send("x"))
	}
	r.refused(all[0].send("x"), wire.CodeRateLimited)
	r.ok(all[1].send("x"))
	r.pass(time.Second)
	r.ok(all[0].send("x"))
	r.refused(all[0].send("x"), wire.CodeRateLimited)
}

// TestINV08RejoinsAreCounted: a rejoin makes a new leaf each time, and still is the
// same user's.
func TestINV08RejoinsAreCounted(t *testing.T) {
	r := newRig(t, func(c *ds.Config) {
		c.PerLeaf = ds.Limit{Every: time.Second, Burst: 3}
		c.PerGroup = ds.Limit{Every: time.Second, Burst: 100}
	})
	all := r.founded(1)
	guest, other := r.person("user 7", "two.example"), r.person("user 8", "two.example")
	r.ok(guest.external(wire.OpExternalJoin, all[0], nil))
	r.settle(all[0], all...)
	r.ok(other.external(wire.OpExternalJoin, all[0], nil))
	r.settle(all[0], all...)
	rejoin := func(c *client) error {
		own := must(c.OwnLeaf())
		c.mls.Signer = must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader))
		c.newAddress("two.example", wire.AddressBound)
		return c.external(wire.OpRejoin, all[0], &own)
	}
	for range 3 {
		r.ok(rejoin(guest))
		r.settle(all[0], all...)
	}
	r.refused(rejoin(guest), wire.CodeRateLimited)
	r.ok(rejoin(other))
	r.settle(all[0], all...)
	r.pass(time.Second)
	r.ok(rejoin(guest))
}
