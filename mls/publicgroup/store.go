package publicgroup

import (
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// Store keeps the records of one group: a header, tree nodes with their key
// index, one record per pending proposal, one per epoch that newcomers wait
// for. The package only reads, but for [Group.Apply]. Records that a store
// returned or was given are not modified by either side.
//
// Whoever controls a store can refuse service, show an old state, and claim
// anything about a group to those who trust the service alone; members check
// everything it serves against what they signed. Without encryption at rest,
// which is a store's affair, it can read credentials and the shape of the tree.
type Store interface {
	tree.Store
	// Header returns the group's header, nil if there is no group.
	Header() (*Header, error)
	// Proposal returns a pending proposal, nil if there is none of that name.
	Proposal(mls.ProposalRef) (*Pending, error)
	// Retained returns the record of a retained epoch, nil if there is none.
	Retained(epoch uint64) (*Retained, error)
	// Apply makes all of the changes or none. It fails with [ErrStale] if the
	// header's revision is not Base; a store without a group is at revision 0.
	Apply(*Changes) error
}

// Changes leads a store from one revision to the next.
type Changes struct {
	Base   uint64  // the revision that the store must hold
	Header *Header // of revision Base+1
	// Tree is nil if the epoch stays. A tree's versions are epochs.
	Tree      *tree.Changes
	Proposals []ProposalWrite
	Retained  []RetainedWrite
	// Release is the oldest version of the tree that will be read from now on.
	// Node records that only older versions show may be dropped. A store that
	// keeps, for each version, the list of nodes it superseded (those in its
	// Tree.Nodes) can do so at a cost proportional to what it drops.
	Release tree.Version
}

// ProposalWrite sets the record of a proposal, or deletes it if Record is nil.
type ProposalWrite struct {
	Ref    mls.ProposalRef
	Record *Pending
}

// RetainedWrite sets the record of a retained epoch, or deletes it if Record is
// nil.
type RetainedWrite struct {
	Epoch  uint64
	Record *Retained
}
