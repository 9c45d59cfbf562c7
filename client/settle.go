package client

import (
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func asRefusal(err error) (*wire.Error, bool) {
	var refused *wire.Error
	return refused, errors.As(err, &refused)
}

// unanswered reports whether a request was sent, and what it came to is not known:
// an answer that does not decode tells nothing of it.
func unanswered(err error) bool {
	return errors.Is(err, account.ErrUncertain) || errors.Is(err, account.ErrService)
}

// settle does what the client owes to the group: it finds out about what was
// uncertain, replaces the address that came with a KeyPackage, commits proposals
// that wait, tells keys, and sends what is in the outbox. A refusal is no error:
// the group may have moved on, and the next call tries again.
func (g *Group) settle(ctx context.Context) error {
	if g.state == StateCreating {
		err := g.settleCreation(ctx)
		if _, refused := asRefusal(err); refused {
			return nil
		}
		return err
	}
	if g.mls == nil || g.state == StateLost || g.state == StateLeft {
		return nil
	}
	for _, step := range []func(context.Context) error{g.resolve, g.bind, g.commitWaiting, g.introduce, g.flush} {
		if g.active() != nil {
			return nil
		}
		err := step(ctx)
		if _, refused := asRefusal(err); refused || errors.Is(err, ErrPending) || errors.Is(err, ErrBusy) || errors.Is(err, ErrNotMember) || errors.Is(err, ErrLost) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleCreation finds out whether a group is there whose creation was not
// answered, and otherwise hands that in again. A group that the service does not
// take is dropped once no earlier request can make it any more.
func (g *Group) settleCreation(ctx context.Context) error {
	p := g.record.commit
	if p == nil {
		return g.drop()
	}
	_, err := g.outcome(ctx, p.key)
	if err == nil {
		return g.registered()
	}
	if !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
		return err
	}
	late := uint64(g.c.now().Unix()) > p.until
	if p.body.Len() > 0 {
		err = g.register(ctx)
		refused, ok := asRefusal(err)
		if !ok || refused.Code == wire.CodeRateLimited {
			return err
		}
		p.body = secret.Bytes{} // which would be refused again, at the same price
	}
	if late {
		return g.drop()
	}
	return g.save()
}

// bind gives the service an address that only this group's service can use, in
// place of the one in the KeyPackage, whose secret the adder knows, or of one
// whose key the queue service is about to drop.
func (g *Group) bind(ctx context.Context) error {
	if g.unwanted {
		return g.leave(ctx)
	}
	if g.bound && !slices.Contains(g.c.account.DueAddresses(), g.address) {
		return nil
	}
	address, id, err := g.c.account.BoundAddress(ctx, g.domain, g.id)
	if err != nil {
		return err
	}
	if _, err := g.call(ctx, wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: g.id, Address: *address}); err != nil {
		if !unanswered(err) {
			err = errors.Join(err, g.c.account.Forget(id))
		}
		return err
	}
	// Messages that were accepted before still come by the old address.
	g.address, g.bound = id, true
	return g.save()
}

// commitWaiting commits proposals of others that wait: as long as they do nobody
// can send (RFC 9420, Section 12.4).
func (g *Group) commitWaiting(ctx context.Context) error {
	own, err := g.mls.OwnLeaf()
	if err != nil {
		return nil
	}
	wait := false
	for _, p := range g.mls.Proposals() {
		if p.Type == mls.ProposalTypeSelfRemove && p.Sender.Leaf == own || p.Type == mls.ProposalTypeRemove && p.Remove == own {
			return nil // who leaves cannot commit that
		}
		wait = wait || p.Type != mls.ProposalTypeAdd
	}
	if !wait || g.state == StateLeaving {
		return nil
	}
	return g.commit(ctx, &change{op: wire.OpUpdate})
}

// introduce tells keys to whom the roster cannot: a member that joined from
// outside tells its own link key, and gets the roster's.
func (g *Group) introduce(ctx context.Context) error {
	if g.hello {
		c := &content{kind: contentHello, client: g.persona.Pseudonym.Credential.Client, link: g.persona.Pseudonym.LinkKey.Bytes}
		if err := g.owe(ctx, &g.hello, c); err != nil {
			return err
		}
	}
	if g.newcomer && g.roster != nil {
		generation, key := g.roster.Key()
		return g.owe(ctx, &g.newcomer, &content{kind: contentRoster, generation: generation, key: key})
	}
	return nil
}

// owe posts a content, which is owed until it is in the outbox.
func (g *Group) owe(ctx context.Context, owed *bool, c *content) error {
	*owed = false // saved with the outbox
	err := g.post(ctx, c)
	if errors.Is(err, ErrOutbox) {
		*owed = true
		return nil // there will be room once that is sent
	}
	_, refused := asRefusal(err)
	*owed = err != nil && !refused && !errors.Is(err, ErrKept)
	return err
}

// Maintain does what is due now and then: it fetches tokens, publishes
// KeyPackages, replaces addresses, and renews the client's keys in groups where it
// has not done so for long.
func (c *Client) Maintain(ctx context.Context) error {
	err := c.account.Refill(ctx)
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		err = errors.Join(slices.DeleteFunc(slices.Clone(all.Unwrap()), func(err error) bool {
			return errors.Is(err, account.ErrNoTokens) // the allowance is used up for now
		})...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(err, c.settle(ctx))
}
