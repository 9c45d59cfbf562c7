package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// change is what a commit is to do. It is made anew for each attempt, since the
// group may have changed.
type change struct {
	op wire.Operation
	// proposals returns what to commit by value in the present epoch. Nil, nil
	// for nothing.
	proposals func() ([]*mls.Proposal, error)
	joiners   []joiner
}

// joiner is a client that a commit adds.
type joiner struct {
	keyPackage *mls.KeyPackage
	link       identity.LinkKey // zero if the client has no identity link
}

// maxCommits is how often a change is made anew because other commits came
// first. In a group where all members commit at once the last one loses as often
// as there are others.
const maxCommits = 256

// commit carries out a change. Waiting proposals of others ride along, but for
// additions, whose addresses only their proposers know.
func (g *Group) commit(ctx context.Context, ch *change) error {
	for attempt := range maxCommits {
		if err := g.active(); err != nil {
			return err
		}
		if err := g.resolve(ctx); err != nil {
			return err
		}
		body, err := g.compose(ch)
		if err != nil {
			return err
		}
		_, err = g.offer(ctx, ch.op, body)
		var refused *wire.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused) && (refused.Code == wire.CodeWrongEpoch || refused.Code == wire.CodePendingProposals ||
			refused.Code == wire.CodeInvalidProposal && len(refused.Refs) > 0):
			if err := g.catchUp(ctx, refused, attempt); err != nil {
				return err
			}
		case errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}):
			if err := g.overtaken(ctx, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return ErrBusy
}

// offer hands a commit to the service and takes it over if the service does. The
// request is signed by the leaf, or by the newcomer that it brings.
func (g *Group) offer(ctx context.Context, op wire.Operation, body *wire.GroupCommit) (*wire.Accepted, error) {
	answer, err := g.call(ctx, op, body)
	if unanswered(err) {
		return nil, errors.Join(err, g.open(err))
	}
	if err != nil {
		g.mls.Discard()
		g.record.commit = nil
		return nil, errors.Join(err, g.save())
	}
	if err := g.won(); err != nil {
		return nil, err
	}
	g.grantAll(ctx, answer.Access)
	return answer, nil
}

// open keeps the pending commit, as what became of it is not known.
func (g *Group) open(err error) error {
	if uncertain := new(account.UncertainError); errors.As(err, &uncertain) {
		g.record.commit.until = uint64(uncertain.Until.Unix())
	}
	return g.save()
}

// won takes over the pending commit, which the service accepted. What came before
// it and was not yet read still comes from the queue.
func (g *Group) won() error {
	part := g.record.commit.part
	g.record.commit = nil
	g.before = g.mls.Context().Extensions
	committed, err := g.mls.Merge()
	if err != nil {
		return err
	}
	if err := g.follow(committed, part, 0); err != nil {
		return err
	}
	return g.save()
}

// compose makes a commit and the request's body, and saves both.
func (g *Group) compose(ch *change) (*wire.GroupCommit, error) {
	var proposals []*mls.Proposal
	if ch.proposals != nil {
		var err error
		if proposals, err = ch.proposals(); err != nil {
			return nil, err
		}
	}
	made, err := g.mls.Commit(group.CommitOptions{
		Proposals: proposals, ForcePath: true, GroupInfo: group.GroupInfoOptions{ExternalPub: true},
		Skip: func(p *epoch.Proposal) bool { return p.Type == mls.ProposalTypeAdd },
	})
	if err != nil {
		return nil, err
	}
	body, err := g.request(made, ch)
	if err == nil {
		err = g.save()
	}
	if err != nil {
		g.mls.Discard()
		g.record.commit = nil
		return nil, err
	}
	return body, nil
}

// requestLife is for how long after a request was made a service may accept it,
// clocks that differ included.
const requestLife = 6 * time.Minute

func (g *Group) request(made *group.Commit, ch *change) (*wire.GroupCommit, error) {
	body := &wire.GroupCommit{Group: g.id}
	var err error
	if body.Commit, err = mls.Marshal(made.Message); err != nil {
		return nil, err
	}
	if body.PartialGroupInfo, err = mls.Marshal(made.Partial); err != nil {
		return nil, err
	}
	if made.Welcome != nil {
		if body.Welcome, err = mls.Marshal(made.Welcome); err != nil {
			return nil, err
		}
	}
	if body.NextKey, err = g.exportStateKey(g.mls.PendingExport); err != nil {
		return nil, err
	}
	newcomers := map[wire.Pseudonym]identity.LinkKey{}
	for _, j := range ch.joiners {
		if name, err := wire.ParseMemberName(g.policy().Profile, &j.keyPackage.LeafNode.Credential); err == nil && name.Credential != nil && !j.link.IsZero() {
			newcomers[name.Credential.Client] = j.link
		}
	}
	part, generation, key, err := g.nextPart(made.What, newcomers)
	if err != nil {
		return nil, err
	}
	body.Roster = part
	for _, j := range ch.joiners {
		info := &wire.JoinInfo{GroupStateKey: body.NextKey, RosterGeneration: generation, RosterKey: key}
		sealed, err := g.joinInfo(j.keyPackage, info)
		if err != nil {
			return nil, err
		}
		body.Joiners = append(body.Joiners, wire.Joiner{Secret: info.DeliverySecret, JoinInfo: sealed})
	}
	encoded, err := mls.Marshal(body)
	if err != nil {
		return nil, err
	}
	g.record.commit = &pendingCommit{digest: digest(body.Commit), until: uint64(g.c.now().Add(requestLife).Unix()), part: part, key: body.NextKey,
		op: ch.op, body: secret.New(encoded)}
	return body, nil
}

// joinInfo draws a newcomer's first delivery secret and seals what it needs. A
// client without a queue address has nowhere to get it.
func (g *Group) joinInfo(p *mls.KeyPackage, info *wire.JoinInfo) ([]byte, error) {
	b := make([]byte, wire.DeliverySecretSize)
	if _, err := io.ReadFull(g.c.rand, b); err != nil {
		return nil, err
	}
	info.DeliverySecret = secret.New(b)
	var a wire.KeyPackageAddress
	if ok, err := p.Extensions.Decode(wire.ExtensionQueueAddress, &a); err != nil || !ok {
		return nil, err
	}
	return seal.SealJoinInfo(a.WelcomeKey, g.id, info)
}

// resolve finds out what became of a commit whose answer was lost, or that a crash
// kept from being sent. It hands the same commit in again: the service accepts it
// now, or refuses it because its epoch is over, by this commit or another. It fails
// with [ErrPending] if that is not decided, and with [ErrNotMember] or [ErrLost] if
// that is what the queue says.
func (g *Group) resolve(ctx context.Context) error {
	if g.record.commit == nil {
		return nil
	}
	// The queue brings every member its own commit.
	if err := g.c.receive(ctx, 0); err != nil {
		return err
	}
	if err := g.active(); err != nil || g.record.commit == nil {
		return err
	}
	p := g.record.commit
	if accepted, err := g.accepted(ctx, p); accepted || err != nil {
		return err
	}
	answer, err := g.call(ctx, p.op, encoded{p.body})
	if unanswered(err) {
		return errors.Join(err, g.open(err))
	}
	if err == nil {
		if err := g.won(); err != nil {
			return err
		}
		g.grantAll(ctx, answer.Access)
		return nil
	}
	refused, ok := asRefusal(err)
	if !ok {
		return err
	}
	if accepted, err := g.accepted(ctx, p); accepted || err != nil {
		return err
	}
	switch refused.Code {
	case wire.CodeNotAllowed, wire.CodeRateLimited: // which says nothing of the commit
		if uint64(g.c.now().Unix()) <= p.until {
			return ErrPending
		}
	}
	g.mls.Discard()
	g.record.commit = nil
	return g.save()
}

// accepted takes over the pending commit if the service says that it began the
// epoch it makes.
func (g *Group) accepted(ctx context.Context, p *pendingCommit) (bool, error) {
	// The key of that epoch opens the group only if the commit won.
	out, err := g.outcome(ctx, p.key)
	switch {
	case err == nil && out.Commit != nil && *out.Commit == p.digest:
		return true, g.won()
	case err != nil && !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}):
		return false, err
	}
	return false, nil
}

// encoded is a request's body as it was made before.
type encoded struct{ body secret.Bytes }

func (e encoded) MarshalTLS(w *tlscodec.Writer) { w.Raw(e.body.Reveal()) }

func (g *Group) outcome(ctx context.Context, key secret.Bytes) (*wire.CommitOutcome, error) {
	out := new(wire.CommitOutcome)
	err := g.c.account.Call(ctx, &account.Call{Domain: g.domain, Operation: wire.OpCommitOutcome,
		Body: &wire.OutcomeQuery{Group: g.id, Epoch: g.mls.Epoch() + 1}, GroupStateKey: key, Answer: out})
	return out, err
}

// catchUp waits for the messages that the service has and the client has not.
func (g *Group) catchUp(ctx context.Context, refused *wire.Error, attempt int) error {
	before, proposals := g.mls.Epoch(), len(g.mls.Proposals())
	for range 10 {
		if err := g.c.receive(ctx, time.Second); err != nil {
			return err
		}
		if err := g.active(); err != nil {
			return err
		}
		if g.mls.Epoch() != before || len(g.mls.Proposals()) != proposals || refused.Code == wire.CodeWrongEpoch && g.mls.Epoch() >= refused.Epoch {
			break
		}
	}
	// Those who lost together do not try again together.
	pause := time.Duration(rand.Int64N(int64(20*time.Millisecond) << min(attempt, 5)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
