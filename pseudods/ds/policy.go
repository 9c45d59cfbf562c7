package ds

import (
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// MaxLeaf is the octets of a leaf node, of which pseudonymous ones take less than a
// thousand and such with chains of certificates a few thousand: who joins fetches those
// of all members.
const MaxLeaf = 32 << 10

// leafCheck returns what refuses a leaf that is too large or whose credential does not
// fit the group's profile, and one of a client that may not enter. Who is a member stays
// one when the policy changes, until somebody removes it.
func leafCheck(p *wire.GroupPolicy) func(old, leaf *mls.LeafNode) error {
	return func(old, leaf *mls.LeafNode) error {
		if b, err := mls.Marshal(leaf); err != nil || len(b) > MaxLeaf {
			return errTooLarge
		}
		name, err := wire.ParseMemberName(p.Profile, &leaf.Credential)
		if err != nil || old != nil { // which has the same credential, see rules
			return err
		}
		return mayEnter(p, name)
	}
}

// mayEnter refuses those whom the policy bans, or whose kind of credential it
// does not want.
func mayEnter(p *wire.GroupPolicy, name *wire.MemberName) error {
	bare := p.Profile == wire.ProfilePseudonymous && name.Credential == nil
	if bare && !p.BarePseudonyms || p.IsBanned(name.User) {
		return notAllowed
	}
	return nil
}

// name reads a leaf's credential by the group's profile.
func (r *request) name(leaf *mls.LeafNode) (*wire.MemberName, error) {
	return wire.ParseMemberName(r.policy.Profile, &leaf.Credential)
}

// mayManage reports whether a member may add and remove others, change the
// policy, and end the group.
func (r *request) mayManage(leaf *mls.LeafNode) (bool, error) {
	name, err := r.name(leaf)
	if err != nil {
		return false, err
	}
	guest := name.Provider != "" && name.Provider != r.service.cfg.Domain
	return r.policy.IsAdmin(name.User) && (r.policy.Guests || !guest), nil
}

// checkPolicyChange checks that a commit changes the policy and nothing else of
// the GroupContext, that the profile stays, that the group is not locked, and
// that whom the commit removes by value, all clients of a user, may not come
// back. A ban of somebody who is there is one step in this way: in two, the user
// could act in between, or stay.
func (r *request) checkPolicyChange(c *publicgroup.StagedCommit, removed []mls.LeafIndex) (*wire.GroupPolicy, error) {
	before, after := r.public.Context().Extensions, c.Effects.Extensions
	if !before.Without(wire.ExtensionGroupPolicy).Equal(after.Without(wire.ExtensionGroupPolicy)) {
		return nil, notAllowed
	}
	next, err := wire.PolicyOf(after)
	if err != nil {
		return nil, err
	}
	if next.Profile != r.policy.Profile || next.MaxMembers != 0 && next.MaxMembers < c.Effects.Edit.Members() {
		return nil, notAllowed
	}
	for _, l := range removed {
		leaf, err := r.public.Leaf(l)
		if err != nil {
			return nil, err
		}
		name, err := r.name(leaf)
		if err != nil {
			return nil, err
		}
		if !next.IsBanned(name.User) {
			return nil, notAllowed
		}
	}
	return &next, r.checkAdmins(&next)
}

// checkAdmins refuses a policy by which nobody who is in the group could change
// it again.
func (r *request) checkAdmins(next *wire.GroupPolicy) error {
	if len(next.Admins) == 0 {
		return nil
	}
	lookups := make([]Lookup, len(next.Admins))
	for i, user := range next.Admins {
		if next.IsBanned(string(user)) {
			return notAllowed
		}
		lookups[i].Key = r.group.name(keyUser, user)
	}
	found, err := r.group.read(lookups...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Key != nil {
			return nil
		}
	}
	return notAllowed
}

// checkNewPolicy checks the policy of a group that somebody creates.
func (c *Config) checkNewPolicy(p *wire.GroupPolicy, creator *mls.LeafNode) error {
	if !c.serves(p.Profile) {
		return notAllowed
	}
	name, err := wire.ParseMemberName(p.Profile, &creator.Credential)
	if err != nil {
		return err
	}
	if !p.IsAdmin(name.User) {
		return notAllowed
	}
	return nil
}

// checkReInit refuses to go on with another profile: a group of one is never
// taken for its successor of another.
func (r *request) checkReInit(p *mls.ReInit) error {
	next, err := wire.PolicyOf(p.Extensions)
	if err != nil {
		return errors.Join(&wire.Error{Code: wire.CodeMalformed}, err)
	}
	if next.Profile != r.policy.Profile {
		return notAllowed
	}
	return nil
}
