package interop

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// These tests show what ts-mls 1.6.4 runs into at the service. They fail when a
// version of it does it right: then the README says too much.

func (c *ours) refused(err error, code wire.Code) {
	c.Helper()
	if !errors.Is(err, &wire.Error{Code: code}) {
		c.Fatalf("got %v, want code %d", err, code)
	}
}

// Every GroupInfo has an external_pub, which ts-mls encodes without its length.
func TestQuirkExternalPub(t *testing.T) {
	ts := open(t, object{"quirks": true})
	if err := ts.call("found", object{}, nil); !isRefused(err, "malformed") {
		t.Fatalf("a group with ts-mls's own external_pub: %v", err)
	}
}

// KeyPackages of ts-mls last for ever unless told otherwise.
func TestQuirkLifetime(t *testing.T) {
	c, ts := newOurs(t, "our founder"), open(t, object{"lifetime": "theirs"})
	c.found(nil, nil)
	var kp struct{ KeyPackage octets }
	ts.do("invitable", nil, &kp)
	c.refused(c.invite(kp.KeyPackage), wire.CodeInvalidProposal)
}

// The extension external_senders is one entry in ts-mls, and not a list. A group
// that has it in ts-mls's form is refused; one that has a list is joined, and its
// members follow all but what an external sender proposes.
func TestQuirkExternalSenders(t *testing.T) {
	c, ts := newOurs(t, "our founder"), open(t)
	var one struct{ Data octets }
	ts.do("externalSender", nil, &one)
	err := ts.call("found", object{"extensions": []object{{"type": mls.ExtensionTypeExternalSenders, "data": one.Data}}}, nil)
	if !isRefused(err, "malformed") {
		t.Fatalf("a group with ts-mls's own external_senders: %v", err)
	}

	var keys wire.VerificationKeys
	c.ok(c.ask(&wire.Request{Operation: wire.OpVerificationKey}, nil, &wire.Empty{}, &keys))
	list := mls.ExternalSenders{{SignatureKey: keys[0][:], Credential: mls.BasicCredential([]byte(c.doc.Domain))}}
	c.found(nil, must(mls.Extensions{}.With(mls.ExtensionTypeExternalSenders, &list)))
	guest := open(t)
	var kp struct{ KeyPackage octets }
	guest.do("invitable", nil, &kp)
	c.ok(c.invite(kp.KeyPackage))
	expect(guest, "join", "")
	talk(c, guest)
}

// Where a member does not know SelfRemove nobody leaves by one.
func TestQuirkSelfRemove(t *testing.T) {
	c, ts := newOurs(t, "our founder"), open(t)
	c.client.Capabilities.Proposals = append(c.client.Capabilities.Proposals, mls.ProposalTypeSelfRemove)
	c.found(nil, nil)
	var kp struct{ KeyPackage octets }
	ts.do("invitable", nil, &kp)
	c.ok(c.invite(kp.KeyPackage))
	m := must(mls.Marshal(must(c.group.Propose(group.SelfRemove(), group.MessageOptions{}))))
	c.refused(c.ask(&wire.Request{Operation: wire.OpSelfRemove, GroupStateKey: c.stateKey(), Auth: c.leaf()}, c.client.Signer,
		&wire.GroupMessage{Group: c.id(), Message: m}, new(wire.Accepted)), wire.CodeInvalidProposal)
}

// A commit with GroupContextExtensions needs a path (RFC 9420, Section 17.4), and
// ts-mls makes it without: its members cannot change the policy. They follow one
// of ours.
func TestQuirkPolicy(t *testing.T) {
	c, ts := newOurs(t, "our founder"), open(t)
	policy := wire.DefaultPolicy
	c.found(&policy, nil)
	var kp struct{ KeyPackage octets }
	ts.do("invitable", nil, &kp)
	c.ok(c.invite(kp.KeyPackage))
	expect(ts, "join", "")
	policy.MaxMembers = 7
	err := ts.call("change", object{"operation": "change_policy", "proposals": []object{{"type": "extensions",
		"extensions": []object{{"type": wire.ExtensionGroupPolicy, "data": octets(must(mls.Marshal(&policy)))}}}}}, nil)
	if !isRefused(err, "malformed") {
		t.Fatalf("a policy by ts-mls: %v", err)
	}
	c.ok(c.commit(wire.OpChangePolicy, []*mls.Proposal{group.GroupContextExtensions(must(mls.Extensions{}.With(wire.ExtensionGroupPolicy, &policy)))}))
	expect(ts, "commit", "")
	talk(c, ts)
}
