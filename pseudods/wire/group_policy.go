package wire

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// ExtensionGroupPolicy is the type of the GroupContext extension that holds a
// [GroupPolicy]; it is from the private-use range of RFC 9420, Section 17.3.
const ExtensionGroupPolicy mls.ExtensionType = 0xF0D2

// Profile says what leaves tell of their holders.
type Profile uint8

// ProfilePseudonymous: nothing. It is the only profile there is; a service
// refuses a group of another one, and never takes it for this.
const ProfilePseudonymous Profile = 1

// GroupPolicy is what all members of a group agreed on and its service enforces.
// As it stands in the GroupContext, every member of an epoch has the same, and
// sees whether the service keeps it. It does not change in the life of a group.
type GroupPolicy struct {
	Profile Profile
	// MaxMembers is the largest size, as far as the service allows it; 0 means
	// what the service allows.
	MaxMembers uint32
	// BarePseudonyms admits leaves without a [PseudonymousCredential].
	BarePseudonyms bool
	// ExternalJoins lets whoever has the group state key join by external
	// commit. Members rejoin in any case.
	ExternalJoins bool
	// Guests lets members of other providers than the group's service add and
	// remove users.
	Guests bool
}

// DefaultPolicy is that of a group without the extension.
var DefaultPolicy = GroupPolicy{Profile: ProfilePseudonymous, BarePseudonyms: true, ExternalJoins: true, Guests: true}

// MarshalTLS encodes p.
func (p *GroupPolicy) MarshalTLS(w *tlscodec.Writer) {
	if p.Profile != ProfilePseudonymous {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint8(uint8(p.Profile))
	w.Uint32(p.MaxMembers)
	w.Bool(p.BarePseudonyms)
	w.Bool(p.ExternalJoins)
	w.Bool(p.Guests)
}

// UnmarshalTLS decodes p.
func (p *GroupPolicy) UnmarshalTLS(r *tlscodec.Reader) {
	*p = GroupPolicy{Profile(r.Uint8()), r.Uint32(), r.Bool(), r.Bool(), r.Bool()}
	if r.Err() == nil && p.Profile != ProfilePseudonymous {
		r.Fail(fmt.Errorf("%w: profile", tlscodec.ErrValue))
	}
}

// PolicyOf returns the policy in a GroupContext's extensions, or the default.
func PolicyOf(es mls.Extensions) (GroupPolicy, error) {
	var p GroupPolicy
	if ok, err := es.Decode(ExtensionGroupPolicy, &p); err != nil || !ok {
		return DefaultPolicy, err
	}
	return p, nil
}
