package ds_test

import (
	"bytes"
	"context"
	"maps"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// good makes a request of each operation that changes a group, which all of
// three members and a newcomer could send, and says who signs it.
var good = map[wire.Operation]func(r *rig, all []*client) (*client, []byte){
	wire.OpCreateGroup: func(r *rig, _ []*client) (*client, []byte) {
		c := r.person("founder", "one.example")
		return c, c.createRequest()
	},
	wire.OpDeleteGroup: func(r *rig, all []*client) (*client, []byte) {
		r.ok(all[0].remove(wire.OpRemoveUsers, all[1:]...))
		return all[0], all[0].deletion()
	},
	wire.OpAddUsers: func(r *rig, all []*client) (*client, []byte) {
		return all[0].commitRequest(wire.OpAddUsers, nil, r.person("new", "one.example"))
	},
	wire.OpAddClients: func(r *rig, all []*client) (*client, []byte) {
		return all[0].commitRequest(wire.OpAddClients, nil, r.person("user 0", "one.example"))
	},
	wire.OpRemoveUsers: func(r *rig, all []*client) (*client, []byte) {
		return all[0].commitRequest(wire.OpRemoveUsers, group.Remove(must(all[1].OwnLeaf())))
	},
	wire.OpRemoveClients: func(r *rig, all []*client) (*client, []byte) {
		second := r.person("user 0", "one.example")
		r.ok(all[0].add(wire.OpAddClients, second))
		r.settle(all[0], all[0], second)
		return all[0].commitRequest(wire.OpRemoveClients, group.Remove(must(second.OwnLeaf())))
	},
	wire.OpUpdate: func(r *rig, all []*client) (*client, []byte) { return all[1].commitRequest(wire.OpUpdate, nil) },
	wire.OpReInit: func(r *rig, all []*client) (*client, []byte) {
		return all[1].commitRequest(wire.OpReInit, group.ReInit(all[1].successor()))
	},
	wire.OpChangePolicy: func(r *rig, all []*client) (*client, []byte) {
		return all[1].commitRequest(wire.OpChangePolicy, all[1].policyProposal(func(p *wire.GroupPolicy) { p.MaxMembers = 9 }))
	},
	wire.OpExternalJoin: func(r *rig, all []*client) (*client, []byte) {
		c := r.person("guest", "one.example")
		return c, c.externalRequest(wire.Auth{Type: wire.AuthJoiner}, wire.OpExternalJoin, all[0], nil)
	},
	wire.OpRejoin: func(r *rig, all []*client) (*client, []byte) {
		lost := must(all[1].OwnLeaf())
		all[1].newAddress("one.example", wire.AddressBound)
		return all[1], all[1].externalRequest(all[1].userAuth(), wire.OpRejoin, all[0], &lost)
	},
	wire.OpPropose: func(r *rig, all []*client) (*client, []byte) {
		m := must(all[0].Propose(group.Remove(1), group.MessageOptions{}))
		return all[0], all[0].request(wire.OpPropose, &wire.GroupMessage{Group: all[0].id(), Message: must(mls.Marshal(m))}, all[0].leafAuth(), stateKey(all[0].Group))
	},
	wire.OpSelfRemove: func(r *rig, all []*client) (*client, []byte) {
		m := must(all[0].Propose(group.SelfRemove(), group.MessageOptions{}))
		return all[0], all[0].request(wire.OpSelfRemove, &wire.GroupMessage{Group: all[0].id(), Message: must(mls.Marshal(m))}, all[0].leafAuth(), stateKey(all[0].Group))
	},
	wire.OpSendMessage: func(r *rig, all []*client) (*client, []byte) { return all[0], all[0].sign(all[0].sendRequest("x")) },
	wire.OpTargetedMessage: func(r *rig, all []*client) (*client, []byte) {
		return all[0], all[0].request(wire.OpTargetedMessage, &wire.TargetedMessage{Group: all[0].id(), Leaf: 1, Content: []byte("x")}, all[0].leafAuth(), stateKey(all[0].Group))
	},
	wire.OpUpdateQueueAddress: func(r *rig, all []*client) (*client, []byte) {
		return all[0], all[0].request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: all[0].id(), Address: bound(all[0].address)}, all[0].leafAuth(), stateKey(all[0].Group))
	},
	wire.OpAccessRequest: func(r *rig, all []*client) (*client, []byte) {
		return all[1], all[1].accessRequest(all[0].id(), must(all[1].OwnLeaf()), must(seal.GenerateKey(wire.X25519)))
	},
}

// commitRequest is a request with a commit to a proposal, or to additions.
func (c *client) commitRequest(op wire.Operation, p *mls.Proposal, joiners ...*client) (*client, []byte) {
	var list []*mls.Proposal
	if p != nil {
		list = append(list, p)
	}
	for _, j := range joiners {
		list = append(list, group.Add(j.kp))
	}
	b := c.commitBody(group.CommitOptions{Proposals: list, ForcePath: true}, joiners...)
	return c, c.request(op, b, c.leafAuth(), stateKey(c.Group))
}

// TestINV03EveryOperation and its neighbours: each operation that changes a group
// is refused if it is not signed, signed by another, for another service, stale,
// or without the group's key; that changes nothing and costs nothing, and tells
// nobody whether there is such a group (INV-04, INV-07). Carried out, it is so
// once, over a restart, and another request under its nonce is none.
func TestINV03EveryOperation(t *testing.T) {
	for _, op := range ds.Changing() {
		make := good[op]
		if make == nil {
			t.Fatalf("no request of operation %#x", uint16(op))
		}
		t.Run(op.PriceName(), func(t *testing.T) {
			r := newRig(t, nil)
			all := r.founded(3)
			c, encoded := make(r, all)
			pay := &till{spent: map[string][32]byte{}, all: true}
			r.cfg.Payments = pay
			r.restart()
			r.refused(r.call(encoded, nil), wire.CodeTokenRequired)
			paid := func() *wire.Request {
				w := must(wire.ParseRequest(bytes.Clone(encoded), 1<<20))
				w.Tokens = [][]byte{[]byte("token")}
				return w
			}
			id := wire.GroupID(paid().Body[:wire.GroupIDSize])
			before := r.store.Records(id)
			unchecked, keyless := op == wire.OpAccessRequest, op == wire.OpAccessRequest || op == wire.OpCreateGroup
			for name, tc := range map[string]struct {
				skip   bool
				change func(*wire.Request)
				code   wire.Code
			}{
				"unsigned":         {false, func(w *wire.Request) { w.Auth = wire.Auth{} }, wire.CodeNotAllowed},
				"by a queue":       {false, func(w *wire.Request) { w.Auth = wire.Auth{Type: wire.AuthQueue} }, wire.CodeNotAllowed},
				"of another":       {unchecked, func(w *wire.Request) { w.Nonce[0] ^= 1 }, wire.CodeNotAllowed},
				"to another":       {false, func(w *wire.Request) { w.RecipientDomain = "other.example" }, wire.CodeWrongRecipient},
				"expired":          {false, func(w *wire.Request) { w.ExpiresAt = uint64(r.cfg.Now().Unix()) - 1 }, wire.CodeStale},
				"far ahead":        {false, func(w *wire.Request) { w.ExpiresAt += 3600 }, wire.CodeStale},
				"of another key":   {keyless, func(w *wire.Request) { w.GroupStateKey = secret.New(random(32)) }, wire.CodeNotAllowed},
				"without a key":    {unchecked, func(w *wire.Request) { w.GroupStateKey = secret.Bytes{} }, wire.CodeNotAllowed},
				"of another group": {unchecked, func(w *wire.Request) { w.Body[0] ^= 1 }, wire.CodeNotAllowed},
			} {
				if tc.skip {
					continue
				}
				w := paid()
				signature := w.Auth.Signature
				tc.change(w)
				bad := c.sign(w)
				if name == "of another" {
					w.Auth.Signature = signature
					bad = must(mls.Marshal(w))
				}
				if err := r.call(bad, nil); err == nil || err.(*wire.Error).Code != tc.code {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !maps.EqualFunc(before, r.store.Records(id), bytes.Equal) || len(pay.spent) != 0 {
				t.Fatal("a refused request changed the group, or cost something")
			}
			if !keyless {
				there, nowhere := paid(), paid()
				there.GroupStateKey, nowhere.GroupStateKey = secret.New(random(32)), secret.New(random(32))
				nowhere.Body[0] ^= 1
				ctx := context.Background()
				if a, b := r.ds.Handle(ctx, c.sign(there)), r.ds.Handle(ctx, c.sign(nowhere)); !bytes.Equal(a, b) {
					t.Errorf("answers tell whether a group exists: %x, %x", a, b)
				}
			}

			request := c.sign(paid())
			first := r.ds.Handle(context.Background(), request)
			var response wire.Response
			r.ok(mls.Unmarshal(first, &response))
			if response.Err != nil || len(pay.spent) != 1 {
				t.Fatalf("refused: %v, or %d tokens spent", response.Err, len(pay.spent))
			}
			after := r.store.Records(id)
			for range 2 {
				if again := r.ds.Handle(context.Background(), request); !bytes.Equal(again, first) {
					t.Errorf("a retry gets %x, not %x", again, first)
				}
				r.restart()
			}
			other := paid()
			other.ExpiresAt++
			other.Tokens = [][]byte{[]byte("another token")}
			r.refused(r.call(c.sign(other), nil), wire.CodeReplayed)
			other.Tokens, other.Nonce = [][]byte{[]byte("token")}, [16]byte(random(16))
			if err := r.call(c.sign(other), nil); err == nil {
				t.Error("a token bought two requests")
			}
			if !maps.EqualFunc(after, r.store.Records(id), bytes.Equal) || len(pay.spent) != 1 {
				t.Error("a retry changed the group, or cost something")
			}
			r.pass(10 * time.Minute)
			r.refused(r.call(request, nil), wire.CodeStale)
		})
	}
}
