package client

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// errPolicy: a commit does what its maker may not do.
var errPolicy = errors.New("client: commit breaks the group's policy")

// ChangePolicy changes what the members agree on, for all members at once. The
// profile stays as it is.
func (g *Group) ChangePolicy(ctx context.Context, change func(*wire.GroupPolicy)) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	if err := g.admin(); err != nil {
		return err
	}
	return g.commit(ctx, changePolicy(g, change))
}

func changePolicy(g *Group, edit func(*wire.GroupPolicy)) *change {
	return &change{op: wire.OpChangePolicy, proposals: func() ([]*mls.Proposal, error) {
		p := g.policy()
		edit(&p)
		out, err := g.withPolicy(&p)
		return []*mls.Proposal{out}, err
	}}
}

// withPolicy proposes the present extensions with another policy.
func (g *Group) withPolicy(p *wire.GroupPolicy) (*mls.Proposal, error) {
	es, err := g.mls.Context().Extensions.Without(wire.ExtensionGroupPolicy).With(wire.ExtensionGroupPolicy, p)
	if err != nil {
		return nil, err
	}
	return group.GroupContextExtensions(es), nil
}

// checkCommit refuses a commit that the service should have refused: each member
// enforces the policy for itself, so that a service that does not is found out
// (INV-10). All members decide alike, since all see the same.
func (g *Group) checkCommit(c *group.Committed) error {
	if g.mls == nil {
		return nil
	}
	p := g.policy()
	next, err := wire.PolicyOf(c.Extensions)
	if err != nil {
		return err
	}
	for i := range c.Added {
		if err := g.mayEnter(&next, c.Added[i].New); err != nil {
			return err
		}
	}
	if c.External {
		return g.mayEnter(&next, c.Path.New)
	}
	committer, err := g.mls.Member(c.Committer)
	if err != nil {
		return err
	}
	name, err := wire.ParseMemberName(p.Profile, &committer.Credential)
	if err != nil {
		return err
	}
	if g.policyChanged(c) && (!p.IsAdmin(name.User) || next.Profile != p.Profile) {
		return errPolicy
	}
	for i := range c.Added {
		added, err := wire.ParseMemberName(p.Profile, &c.Added[i].New.Credential)
		if err != nil || added.User != name.User && !p.IsAdmin(name.User) {
			return errPolicy
		}
	}
	return nil
}

func (g *Group) mayEnter(p *wire.GroupPolicy, leaf *mls.LeafNode) error {
	name, err := wire.ParseMemberName(p.Profile, &leaf.Credential)
	if err != nil {
		return err
	}
	bare := p.Profile == wire.ProfilePseudonymous && name.Credential == nil
	if p.IsBanned(name.User) || bare && !p.BarePseudonyms {
		return errPolicy
	}
	return nil
}

// policyChanged reports whether a commit has changed the policy.
func (g *Group) policyChanged(c *group.Committed) bool {
	before, _ := g.before.Find(wire.ExtensionGroupPolicy)
	after, _ := c.Extensions.Find(wire.ExtensionGroupPolicy)
	return string(before) != string(after)
}
