package ds_test

import (
	"crypto/sha256"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// outcome asks which commit began an epoch.
func (c *client) outcome(epoch uint64, key secret.Bytes) (*wire.CommitOutcome, error) {
	out := new(wire.CommitOutcome)
	err := c.call(c.request(wire.OpCommitOutcome, &wire.OutcomeQuery{Group: c.id(), Epoch: epoch}, wire.Auth{}, key), out)
	return out, err
}

func (c *client) wantOutcome(epoch uint64, key secret.Bytes, current uint64, commit []byte) {
	c.Helper()
	got, err := c.outcome(epoch, key)
	c.ok(err)
	if got.Epoch != current || (got.Commit == nil) != (commit == nil) || commit != nil && *got.Commit != sha256.Sum256(commit) {
		c.Fatalf("got %+v", got)
	}
}

// TestCommitOutcome: a committer that lost the answer learns whether its commit
// or another began the epoch, with the keys that it has in either case.
func TestCommitOutcome(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	a, b := all[0], all[1]
	epoch, old := a.Epoch()+1, stateKey(a.Group)
	a.wantOutcome(epoch, old, a.Epoch(), nil)

	mine := a.commitBody(group.CommitOptions{ForcePath: true})
	other := b.commitBody(group.CommitOptions{ForcePath: true})
	r.ok(r.call(a.request(wire.OpUpdate, mine, a.leafAuth(), old), nil)) // and the answer is lost
	for _, key := range []secret.Bytes{old, mine.NextKey} {
		a.wantOutcome(epoch, key, epoch, mine.Commit)
	}
	b.wantOutcome(epoch, old, epoch, mine.Commit)
	_, err := b.outcome(epoch, other.NextKey)
	r.refused(err, wire.CodeNotAllowed)
	must(a.Merge())
	b.Discard()
	r.settle(a, all...)

	remove := a.commitBody(group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(must(b.OwnLeaf()))}})
	old = stateKey(a.Group)
	r.ok(r.call(a.request(wire.OpRemoveUsers, remove, a.leafAuth(), old), nil))
	_, err = b.outcome(epoch+1, old)
	r.refused(err, wire.CodeNotAllowed)
	a.wantOutcome(epoch+1, remove.NextKey, epoch+1, remove.Commit)
	must(a.Merge())

	for range 31 {
		r.ok(a.commit(wire.OpUpdate, nil))
	}
	a.wantOutcome(epoch, stateKey(a.Group), epoch+32, nil)
	a.wantOutcome(epoch+1, stateKey(a.Group), epoch+32, remove.Commit)
	if n := r.kindsOf(a)['c']; n != 32 {
		t.Errorf("%d outcomes are kept", n)
	}
}

func TestVerificationKey(t *testing.T) {
	r := newRig(t, nil)
	ask := func(out *wire.VerificationKeys) error {
		return r.call(r.person("a", "one.example").request(wire.OpVerificationKey, &wire.Empty{}, wire.Auth{}, secret.Bytes{}), out)
	}
	var got wire.VerificationKeys
	r.refused(ask(&got), wire.CodeNotAllowed)
	r.cfg.Signers = []*mls.SignatureKey{r.person("new", "one.example").mls.Signer, r.person("old", "one.example").mls.Signer}
	r.restart()
	r.ok(ask(&got))
	if len(got) != 2 || string(got[0][:]) != string(r.cfg.Signers[0].Public()) || string(got[1][:]) != string(r.cfg.Signers[1].Public()) {
		t.Fatalf("got %d keys", len(got))
	}
}
