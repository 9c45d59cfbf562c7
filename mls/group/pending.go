package group

import "github.com/pseudods/pseudods/internal/secret"

// pending is a commit of this client that was not yet accepted.
type pending struct {
	commit            *Commit
	authenticatedData []byte
	next              *next
}

// Pending returns the commit that waits for [Group.Merge] or [Group.Discard],
// nil if there is none: after a restart, to send it again. Which proposals it
// skipped is not saved.
func (g *Group) Pending() *Commit {
	if g.pending == nil {
		return nil
	}
	return g.pending.commit
}

// PendingExport is [Group.Export] in the epoch that the pending commit makes, for
// what has to go out together with the commit. It fails with
// [ErrNoPendingCommit], with [ErrRemoved] if the commit removes this client, or
// with [mls.ErrExportLength].
func (g *Group) PendingExport(label string, context []byte, length int) (secret.Bytes, error) {
	switch {
	case g.pending == nil:
		return secret.Bytes{}, ErrNoPendingCommit
	case g.pending.next.secrets == nil:
		return secret.Bytes{}, ErrRemoved
	}
	return g.suite.Export(g.pending.next.secrets.Exporter, label, context, length)
}

// Merge moves the group to the epoch that the pending commit makes, once the
// delivery service has accepted that commit. It fails with
// [ErrNoPendingCommit].
func (g *Group) Merge() (*Committed, error) {
	if g.pending == nil {
		return nil, ErrNoPendingCommit
	}
	n := g.pending.next
	g.pending = nil
	return g.enter(n), nil
}

// Discard drops the pending commit, if there is one, because another came
// first. Proposals that it covered are still there.
func (g *Group) Discard() { g.discard() }

func (g *Group) discard() {
	if g.pending == nil {
		return
	}
	g.pending.next.wipe()
	g.pending = nil
}
