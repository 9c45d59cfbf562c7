package ds_test

import (
	"bytes"
	"context"
	"maps"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// FuzzINV11Handle: no input makes the service fail in another way than by a
// response, and a refusal changes nothing.
func FuzzINV11Handle(f *testing.F) {
	r := newRig(f, nil)
	all := r.founded(2)
	a := all[0]
	f.Add(a.sign(a.sendRequest("x")))
	f.Add(a.request(wire.OpUpdate, a.commitBody(group.CommitOptions{ForcePath: true}), a.leafAuth(), stateKey(a.Group)))
	f.Add(a.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: a.id()}, wire.Auth{}, stateKey(a.Group)))
	f.Add(r.person("b", "one.example").createRequest())
	for _, op := range []wire.Operation{wire.OpTargetedMessage, wire.OpAccessRequest, wire.OpChangePolicy, wire.OpRejoin} {
		_, request := good[op](r, all)
		all[0].Discard()
		all[1].Discard()
		f.Add(request)
	}
	f.Add(a.request(wire.OpCommitOutcome, &wire.OutcomeQuery{Group: a.id(), Epoch: 1}, wire.Auth{}, stateKey(a.Group)))
	f.Add(a.request(wire.OpVerificationKey, &wire.Empty{}, wire.Auth{}, secret.Bytes{}))
	before := r.store.Records(a.id())
	f.Fuzz(func(t *testing.T, request []byte) {
		var response wire.Response
		if err := mls.Unmarshal(r.ds.Handle(context.Background(), request), &response); err != nil {
			t.Fatal(err)
		}
		if response.Err == nil {
			before = r.store.Records(a.id())
		} else if response.Err.Code == wire.CodeInternal || !maps.EqualFunc(before, r.store.Records(a.id()), bytes.Equal) {
			t.Fatalf("code %d, or a refusal changed the group", response.Err.Code)
		}
	})
}
