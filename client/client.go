package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The refusals of this package, beside those of package account and the
// [wire.Error]s of services.
var (
	// ErrNotMember: the client is not a member of the group, or not yet.
	ErrNotMember = errors.New("client: not a member of the group")
	// ErrNoGroup: no group of this name is known.
	ErrNoGroup = errors.New("client: no such group")
	// ErrNoMember: no member of this name, or several.
	ErrNoMember = errors.New("client: no such member")
	// ErrKept: the service has not taken a text yet. It is sent later.
	ErrKept = errors.New("client: not sent yet")
	// ErrOutbox: too many texts wait to be sent.
	ErrOutbox = errors.New("client: too many texts wait to be sent")
	// ErrLost: the client cannot follow the group, see [Group.Rejoin].
	ErrLost = errors.New("client: lost track of the group; rejoin it")
	// ErrBusy: other commits came first, again and again.
	ErrBusy = errors.New("client: the group is too busy; try again")
	// ErrPending: a commit of this client is under way, and what became of it is
	// not yet known.
	ErrPending = errors.New("client: an earlier change of the group is still open; sync and try again")
	// ErrAccessAsked: the group's state does not open with a key that the client
	// has. It has asked for one; rejoin again once a member has answered.
	ErrAccessAsked = errors.New("client: asked the members for access; sync and rejoin again")
	// ErrNotAdmin: the group's policy leaves this to its admins.
	ErrNotAdmin = errors.New("client: not an admin of the group")
	// ErrLast: the last member cannot leave, only delete the group.
	ErrLast = errors.New("client: the last member can only delete the group")
)

// Config of a [Client]. Account must be set as [account.Config] says.
type Config struct {
	Account account.Config
	// AcceptInvitation decides whether to stay in a group to which somebody has
	// added this client. by may be unverified. Nil accepts verified members
	// whose name is a contact's.
	AcceptInvitation func(by Member) bool
	// Evidence is how many messages of others are kept in each group, so that they
	// can be reported, with the members' contents and at most 256 KiB of them.
	// Default 64; negative for none.
	Evidence int
}

// Client is one client of a user. It is safe for concurrent use.
type Client struct {
	cfg     Config
	account *account.Account
	rand    io.Reader
	now     func() time.Time

	// syncing is held by Sync, of which one runs at a time.
	syncing sync.Mutex
	// mu guards what follows. It is not held while Sync waits for the queue.
	mu      sync.Mutex
	groups  map[wire.GroupID]*Group
	events  events // that concern no group
	places  places
	polling *poll  // under way, nil if none is
	reads   uint64 // pages that were handled
}

// Create makes a new client with a new identity at a provider, see
// [account.Create].
func Create(ctx context.Context, cfg Config, name, domain string) (*Client, error) {
	a, err := account.Create(ctx, cfg.Account, name, domain)
	if err != nil {
		return nil, err
	}
	return start(cfg, a)
}

// Open opens a client that was created before, and goes on with what was under
// way.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	a, err := account.Open(ctx, cfg.Account)
	if err != nil {
		return nil, err
	}
	return start(cfg, a)
}

const groupPrefix = "group/"

func start(cfg Config, a *account.Account) (*Client, error) {
	c := &Client{cfg: cfg, account: a, rand: cfg.Account.Rand, now: cfg.Account.Now, groups: map[wire.GroupID]*Group{}}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	if c.now == nil {
		c.now = time.Now
	}
	if err := errors.Join(c.loadEvents(), c.loadPlaces()); err != nil {
		return nil, err
	}
	names, err := cfg.Account.Vault.Names(groupPrefix)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id, err := hex.DecodeString(strings.TrimPrefix(name, groupPrefix))
		if err != nil || len(id) != wire.GroupIDSize {
			return nil, fmt.Errorf("client: %w: name of a group's record", wire.ErrMalformed)
		}
		b, err := cfg.Account.Vault.Get(name)
		if err != nil {
			return nil, err
		}
		r, err := parseRecord(b)
		if err != nil {
			return nil, err
		}
		g := &Group{c: c, id: wire.GroupID(id), record: *r}
		if len(r.mls) > 0 && r.state != StateLeft {
			if g.mls, err = group.Restore(c.mlsConfig(g), r.mls); err != nil {
				return nil, err
			}
			g.openRoster()
			if err := g.loadEvidence(); err != nil {
				return nil, err
			}
		}
		c.groups[g.id] = g
	}
	return c, nil
}

// Close closes the client. What is under way fails.
func (c *Client) Close() error { return c.account.Close() }

// Account returns the part of the client that is outside of all groups:
// contacts, card, tokens and queue.
func (c *Client) Account() *account.Account { return c.account }

// Groups returns the groups that the client is or was in, by label.
func (c *Client) Groups() []*Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Group
	for _, g := range c.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *Group) int { return strings.Compare(a.label+string(a.id[:]), b.label+string(b.id[:])) })
	return out
}

// Group returns a group by its label, or by the beginning of its identifier in
// hexadecimal. One that the client has left is found if no other is meant. It
// fails with [ErrNoGroup] if there is none, or more than one.
func (c *Client) Group(name string) (*Group, error) {
	var found []*Group
	for _, is := range []func(*Group) bool{
		func(g *Group) bool { return g.Label() == name && g.State() != StateLeft },
		func(g *Group) bool { return len(name) >= 4 && strings.HasPrefix(hex.EncodeToString(g.id[:]), name) },
		func(g *Group) bool { return g.Label() == name },
	} {
		for _, g := range c.Groups() {
			if is(g) {
				found = append(found, g)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	if len(found) != 1 {
		return nil, ErrNoGroup
	}
	return found[0], nil
}
