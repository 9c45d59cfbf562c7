package tree

import (
	"crypto/sha256"

	"github.com/pseudods/pseudods/mls"
)

// Version numbers the states of one tree, ascending. A caller may use the epoch.
type Version uint64

// Store holds the records and the key index of one tree. The package only
// reads; what it wants written it returns as [Changes].
//
// Whoever controls a store can make commits fail and can misreport what members
// support or which keys are in use, but can not make a member accept another
// tree: the tree hash is in the GroupContext that every commit's tag covers.
type Store interface {
	// Node returns the newest record of x at or before version v, and nil if
	// there is none or it was deleted. The caller does not modify it.
	Node(x mls.NodeIndex, v Version) (*Record, error)
	// HasKey reports whether k is in the key index at the newest version.
	HasKey(k KeyHash) (bool, error)
}

// BatchStore is a [Store] to which one question about many things costs less
// than many questions, such as one across a network. A path is then read, and
// its keys are looked up, with one call each.
type BatchStore interface {
	Store
	// Nodes answers as Node does, for each index in turn.
	Nodes(xs []mls.NodeIndex, v Version) ([]*Record, error)
	// HasKeys answers as HasKey does, for each key in turn.
	HasKeys(ks []KeyHash) ([]bool, error)
}

// KeyHash stands for a public key in the key index: SHA-256 of its kind and
// the key, cut to 16 octets. Two keys made to collide, at a cost of 2^64, could
// only get their maker's commit refused.
type KeyHash [16]byte

const (
	encryptionKey = 0
	signatureKey  = 1
)

func keyHash(kind byte, key []byte) (k KeyHash) {
	h := sha256.New()
	h.Write(append([]byte("tree key index "), kind))
	h.Write(key)
	copy(k[:], h.Sum(nil))
	return k
}

// EncryptionKeyHash is the index entry of the HPKE key of a leaf or parent.
func EncryptionKeyHash(key []byte) KeyHash { return keyHash(encryptionKey, key) }

// SignatureKeyHash is the index entry of a leaf's signature key.
func SignatureKeyHash(key []byte) KeyHash { return keyHash(signatureKey, key) }

// Changes leads from one version of a tree to the next. It is a value: a store
// applies all of it or nothing.
type Changes struct {
	Base    Version // the version that the store must hold, see Fresh
	Version Version // the version that it holds afterwards
	// Fresh says that the store must hold nothing yet; Base means nothing then.
	Fresh  bool
	Header Header
	Nodes  []NodeWrite // ascending by index
	// KeysAdded are new in the index, KeysRemoved leave it. They are disjoint
	// and ascending.
	KeysAdded, KeysRemoved []KeyHash
}

// NodeWrite sets the record of a node, or deletes it if Record is nil.
type NodeWrite struct {
	Index  mls.NodeIndex
	Record *Record
}
