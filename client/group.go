package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Group is a group that the client is, or was, a member of. Its methods may be
// called concurrently; they wait for each other.
type Group struct {
	c  *Client
	id wire.GroupID
	record
	mls    *group.Group     // nil if the client is no member
	roster *identity.Roster // nil if its key is not known
	dirty  bool             // differs from what is in the vault
	// profile is that of a group which the client is about to join.
	profile  wire.Profile
	evidence evidence
	// before are the extensions of the epoch before a commit that is taken over.
	before mls.Extensions
}

// ID returns the group's identifier.
func (g *Group) ID() wire.GroupID { return g.id }

// Label returns the user's own name for the group.
func (g *Group) Label() string { g.c.mu.Lock(); defer g.c.mu.Unlock(); return g.label }

// SetLabel changes the user's own name for the group, which nobody else sees.
func (g *Group) SetLabel(label string) error {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	g.label = label
	return g.save()
}

// State says how the client stands to the group.
func (g *Group) State() State { g.c.mu.Lock(); defer g.c.mu.Unlock(); return g.state }

// Epoch returns the group's epoch as far as the client has followed.
func (g *Group) Epoch() uint64 {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.mls == nil {
		return 0
	}
	return g.mls.Epoch()
}

// Authenticator returns a value that is the same at all members who are in the
// same state, for comparing by other means (RFC 9420, Section 8.7). It fails with
// [ErrNotMember].
func (g *Group) Authenticator() (secret.Bytes, error) {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.mls == nil {
		return secret.Bytes{}, ErrNotMember
	}
	return g.mls.EpochAuthenticator()
}

// Policy returns what all members of the epoch agreed on.
func (g *Group) Policy() wire.GroupPolicy {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.mls == nil {
		return wire.DefaultPolicy
	}
	return g.policy()
}

func (g *Group) policy() wire.GroupPolicy {
	p, err := wire.PolicyOf(g.mls.Context().Extensions)
	if err != nil {
		return wire.GroupPolicy{} // nobody is allowed anything
	}
	return p
}

// name is that of the group's record in the vault.
func (g *Group) name() string { return groupPrefix + hex.EncodeToString(g.id[:]) }

// save writes the group's record.
func (g *Group) save() error {
	if g.mls != nil {
		b, err := g.mls.Marshal()
		if err != nil {
			return err
		}
		g.record.mls = b.Reveal()
	}
	b, err := mls.Marshal(&g.record)
	if err != nil {
		return err
	}
	if err := g.saveEvidence(); err != nil {
		return err
	}
	if err := g.c.cfg.Account.Vault.Put(g.name(), b); err != nil {
		return err
	}
	g.dirty = false
	return nil
}

// stateKey opens the group's state at the service in the present epoch.
func (g *Group) stateKey() (secret.Bytes, error) { return g.exportStateKey(g.mls.Export) }

func (g *Group) exportStateKey(export func(string, []byte, int) (secret.Bytes, error)) (secret.Bytes, error) {
	return export(wire.GroupStateKeyLabel, g.id[:], wire.GroupStateKeySize)
}

func (g *Group) sign(tbs []byte) ([]byte, error) {
	return g.persona.Signer.SignWithLabel(wire.SignatureLabel, tbs)
}

// active checks that the client can act in the group.
func (g *Group) active() error {
	switch {
	case g.mls == nil || g.state == StateLeft || g.state == StateCreating:
		return ErrNotMember
	case g.state == StateLost:
		return ErrLost
	}
	return nil
}

// call sends a request that the client's leaf signs, and answers the requests
// for access that come back with the answer.
func (g *Group) call(ctx context.Context, op wire.Operation, body mls.Marshaler) (*wire.Accepted, error) {
	key, err := g.stateKey()
	if err != nil {
		return nil, err
	}
	leaf, err := g.mls.OwnLeaf()
	if err != nil {
		return nil, err
	}
	answer := new(wire.Accepted)
	err = g.c.account.Call(ctx, &account.Call{Domain: g.domain, Operation: op, Body: body, GroupStateKey: key,
		Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: leaf}, Sign: g.sign, Answer: answer})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// mlsConfig is what the client decides about a group's messages.
func (c *Client) mlsConfig(g *Group) group.Config {
	return group.Config{
		Rand: c.rand, KeyPackages: c.account.KeyPackages(), Credentials: leafCheck{g}, CheckCommit: func(m *group.Committed) error { return g.checkCommit(m) },
		PastEpochs: 8, Window: mls.Window{Forward: 1000, Backward: 256}, Rules: &rules,
		PadTo: 0, // the service pads what it hands to queues
	}
}

// rules are those of the service, see its package.
var rules = epoch.Rules{
	Successor: func(old, new *mls.LeafNode) bool { return old.Credential.Equal(&new.Credential) },
}

// leafCheck refuses leaves that the group's profile does not know. Who is behind
// a leaf is shown and not judged here: members must agree on what they take.
type leafCheck struct{ g *Group }

func (l leafCheck) ValidateLeaf(leaf *mls.LeafNode) error {
	profile := wire.ProfilePseudonymous
	if l.g.mls != nil {
		profile = l.g.policy().Profile
	} else if l.g.profile != 0 {
		profile = l.g.profile
	}
	_, err := wire.ParseMemberName(profile, &leaf.Credential)
	return err
}

func (leafCheck) ValidateExternalSender(*mls.ExternalSender) error { return nil }

func digest(message []byte) [32]byte { return sha256.Sum256(message) }

// parse decodes an MLSMessage.
func parse(b []byte) (*mls.Message, error) {
	m := new(mls.Message)
	if err := mls.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return m, nil
}
