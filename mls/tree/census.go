package tree

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// MaxTypes is how many distinct types a [Census] counts, over all its kinds.
// GREASE values do not count. The bound keeps the header small: a member who
// lists thousands of types would otherwise make every later commit dear.
const MaxTypes = 2048

// Census counts what the members of a tree support, so that "supported by all
// members" (RFC 9420, Sections 7.2 and 11.1) is a look-up. Its zero value
// counts no members. It is immutable once it has left [Edit.Changes].
type Census struct {
	members     uint32
	extensions  tally[mls.ExtensionType]
	proposals   tally[mls.ProposalType]
	credentials tally[mls.CredentialType]
	inUse       tally[mls.CredentialType]
}

// Members returns the number of members.
func (c *Census) Members() uint32 { return c.members }

// SupportsExtension reports whether every member supports t.
func (c *Census) SupportsExtension(t mls.ExtensionType) bool {
	return t.IsDefault() || c.extensions[t] == c.members
}

// SupportsProposal reports whether every member supports t.
func (c *Census) SupportsProposal(t mls.ProposalType) bool {
	return t.IsDefault() || c.proposals[t] == c.members
}

// SupportsCredential reports whether every member supports t.
func (c *Census) SupportsCredential(t mls.CredentialType) bool {
	return c.credentials[t] == c.members
}

// CredentialsInUse returns the types of the members' credentials, ascending.
func (c *Census) CredentialsInUse() []mls.CredentialType {
	return slices.Sorted(maps.Keys(c.inUse))
}

// CheckRequired fails with [ErrUnsupported] unless every member supports all
// that q names (RFC 9420, Section 11.1).
func (c *Census) CheckRequired(q *mls.RequiredCapabilities) error {
	for _, t := range q.Extensions {
		if !c.SupportsExtension(t) {
			return fmt.Errorf("%w: extension type %v", ErrUnsupported, t)
		}
	}
	for _, t := range q.Proposals {
		if !c.SupportsProposal(t) {
			return fmt.Errorf("%w: proposal type %v", ErrUnsupported, t)
		}
	}
	for _, t := range q.Credentials {
		if !c.SupportsCredential(t) {
			return fmt.Errorf("%w: credential type 0x%04x", ErrUnsupported, uint16(t))
		}
	}
	return nil
}

// CheckCredentials fails with [ErrUnsupported] unless every member supports
// every credential type in use (RFC 9420, Section 7.3).
func (c *Census) CheckCredentials() error {
	for t := range c.inUse {
		if !c.SupportsCredential(t) {
			return fmt.Errorf("%w: credential type 0x%04x in use", ErrUnsupported, uint16(t))
		}
	}
	return nil
}

// clone returns a copy that may be modified.
func (c *Census) clone() Census {
	return Census{c.members, maps.Clone(c.extensions), maps.Clone(c.proposals), maps.Clone(c.credentials), maps.Clone(c.inUse)}
}

// types returns the number of distinct types counted.
func (c *Census) types() int {
	return len(c.extensions) + len(c.proposals) + len(c.credentials) + len(c.inUse)
}

// replace counts the member old out and the member new in; either may be nil.
// It fails with [ErrCensus], after which c is not to be used.
func (c *Census) replace(old, new *mls.LeafNode) error {
	if old != nil && new != nil && sameCapabilities(old, new) {
		return nil
	}
	if old != nil {
		c.members--
		c.count(old, -1)
	}
	if new != nil {
		c.members++
		c.count(new, 1)
	}
	if c.types() > MaxTypes {
		return ErrCensus
	}
	return nil
}

func sameCapabilities(a, b *mls.LeafNode) bool {
	return a.Credential.Type == b.Credential.Type &&
		slices.Equal(a.Capabilities.Extensions, b.Capabilities.Extensions) &&
		slices.Equal(a.Capabilities.Proposals, b.Capabilities.Proposals) &&
		slices.Equal(a.Capabilities.Credentials, b.Capabilities.Credentials)
}

func (c *Census) count(l *mls.LeafNode, by int) {
	c.extensions.each(l.Capabilities.Extensions, mls.ExtensionType.IsDefault, by)
	c.proposals.each(l.Capabilities.Proposals, mls.ProposalType.IsDefault, by)
	c.credentials.each(l.Capabilities.Credentials, nil, by)
	c.inUse.each([]mls.CredentialType{l.Credential.Type}, nil, by)
}

// tally counts members by type. Types that no member has are absent.
type tally[T ~uint16] map[T]uint32

// each counts the distinct types of a list, without GREASE and without those
// that every client supports anyway.
func (t *tally[T]) each(list []T, skip func(T) bool, by int) {
	for i, v := range list {
		if mls.IsGREASE(v) || (skip != nil && skip(v)) || slices.Contains(list[:i], v) {
			continue
		}
		if *t == nil {
			*t = make(tally[T])
		}
		n := int((*t)[v]) + by
		if n == 0 {
			delete(*t, v)
		} else {
			(*t)[v] = uint32(n)
		}
	}
}

// MarshalTLS encodes c.
func (c *Census) MarshalTLS(w *tlscodec.Writer) {
	w.Uint32(c.members)
	c.extensions.marshal(w)
	c.proposals.marshal(w)
	c.credentials.marshal(w)
	c.inUse.marshal(w)
}

// UnmarshalTLS decodes c.
func (c *Census) UnmarshalTLS(r *tlscodec.Reader) {
	*c = Census{members: r.Uint32()}
	c.extensions.unmarshal(r, c.members)
	c.proposals.unmarshal(r, c.members)
	c.credentials.unmarshal(r, c.members)
	c.inUse.unmarshal(r, c.members)
	if c.types() > MaxTypes {
		r.Fail(fmt.Errorf("%w: %w", tlscodec.ErrValue, ErrCensus))
	}
}

func (t tally[T]) marshal(w *tlscodec.Writer) {
	w.Vector(func(w *tlscodec.Writer) {
		for _, v := range slices.Sorted(maps.Keys(t)) {
			w.Uint16(uint16(v))
			w.Varint(int(t[v]))
		}
	})
}

func (t *tally[T]) unmarshal(r *tlscodec.Reader, members uint32) {
	*t = nil
	last := -1
	r.Vector(func(r *tlscodec.Reader) {
		v, n := r.Uint16(), r.Varint()
		if int(v) <= last || n == 0 || n > members {
			r.Fail(fmt.Errorf("%w: census", tlscodec.ErrValue))
			return
		}
		last = int(v)
		if *t == nil {
			*t = make(tally[T])
		}
		(*t)[T(v)] = n
	})
}
