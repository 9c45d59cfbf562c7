package tree

import (
	"fmt"
	"sync"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// Values of NodeType (RFC 9420, Section 7.8).
const (
	nodeTypeLeaf   = 1
	nodeTypeParent = 2
)

var writers = sync.Pool{New: func() any { return new([]byte) }}

// hashOf hashes what f writes. It fails only if f writes what has no encoding.
func hashOf(s *mls.Suite, f func(*tlscodec.Writer)) ([]byte, error) {
	buf := writers.Get().(*[]byte)
	defer writers.Put(buf)
	w := tlscodec.NewWriter((*buf)[:0])
	f(w)
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrEncode, err)
	}
	*buf = b
	return s.Hash(b), nil
}

// leafHash is the tree hash of a leaf, nil for a blank one (RFC 9420, Section
// 7.8: LeafNodeHashInput).
func leafHash(s *mls.Suite, i mls.LeafIndex, leaf *mls.LeafNode) ([]byte, error) {
	return hashOf(s, func(w *tlscodec.Writer) {
		w.Uint8(nodeTypeLeaf)
		w.Uint32(uint32(i))
		w.Bool(leaf != nil)
		if leaf != nil {
			leaf.MarshalTLS(w)
		}
	})
}

// nodeHash is the tree hash of a parent, nil for a blank one (RFC 9420, Section
// 7.8: ParentNodeHashInput).
func nodeHash(s *mls.Suite, p *mls.ParentNode, left, right []byte) ([]byte, error) {
	return hashOf(s, func(w *tlscodec.Writer) {
		w.Uint8(nodeTypeParent)
		w.Bool(p != nil)
		if p != nil {
			p.MarshalTLS(w)
		}
		w.Opaque(left)
		w.Opaque(right)
	})
}

// parentHash is the parent hash of p for the child whose sibling's original
// tree hash is given (RFC 9420, Section 7.9: ParentHashInput).
func parentHash(s *mls.Suite, p *mls.ParentNode, originalSiblingTreeHash []byte) ([]byte, error) {
	return hashOf(s, func(w *tlscodec.Writer) {
		w.Opaque(p.EncryptionKey)
		w.Opaque(p.ParentHash)
		w.Opaque(originalSiblingTreeHash)
	})
}

// Tree hashes of blank subtrees differ by position, since each leaf's hash
// covers its index, but are the same in all groups. Without memory, a member
// who joins and leaves at a boundary where the tree doubles could cost the
// whole right half each time. So the hashes of subtrees of at least
// 1<<blankLevel leaves are kept, in the lower maxBlankNode nodes: at most
// 1<<15 hashes per suite, and what is not kept costs at most 127 hash
// computations. Trees that reach beyond pay for their blanks each time.
const (
	blankLevel   = 6
	maxBlankNode = 1 << 21
	maxBlanks    = 1 << 16 // over all suites
)

type blankKey struct {
	suite mls.CipherSuite
	node  mls.NodeIndex
}

var blanks sync.Map // blankKey -> []byte

// blankHash is the tree hash of the wholly blank subtree at x.
func blankHash(s *mls.Suite, x mls.NodeIndex) ([]byte, error) {
	if x.IsLeaf() {
		return leafHash(s, x.Leaf(), nil)
	}
	kept := x.Level() >= blankLevel && x < maxBlankNode
	key := blankKey{s.ID(), x}
	if kept {
		if h, ok := blanks.Load(key); ok {
			return h.([]byte), nil
		}
	}
	left, err := blankHash(s, x.Left())
	if err != nil {
		return nil, err
	}
	right, err := blankHash(s, x.Right())
	if err != nil {
		return nil, err
	}
	h, err := nodeHash(s, nil, left, right)
	if err == nil && kept {
		blanks.Store(key, h)
	}
	return h, err
}
