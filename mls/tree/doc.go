// Package tree is the ratchet tree of MLS (RFC 9420, Sections 4 and 7) over a
// store of node records, for members and for servers that follow a group.
//
// A [Tree] is an immutable view of one version in a [Store]. [Tree.Edit] opens
// an overlay in which one commit happens: proposals with [Edit.AddLeaf],
// [Edit.UpdateLeaf] and [Edit.RemoveLeaf], then the path with [Edit.MergePath]
// or, on the committer's side, [Edit.CreatePath]. [Edit.Changes] turns it into
// a value that the caller applies to its store or drops; until then nothing has
// changed. An Edit that returned an error must be dropped.
//
//	e := tree.New(suite, store, version, header).Edit()
//	// proposals: updates, removals, additions, in this order
//	err := e.MergePath(sender, commit.Path)
//	changes, err := e.Changes()
//
// # Cost
//
// A [Record] of a parent holds its children's tree hashes and, for each child,
// the number of members below it and the size of its resolution. One walk from
// a leaf to the root then answers everything a commit asks: where the next leaf
// goes, which nodes a path has, how many ciphertexts belong to each, what the
// parent hashes and the new tree hash are. An update, an addition or a removal
// reads and writes one leaf and the parents above it, d+1 records for 2^d
// leaves, and touches no sibling. What all members support is counted in the
// [Census]; whether a key is in use is one look into the store's key index.
//
// Three operations are linear and say so: [Import], [Tree.Export], and sealing
// a path to a resolution that is large because many members were added and have
// not committed yet. The hash of a blank subtree depends on its position; it is
// kept per process (see blankHash), so that doubling the tree costs linear
// hashing once and not each time.
//
// # What is checked where
//
// [Import] verifies everything RFC 9420, Section 12.4.3.1, asks of a tree,
// signatures included. An Edit verifies the structure of paths, parent hashes
// and the uniqueness of keys, but no leaf by itself: before a leaf enters, the
// caller has called [mls.LeafNode.Check] and [mls.LeafNode.VerifySignature],
// for it knows the group's ID and rules. A server can not see whether the
// ciphertexts of a path hold what they should; members find out in
// [Private.OpenPath].
package tree

import "errors"

var (
	// ErrInconsistent: the store returned a record that its tree can not hold,
	// or none where its neighbours tell of one.
	ErrInconsistent = errors.New("tree: store is inconsistent")
	// ErrVersion: changes do not follow the version that the store holds.
	ErrVersion = errors.New("tree: not the version the change was made for")
	// ErrFull: the tree would have more leaves than allowed.
	ErrFull = errors.New("tree: too many leaves")
	// ErrNoMember: the leaf is blank or outside the tree.
	ErrNoMember = errors.New("tree: no member at this leaf")
	// ErrDuplicateKey: an encryption key stands at two nodes, or a signature
	// key at two leaves.
	ErrDuplicateKey = errors.New("tree: duplicate key")
	// ErrKeyReused: a new leaf has the encryption key of the one it replaces.
	ErrKeyReused = errors.New("tree: encryption key is not new")
	// ErrCensus: the members' capabilities name more than [MaxTypes] types.
	ErrCensus = errors.New("tree: too many capability types")
	// ErrUnsupported: a type is not supported by every member.
	ErrUnsupported = errors.New("tree: not supported by every member")

	// ErrPathSource: the leaf of a path does not have the source commit.
	ErrPathSource = errors.New("tree: path leaf is not from a commit")
	// ErrPathLength: a path has not one node for each node of the sender's
	// filtered direct path.
	ErrPathLength = errors.New("tree: wrong number of path nodes")
	// ErrPathCiphertexts: a path node has not one ciphertext for each node of
	// the resolution that receives it.
	ErrPathCiphertexts = errors.New("tree: wrong number of path ciphertexts")
	// ErrParentHash: a parent hash does not fit the tree.
	ErrParentHash = errors.New("tree: parent hash does not verify")
	// ErrNoPathKey: no ciphertext of a path is for this member, or its key is
	// not held.
	ErrNoPathKey = errors.New("tree: no key for this path")
	// ErrPathSecret: a path secret does not give the public keys in the tree.
	ErrPathSecret = errors.New("tree: path secret does not match the path")

	// ErrShape: nodes are at places where their kind does not belong, or the
	// node list is empty or ends in a blank.
	ErrShape = errors.New("tree: malformed node list")
	// ErrUnmerged: an unmerged leaf is blank, outside its parent's subtree, out
	// of order, or not known to a parent between.
	ErrUnmerged = errors.New("tree: invalid unmerged leaf")
	// ErrSlice: a slice does not lead to the tree hash.
	ErrSlice = errors.New("tree: slice does not verify")
)
