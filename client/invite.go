package client

import (
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Invite adds contacts to the group, in one commit. Each costs a KeyPackage of
// the contact's, which is used up even if the commit fails.
func (g *Group) Invite(ctx context.Context, contacts ...*account.Contact) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	if err := g.admin(); err != nil {
		return err
	}
	ch := &change{op: wire.OpAddUsers}
	for _, contact := range contacts {
		p, link, err := g.c.account.FetchKeyPackage(ctx, contact)
		if err != nil {
			return err
		}
		ch.joiners = append(ch.joiners, joiner{p, link})
	}
	return g.add(ctx, ch)
}

// InviteKeyPackage adds a client by a KeyPackage that came some other way, such
// as one without an identity link.
func (g *Group) InviteKeyPackage(ctx context.Context, p *mls.KeyPackage) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	if err := g.admin(); err != nil {
		return err
	}
	return g.add(ctx, &change{op: wire.OpAddUsers, joiners: []joiner{{keyPackage: p}}})
}

func (g *Group) add(ctx context.Context, ch *change) error {
	ch.proposals = func() (out []*mls.Proposal, err error) {
		for _, j := range ch.joiners {
			out = append(out, group.Add(j.keyPackage))
		}
		return out, nil
	}
	return g.commit(ctx, ch)
}

// admin checks that the group's policy lets this client's user add, remove and
// decide.
func (g *Group) admin() error {
	leaf, err := g.ownLeaf()
	if err != nil {
		return err
	}
	name, err := wire.ParseMemberName(g.policy().Profile, &leaf.Credential)
	if err != nil {
		return err
	}
	if p := g.policy(); !p.IsAdmin(name.User) {
		return ErrNotAdmin
	}
	return nil
}

func (g *Group) ownLeaf() (*mls.LeafNode, error) {
	l, err := g.mls.OwnLeaf()
	if err != nil {
		return nil, ErrNotMember
	}
	return g.mls.Member(l)
}

// Remove removes a user with all of its clients. The user is named as in
// [Member.Name], or by the beginning of its pseudonym as [Member.String] shows
// it.
func (g *Group) Remove(ctx context.Context, user string) error {
	return g.remove(ctx, user, wire.OpRemoveUsers, nil)
}

// Ban removes a user and puts it on the policy's list of those who may not come
// back under that pseudonym.
func (g *Group) Ban(ctx context.Context, user string) error {
	return g.remove(ctx, user, wire.OpChangePolicy, func(p *wire.GroupPolicy, name string) {
		p.Banned = append(slices.Clone(p.Banned), []byte(name))
	})
}

func (g *Group) remove(ctx context.Context, user string, op wire.Operation, policy func(*wire.GroupPolicy, string)) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	if err := g.admin(); err != nil {
		return err
	}
	name, err := g.find(user)
	if err != nil {
		return err
	}
	return g.commit(ctx, &change{op: op, proposals: func() ([]*mls.Proposal, error) {
		var out []*mls.Proposal
		err := g.mls.EachMember(func(l mls.LeafIndex, leaf *mls.LeafNode) error {
			if g.member(l, leaf).User == name {
				out = append(out, group.Remove(l))
			}
			return nil
		})
		if err == nil && len(out) == 0 {
			err = ErrNoMember
		}
		if err != nil || policy == nil {
			return out, err
		}
		p := g.policy()
		policy(&p, name)
		change, err := g.withPolicy(&p)
		return append(out, change), err
	}})
}

// find returns the user that a name means, other than this client's own.
func (g *Group) find(user string) (string, error) {
	found := map[string]bool{}
	err := g.mls.EachMember(func(l mls.LeafIndex, leaf *mls.LeafNode) error {
		if m := g.member(l, leaf); !m.OwnUser && (m.String() == user || m.User == user) {
			found[m.User] = true
		}
		return nil
	})
	if err != nil || len(found) != 1 {
		return "", ErrNoMember
	}
	for name := range found {
		return name, nil
	}
	return "", ErrNoMember
}

// Update renews the client's keys in the group, so that who had got hold of its
// state reads no further.
func (g *Group) Update(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	return g.commit(ctx, &change{op: wire.OpUpdate})
}

// Leave leaves the group. The client proposes its removal, which some other
// member's client commits; until then [Group.State] is [StateLeaving]. The last
// member deletes the group instead.
func (g *Group) Leave(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	return g.leave(ctx)
}

func (g *Group) leave(ctx context.Context) error {
	if err := g.active(); err != nil {
		return err
	}
	if err := g.resolve(ctx); err != nil {
		return err
	}
	if g.mls.Members() == 1 {
		return g.delete(ctx)
	}
	for attempt := range maxCommits {
		m, err := g.mls.Propose(group.SelfRemove(), group.MessageOptions{})
		if err != nil {
			return err
		}
		encoded, err := mls.Marshal(m)
		if err != nil {
			return err
		}
		g.state, g.unwanted = StateLeaving, true
		if err := g.save(); err != nil {
			return err
		}
		if _, err = g.call(ctx, wire.OpSelfRemove, &wire.GroupMessage{Group: g.id, Message: encoded}); err == nil {
			g.unwanted = false
			return g.save()
		}
		if retry, err := g.again(ctx, err, attempt); !retry {
			return err
		}
	}
	return ErrBusy
}

// again reads on after the service has refused a request because the group has
// moved on, and reports whether to make it anew.
func (g *Group) again(ctx context.Context, err error, attempt int) (bool, error) {
	refused, ok := asRefusal(err)
	switch {
	case !ok:
		return false, err
	case refused.Code == wire.CodeWrongEpoch:
		err = g.catchUp(ctx, refused, attempt)
	case refused.Code == wire.CodeNotAllowed:
		err = g.overtaken(ctx, refused)
	default:
		return false, err
	}
	return err == nil, err
}

// Delete deletes the group at the service. Only the last member can; it fails
// with [ErrNotAdmin] otherwise.
func (g *Group) Delete(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.active(); err != nil {
		return err
	}
	if g.mls.Members() > 1 {
		return ErrNotAdmin
	}
	return g.delete(ctx)
}

func (g *Group) delete(ctx context.Context) error {
	_, err := g.call(ctx, wire.OpDeleteGroup, &wire.GroupQuery{Group: g.id})
	if notAllowed := (&wire.Error{Code: wire.CodeNotAllowed}); errors.Is(err, notAllowed) {
		// So is what is asked about a group that an earlier request has deleted.
		key, failed := g.stateKey()
		if failed != nil {
			return failed
		}
		if _, gone := g.outcome(ctx, key); errors.Is(gone, notAllowed) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return g.left(0)
}

// Forget deletes what the client has of a group that it is no longer in.
func (g *Group) Forget() error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.state != StateLeft {
		return ErrLast
	}
	return g.drop()
}

// Block ends the group for this client without telling anybody: its queue takes
// nothing more by the address that the group has. The others go on seeing the
// pseudonym as a member.
func (g *Group) Block(ctx context.Context) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if err := g.c.account.Revoke(ctx, g.address); err != nil {
		return err
	}
	return g.left(0)
}
