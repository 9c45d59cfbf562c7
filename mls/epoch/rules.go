package epoch

import (
	"github.com/pseudods/pseudods/mls"
)

// Rules are the decisions that RFC 9420 leaves to the application. A nil field
// means the default it names.
type Rules struct {
	// SameClient decides whether an external committer, by the leaf it brings,
	// may remove an old leaf as its own. Default: the credentials have the same
	// encoding. That suits credentials which somebody has authenticated. Basic
	// credentials that anyone can write let anyone take a member's place: set this,
	// or validate the leaf.
	SameClient func(old, joiner *mls.LeafNode) bool

	// Successor decides whether a member's new leaf, from an Update or a
	// commit's path, may follow its old one (RFC 9420, Section 5.3.3). Default:
	// yes.
	Successor func(old, new *mls.LeafNode) bool

	// AppData gives a component's new state from its old one, nil if it has
	// none, and the updates of one commit in order. ok = false refuses them.
	// All members and the delivery service must agree on it. Default: the last
	// update is the new state.
	AppData func(id mls.ComponentID, old []byte, updates [][]byte) (state []byte, ok bool)
}

func (r *Rules) sameClient(old, joiner *mls.LeafNode) bool {
	if r != nil && r.SameClient != nil {
		return r.SameClient(old, joiner)
	}
	return old.Credential.Equal(&joiner.Credential)
}

func (r *Rules) successor(old, new *mls.LeafNode) bool {
	return r == nil || r.Successor == nil || r.Successor(old, new)
}

func (r *Rules) appData(id mls.ComponentID, old []byte, updates [][]byte) ([]byte, bool) {
	if r != nil && r.AppData != nil {
		return r.AppData(id, old, updates)
	}
	return updates[len(updates)-1], true
}
