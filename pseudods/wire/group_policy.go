package wire

import (
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// ExtensionGroupPolicy is the type of the GroupContext extension that holds a
// [GroupPolicy]; it is from the private-use range of RFC 9420, Section 17.3.
const ExtensionGroupPolicy mls.ExtensionType = 0xF0D2

// Profile says what leaves tell of their holders.
type Profile uint8

// The profiles. A service refuses a group of a profile that it does not serve,
// and never takes one for another.
const (
	// ProfilePseudonymous: nothing.
	ProfilePseudonymous Profile = 1
	// ProfileIdentified: the account, in an [AccountCredential]. It is for
	// organisations that must know who takes part and keep what is sent.
	ProfileIdentified Profile = 2
)

// GroupPolicy is what all members of a group agreed on and its service enforces.
// As it stands in the GroupContext, every member of an epoch has the same, and
// sees whether the service keeps it. It changes by [OpChangePolicy] alone; the
// profile never does.
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
	// Admins are the users who may add and remove others and change the policy,
	// by [MemberName].User. If there are none every member may.
	Admins [][]byte
	// Banned are users who may not come back, by the same names: their leaves are
	// refused, however they come.
	Banned [][]byte
}

// maxUser is the longest name of a user in octets.
const maxUser = maxBare + 1 + maxDomain

// maxListed bounds how many users a policy lists for each purpose.
const maxListed = 1024

// IsAdmin reports whether a user may add and remove others and change the
// policy.
func (p *GroupPolicy) IsAdmin(user string) bool { return len(p.Admins) == 0 || lists(p.Admins, user) }

// IsBanned reports whether a user's leaves are refused.
func (p *GroupPolicy) IsBanned(user string) bool { return lists(p.Banned, user) }

func lists(users [][]byte, user string) bool {
	return slices.ContainsFunc(users, func(u []byte) bool { return string(u) == user })
}

// DefaultPolicy is that of a group without the extension.
var DefaultPolicy = GroupPolicy{Profile: ProfilePseudonymous, BarePseudonyms: true, ExternalJoins: true, Guests: true}

// MarshalTLS encodes p.
func (p *GroupPolicy) MarshalTLS(w *tlscodec.Writer) {
	if !p.valid() {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Uint8(uint8(p.Profile))
	w.Uint32(p.MaxMembers)
	w.Bool(p.BarePseudonyms)
	w.Bool(p.ExternalJoins)
	w.Bool(p.Guests)
	writeOctetStrings(w, p.Admins)
	writeOctetStrings(w, p.Banned)
}

func (p *GroupPolicy) valid() bool {
	if p.Profile != ProfilePseudonymous && p.Profile != ProfileIdentified {
		return false
	}
	for _, list := range [][][]byte{p.Admins, p.Banned} {
		if len(list) > maxListed || slices.ContainsFunc(list, func(u []byte) bool { return len(u) == 0 || len(u) > maxUser }) {
			return false
		}
	}
	return true
}

// UnmarshalTLS decodes p.
func (p *GroupPolicy) UnmarshalTLS(r *tlscodec.Reader) {
	*p = GroupPolicy{Profile(r.Uint8()), r.Uint32(), r.Bool(), r.Bool(), r.Bool(), readOctetStrings(r), readOctetStrings(r)}
	if r.Err() == nil && !p.valid() {
		r.Fail(fmt.Errorf("%w: policy", tlscodec.ErrValue))
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
