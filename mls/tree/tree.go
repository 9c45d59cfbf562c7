package tree

import "github.com/pseudods/pseudods/mls"

// Tree is one version of a ratchet tree: an immutable view of a store. It is
// safe for concurrent use if the store is.
type Tree struct {
	view
	store   Store
	version Version
	fresh   bool // the store holds nothing yet
	header  Header
}

// New returns the tree that a store holds at version v, whose header the caller
// kept.
func New(s *mls.Suite, store Store, v Version, h Header) *Tree {
	t := &Tree{view: view{suite: s, size: h.Size, census: h.Census}, store: store, version: v, header: h}
	t.src = t
	return t
}

// Empty returns a tree of one blank leaf in a store that holds nothing. The
// changes of its first edit, which adds the group's creator, have version v.
func Empty(s *mls.Suite, store Store, v Version) *Tree {
	t := New(s, store, v, Header{Size: 1})
	t.fresh = true
	return t
}

// Version returns the version this tree shows.
func (t *Tree) Version() Version { return t.version }

// Header returns what [New] was given.
func (t *Tree) Header() Header { return t.header }

// Hash returns the tree hash (RFC 9420, Section 7.8).
func (t *Tree) Hash() ([]byte, error) {
	if t.header.Hash == nil {
		return blankHash(t.suite, t.root())
	}
	return t.header.Hash, nil
}

func (t *Tree) record(x mls.NodeIndex) (*Record, error) {
	r, err := t.store.Node(x, t.version)
	return checked(x, r, err)
}
