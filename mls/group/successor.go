package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
)

// links reports whether a PSK ties a new group to another.
func links(id *mls.PreSharedKeyID) bool {
	return id.Type == mls.PSKTypeResumption && id.Usage != mls.ResumptionPSKUsageApplication
}

// Successor makes the group that a ReInit of this one asks for (RFC 9420,
// Section 11.2). c must be of the new suite. keyPackages are new ones of all
// other members. The group is at epoch 0 with its first commit pending; the
// Welcome is in the commit. It fails with [ErrNotReInitialised], or as [Create]
// and [Group.Commit] do.
func (g *Group) Successor(cfg Config, c *Client, keyPackages []*mls.KeyPackage, o CommitOptions) (*Group, *Commit, error) {
	r := g.reInit
	if g.ended != EndReInit {
		return nil, nil, ErrNotReInitialised
	}
	if c.Suite != r.CipherSuite || r.Version != mls.MLS10 {
		return nil, nil, ErrParameters
	}
	return g.found(cfg, c, r.GroupID, r.Extensions, mls.ResumptionPSKUsageReInit, keyPackages, o)
}

// Branch makes a group of some of this group's members (RFC 9420, Section 11.3),
// with the same parameters. keyPackages are new ones of the other members. The
// rest is as for [Group.Successor].
func (g *Group) Branch(cfg Config, c *Client, groupID []byte, extensions mls.Extensions, keyPackages []*mls.KeyPackage, o CommitOptions) (*Group, *Commit, error) {
	if err := g.active(); err != nil {
		return nil, nil, err
	}
	if c.Suite != g.suite.ID() {
		return nil, nil, ErrParameters
	}
	return g.found(cfg, c, groupID, extensions, mls.ResumptionPSKUsageBranch, keyPackages, o)
}

// found makes a group that is tied to g, and its first commit.
func (g *Group) found(cfg Config, c *Client, groupID []byte, extensions mls.Extensions, usage mls.ResumptionPSKUsage, keyPackages []*mls.KeyPackage, o CommitOptions) (*Group, *Commit, error) {
	to, err := Create(cfg, c, groupID, extensions)
	if err != nil {
		return nil, nil, err
	}
	psk, err := pskProposal(to.cfg.Rand, to.suite, mls.PreSharedKeyID{
		Type: mls.PSKTypeResumption, Usage: usage, GroupID: g.GroupID(), Epoch: g.Epoch()})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range keyPackages {
		o.Proposals = append(o.Proposals[:len(o.Proposals):len(o.Proposals)], Add(p))
	}
	o.Proposals = append(o.Proposals, psk)
	made, err := to.commit(o, []mls.PSK{{ID: *psk.PSK, Key: g.now.secrets.Resumption}})
	if err != nil {
		return nil, nil, err
	}
	return to, made, nil
}

// linkPSK returns the key that ties a new group to g, which may be nil.
func (g *Group) linkPSK(id *mls.PreSharedKeyID) (secret.Bytes, error) {
	switch {
	case g == nil || g.now.secrets == nil || g.inGroup(id.GroupID) != nil:
		return secret.Bytes{}, ErrPredecessor
	case id.Usage == mls.ResumptionPSKUsageReInit:
		if g.ended != EndReInit || id.Epoch != g.Epoch() {
			return secret.Bytes{}, ErrPredecessor
		}
		return g.now.secrets.Resumption, nil
	case id.Epoch == g.Epoch():
		return g.now.secrets.Resumption, nil
	}
	for _, r := range g.resume {
		if r.epoch == id.Epoch {
			return r.psk, nil
		}
	}
	return secret.Bytes{}, fmt.Errorf("%w: its epoch is no longer known", ErrPredecessor)
}

// checkBefore verifies that a new group is what it claims to be to the one
// before: its continuation with all its members, or a branch of some of them
// (RFC 9420, Section 12.4.3.1).
func checkBefore(cfg *Config, before *Group, ids []mls.PreSharedKeyID, state *epoch.State) error {
	var link *mls.PreSharedKeyID
	for i := range ids {
		if links(&ids[i]) {
			link = &ids[i]
		}
	}
	if link == nil {
		if before != nil {
			return fmt.Errorf("%w: it does not claim to be", ErrPredecessor)
		}
		return nil
	}
	ctx := &state.Context
	if ctx.Epoch != 1 {
		return fmt.Errorf("%w: epoch", ErrPredecessor)
	}
	old := before.now.public
	if link.Usage == mls.ResumptionPSKUsageBranch {
		if ctx.Version != old.Context.Version || ctx.CipherSuite != old.Context.CipherSuite {
			return fmt.Errorf("%w: parameters", ErrPredecessor)
		}
		return cfg.membersAmong(state, old)
	}
	r := before.reInit
	if !bytes.Equal(ctx.GroupID, r.GroupID) || ctx.Version != r.Version || ctx.CipherSuite != r.CipherSuite || !ctx.Extensions.Equal(r.Extensions) {
		return fmt.Errorf("%w: parameters", ErrPredecessor)
	}
	return cfg.membersAmong(old, state)
}

// membersAmong fails with [ErrPredecessor] unless each member of some is the
// same client as a member of all. By the default rule, equal credentials, it is
// linear; by a rule of the application it compares each with each.
func (c *Config) membersAmong(some, all *epoch.State) error {
	var leaves []*mls.LeafNode
	credentials := make(map[string]struct{})
	err := all.Tree.EachLeaf(func(_ mls.LeafIndex, l *mls.LeafNode) error {
		name, err := mls.Marshal(&l.Credential)
		leaves, credentials[string(name)] = append(leaves, l), struct{}{}
		return err
	})
	if err != nil {
		return err
	}
	return some.Tree.EachLeaf(func(_ mls.LeafIndex, l *mls.LeafNode) error {
		name, err := mls.Marshal(&l.Credential)
		if err != nil {
			return err
		}
		_, found := credentials[string(name)]
		if c.Rules != nil && c.Rules.SameClient != nil {
			found = slices.ContainsFunc(leaves, func(other *mls.LeafNode) bool { return c.Rules.SameClient(l, other) })
		}
		if !found {
			return fmt.Errorf("%w: members", ErrPredecessor)
		}
		return nil
	})
}
