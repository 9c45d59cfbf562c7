package ds

import (
	"bytes"
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// byValue returns the proposals that a commit brings itself, without PSKs, which
// every commit may have. Those it names were checked when they came.
func byValue(message []byte) ([]*mls.Proposal, error) {
	var m mls.Message
	if err := mls.Unmarshal(message, &m); err != nil {
		return nil, err
	}
	if m.PublicMessage == nil || m.PublicMessage.Content.Commit == nil {
		return nil, publicgroup.ErrContentType
	}
	var out []*mls.Proposal
	for _, p := range m.PublicMessage.Content.Commit.Proposals {
		if p.Proposal != nil && p.Proposal.Type != mls.ProposalTypePSK {
			out = append(out, p.Proposal)
		}
	}
	return out, nil
}

// intents says of which types the proposals by value of a commit must be.
var intents = map[wire.Operation]struct {
	types    []mls.ProposalType
	external bool
	least    int
}{
	wire.OpAddUsers:      {types: []mls.ProposalType{mls.ProposalTypeAdd}, least: 1},
	wire.OpAddClients:    {types: []mls.ProposalType{mls.ProposalTypeAdd}, least: 1},
	wire.OpRemoveUsers:   {types: []mls.ProposalType{mls.ProposalTypeRemove}, least: 1},
	wire.OpRemoveClients: {types: []mls.ProposalType{mls.ProposalTypeRemove}, least: 1},
	wire.OpReInit:        {types: []mls.ProposalType{mls.ProposalTypeReInit}, least: 1},
	wire.OpChangePolicy:  {types: []mls.ProposalType{mls.ProposalTypeGroupContextExtensions, mls.ProposalTypeRemove}, least: 1},
	wire.OpUpdate:        {},
	wire.OpExternalJoin:  {types: []mls.ProposalType{mls.ProposalTypeExternalInit}, external: true, least: 1},
	wire.OpRejoin:        {types: []mls.ProposalType{mls.ProposalTypeExternalInit, mls.ProposalTypeRemove}, external: true, least: 2},
}

// checkIntent checks that a commit does what its operation says: to users as a
// whole, or to clients of the committer's own user.
func (r *request) checkIntent(message []byte, c *publicgroup.StagedCommit) error {
	intent := intents[r.Operation]
	list, err := byValue(message)
	if err != nil {
		return err
	}
	e := c.Effects
	if len(list) < intent.least || e.External != intent.external || !e.External && e.Committer != r.Auth.Leaf ||
		r.Operation == wire.OpUpdate && !c.Path {
		return notAllowed
	}
	var removed []mls.LeafIndex
	for _, p := range list {
		fits := false
		for _, t := range intent.types {
			fits = fits || p.Type == t
		}
		if !fits {
			return notAllowed
		}
		if p.Type == mls.ProposalTypeRemove {
			removed = append(removed, p.Remove)
		}
	}
	if r.Operation == wire.OpChangePolicy && len(removed) == len(list) {
		return notAllowed
	}
	leaf, err := r.committerLeaf(c)
	if err != nil {
		return err
	}
	own, err := r.userOf(leaf)
	if err != nil {
		return err
	}
	if own.manages, err = r.mayManage(leaf); err != nil {
		return err
	}
	policy := &r.policy
	switch r.Operation {
	case wire.OpAddUsers, wire.OpRemoveUsers, wire.OpReInit, wire.OpChangePolicy:
		if !own.manages {
			return notAllowed
		}
	case wire.OpRejoin:
		return r.checkRejoin(c, leaf)
	case wire.OpExternalJoin:
		if own.leaves != nil || !r.policy.ExternalJoins {
			return notAllowed // own.leaves: another client of the user adds it
		}
	}
	switch r.Operation {
	case wire.OpChangePolicy:
		if policy, err = r.checkPolicyChange(c, removed); err != nil {
			return err
		}
	case wire.OpReInit:
		if err := r.checkReInit(c.Effects.ReInit); err != nil {
			return err
		}
	}
	if err := r.checkAdded(c, own, policy); err != nil {
		return err
	}
	return r.checkRemoved(c, removed, own)
}

// member is a user with the leaves it has before a commit.
type member struct {
	key     string
	leaves  leaves
	manages bool // see mayManage; of a committer
}

func (r *request) userOf(leaf *mls.LeafNode) (member, error) {
	key, of, err := r.group.user(leaf)
	return member{key: string(key), leaves: of}, err
}

// committerLeaf is the leaf before the commit, or that which comes with it.
func (r *request) committerLeaf(c *publicgroup.StagedCommit) (*mls.LeafNode, error) {
	if c.Effects.External {
		return c.Effects.Edit.Leaf(c.Effects.Committer)
	}
	return r.public.Leaf(c.Effects.Committer)
}

// checkRejoin checks who signed for a client that comes back: every member can
// write its credential. A client without a user key, as unmodified MLS clients and
// those of accounts are, comes back with the signature key that it had, and one
// that has lost it does not.
func (r *request) checkRejoin(c *publicgroup.StagedCommit, leaf *mls.LeafNode) error {
	name, err := r.name(leaf)
	if err != nil {
		return err
	}
	if name.Credential != nil {
		if r.Auth.Type != wire.AuthUser {
			return notAllowed
		}
		return nil
	}
	for _, x := range c.Effects.Removed {
		if x.Old.Credential.Equal(&leaf.Credential) && bytes.Equal(x.Old.SignatureKey, leaf.SignatureKey) {
			return nil
		}
	}
	return notAllowed
}

// checkAdded checks who is added, by value or not: clients of a new user, if the
// committer may add users and the policy that holds afterwards lets them in, or
// for [wire.OpAddClients] of the committer's. No two clients of a group have one
// name.
func (r *request) checkAdded(c *publicgroup.StagedCommit, own member, policy *wire.GroupPolicy) error {
	clients := map[string]bool{}
	for _, l := range own.leaves {
		leaf, err := r.public.Leaf(l)
		if err != nil {
			return errors.Join(errStore, err)
		}
		name, err := r.name(leaf)
		if err != nil {
			return errors.Join(errStore, err)
		}
		clients[own.key+name.Client] = true
	}
	for _, a := range c.Effects.Added {
		user, err := r.userOf(a.New)
		if err != nil {
			return err
		}
		name, err := r.name(a.New)
		if err != nil {
			return err
		}
		if clients[user.key+name.Client] ||
			(r.Operation == wire.OpAddClients) != (user.key == own.key) || user.key != own.key && (user.leaves != nil || !own.manages) {
			return notAllowed
		}
		if err := mayEnter(policy, name); err != nil {
			return err
		}
		clients[user.key+name.Client] = true
	}
	return nil
}

// checkRemoved checks who is removed by value: other users with all of their
// clients, or clients of the committer's user.
func (r *request) checkRemoved(c *publicgroup.StagedCommit, removed []mls.LeafIndex, own member) error {
	gone := map[mls.LeafIndex]bool{}
	for _, x := range c.Effects.Removed {
		gone[x.Leaf] = true
	}
	for _, l := range removed {
		leaf, err := r.public.Leaf(l)
		if errors.Is(err, tree.ErrNoMember) {
			return notAllowed
		} else if err != nil {
			return err
		}
		user, err := r.userOf(leaf)
		if err != nil {
			return err
		}
		if (user.key == own.key) != (r.Operation == wire.OpRemoveClients) {
			return notAllowed
		}
		if user.key == own.key {
			continue
		}
		for _, other := range user.leaves {
			if !gone[other] {
				return notAllowed
			}
		}
	}
	return nil
}
