package client

import (
	"context"
	"errors"
	"slices"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// tell keeps an event until the application has it.
func (g *Group) tell(e Event) {
	e.Group = g.id
	g.events.add(e)
	g.dirty = true
}

// take handles a message of the group. What a broken or hostile member or
// service sent changes nothing.
func (g *Group) take(ctx context.Context, in *account.Incoming) error {
	f := in.Fanout
	if g.mls == nil || g.state == StateLeft {
		return nil
	}
	if f.Kind == wire.FanoutTargeted {
		g.takeTargeted(f)
		return nil
	}
	if in.Sequence <= g.sequence {
		return nil // it came before
	}
	var keys [][]byte
	if f.Kind == wire.FanoutApplication && g.state != StateLost {
		var err error
		if keys, err = g.frankKeys(ctx, f.Frank); err != nil {
			return err
		}
	}
	if in.Sequence > g.sequence+1 {
		g.tell(Event{Kind: EventLost, Sequence: in.Sequence})
	}
	g.sequence, g.dirty = in.Sequence, true
	m, err := parse(f.Message)
	if err != nil {
		return nil
	}
	if g.state == StateLost {
		return nil
	}
	before := g.mls.Epoch()
	g.before = g.mls.Context().Extensions
	got, err := g.mls.Process(m)
	switch {
	case err == nil:
	case g.beyond(f.Kind, m, err, before):
		g.lose(in.Sequence)
		return nil
	default:
		return nil // its own, or late, or not valid
	}
	switch {
	case got.Application != nil:
		return g.takeApplication(got, f.Frank, keys, in.Sequence)
	case got.Committed != nil:
		part := f.Roster
		if got.Committed.Own {
			if g.record.commit != nil {
				part = g.record.commit.part
			}
		}
		g.record.commit = nil // merged, or lost to this one
		return g.follow(got.Committed, part, in.Sequence)
	}
	return nil
}

// beyond reports whether a message that was refused shows that this client cannot
// follow: it is of a later epoch, as messages come in order, or a commit of this
// one that the service took.
func (g *Group) beyond(kind wire.FanoutKind, m *mls.Message, err error, before uint64) bool {
	at := before
	switch {
	case m.PublicMessage != nil:
		at = m.PublicMessage.Content.Epoch
	case m.PrivateMessage != nil:
		at = m.PrivateMessage.Epoch
	}
	return at > before || kind == wire.FanoutCommit && at == before && !errors.Is(err, epoch.ErrWrongEpoch)
}

// lose marks that the client cannot follow the group.
func (g *Group) lose(sequence uint64) {
	g.mls.Discard()
	g.record.commit = nil
	g.state = StateLost
	g.tell(Event{Kind: EventLost, Sequence: sequence, Text: []byte("cannot follow the group any more")})
}

func (g *Group) takeApplication(got *group.Received, frank *wire.Frank, keys [][]byte, sequence uint64) error {
	from := g.at(got.Sender.Leaf)
	m, err := g.franked(got, frank, keys)
	if err != nil {
		g.tell(Event{Kind: EventDropped, Sequence: sequence, Member: from})
		return nil
	}
	var c content
	if mls.Unmarshal(m.content, &c) != nil {
		// A client of another kind, which sends text as it is.
		c = content{kind: contentText, text: m.content}
	} else if g.remember(c.id) {
		return nil
	}
	switch c.kind {
	case contentText:
		g.keep(m, from, sequence)
		g.tell(Event{Kind: EventMessage, Sequence: sequence, Member: from, Text: slices.Clone(c.text)})
	case contentHello:
		if from.Client == string(c.client[:]) {
			g.told[c.client] = identity.LinkKey{Bytes: c.link}
			g.newcomer = true
		}
	case contentRoster:
		g.newcomer = false
		if g.roster == nil && c.generation == g.generation {
			g.rosterKey = c.key
			g.openRoster()
		}
	}
	return nil
}

// takeTargeted takes an answer to the client's request for access.
func (g *Group) takeTargeted(f *wire.Fanout) {
	if g.access.IsZero() || len(f.Message) < 1 || f.Message[0] != grantMark {
		return
	}
	key, err := seal.ParseKey(wire.X25519, g.access)
	if err != nil {
		return
	}
	if grant, err := seal.OpenAccess(key, g.id, f.Message[1:]); err == nil {
		g.granted, g.dirty = grant.GroupStateKey, true
	}
}

// follow does what follows from a commit that the mls state has taken over.
func (g *Group) follow(c *group.Committed, part *wire.RosterPart, sequence uint64) error {
	g.dirty = true
	for i := range c.Removed {
		r := &c.Removed[i]
		if c.External && c.Path.New != nil && r.Old.Credential.Equal(&c.Path.New.Credential) {
			continue // who came back
		}
		if c.Ended == group.EndRemoved {
			continue
		}
		g.tell(Event{Kind: EventRemoved, Sequence: sequence, Member: g.member(r.Leaf, r.Old)})
		g.stale = true
	}
	switch c.Ended {
	case group.EndRemoved:
		return g.left(sequence)
	case group.EndReInit:
		g.tell(Event{Kind: EventClosed, Sequence: sequence})
	}
	if err := g.takePart(part); err != nil {
		return err
	}
	for i := range c.Added {
		g.tell(Event{Kind: EventAdded, Sequence: sequence, Member: g.member(c.Added[i].Leaf, c.Added[i].New)})
	}
	if c.External && !c.Own {
		kind := EventAdded
		if len(c.Removed) > 0 {
			kind = EventRejoined
		}
		g.newcomer = true
		g.tell(Event{Kind: kind, Sequence: sequence, Member: g.at(c.Committer)})
	}
	if g.policyChanged(c) {
		g.tell(Event{Kind: EventPolicy, Sequence: sequence, Member: g.at(c.Committer)})
	}
	return nil
}

// left ends the client's membership. The keys of the group are deleted.
func (g *Group) left(sequence uint64) error {
	g.state, g.mls, g.roster = StateLeft, nil, nil
	g.record.mls, g.record.commit, g.outbox, g.parts, g.told = nil, nil, nil, nil, nil
	g.rosterKey, g.access, g.granted = secret.Bytes{}, secret.Bytes{}, secret.Bytes{}
	g.tell(Event{Kind: EventLeft, Sequence: sequence})
	// The address last: by it comes again what is not saved.
	if err := errors.Join(g.dropEvidence(), g.save()); err != nil {
		return err
	}
	return g.c.account.Forget(g.address)
}
