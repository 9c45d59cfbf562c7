package wire

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// GroupIDSize is the size of a [GroupID] in octets.
const GroupIDSize = 32

// GroupID names a group at its delivery service, which draws it: see
// [OpRequestGroupID].
type GroupID [GroupIDSize]byte

// Empty is a body or an answer that says nothing, of no octets.
type Empty struct{}

// MarshalTLS encodes e.
func (e *Empty) MarshalTLS(*tlscodec.Writer) {}

// UnmarshalTLS decodes e.
func (e *Empty) UnmarshalTLS(*tlscodec.Reader) {}

// NewGroupID is the answer to [OpRequestGroupID], whose body is empty.
type NewGroupID struct{ Group GroupID }

// MarshalTLS encodes n.
func (n *NewGroupID) MarshalTLS(w *tlscodec.Writer) { w.Raw(n.Group[:]) }

// UnmarshalTLS decodes n.
func (n *NewGroupID) UnmarshalTLS(r *tlscodec.Reader) { copy(n.Group[:], r.Fixed(GroupIDSize)) }
