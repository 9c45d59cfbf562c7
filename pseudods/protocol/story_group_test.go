package protocol

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

// free takes all tokens and wants none.
type free struct{}

func (free) Verify(wire.Operation, [][]byte) (ds.Payment, error) { return nil, nil }

// docket takes all reports.
type docket struct{}

func (docket) Take(context.Context, *ds.Report) error { return nil }

func newDS() *ds.Service {
	return must(ds.New(ds.Config{Domain: home, Store: grouptest.NewReference(), Key: secretOf("delivery service"), Payments: free{},
		Rand:    seeded("delivery service's randomness"),
		Reports: docket{}, Signers: []*mls.SignatureKey{signer("service")}, Now: func() time.Time { return now }}))
}

// groupStory is the life of a group, played with a delivery service.
type groupStory struct {
	*story
	members []*client
	roster  *identity.Roster
}

// tellGroups returns every operation of a delivery service, as one story.
func tellGroups(t *testing.T) *groupStory {
	reseed(t, "groups")
	service := newDS()
	s := &groupStory{story: &story{t: t, serve: func(ctx context.Context, _ *wire.Request, b []byte) []byte { return service.Handle(ctx, b) }}}
	alice, phone := newClient("alice", "alice", home), newClient("alice's phone", "alice", home)
	bob, carol, dave := newClient("bob", "bob", away), newClient("carol", "carol", home), newClient("dave", "dave", home)

	s.found("create_group", alice)
	s.addressed(alice)
	s.external(alice)
	s.add("add_users", wire.OpAddUsers, alice, bob)
	s.join(bob)
	s.addressed(bob)
	s.send(bob)
	s.targeted(bob, 0)
	s.commit("update", wire.OpUpdate, alice, group.CommitOptions{ForcePath: true})
	s.asides(bob)
	s.report(alice, bob)
	s.add("add_clients", wire.OpAddClients, alice, phone)
	s.join(phone)
	s.commit("remove_clients", wire.OpRemoveClients, alice, group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(must(phone.OwnLeaf()))}})
	s.enter("external_join", wire.OpExternalJoin, carol, nil)
	s.add("add_users again", wire.OpAddUsers, alice, dave)
	s.join(dave)
	s.propose("propose", wire.OpPropose, bob, must(bob.ProposeUpdate(nil, group.MessageOptions{})))
	s.commit("update that covers a proposal", wire.OpUpdate, alice, group.CommitOptions{ForcePath: true})
	s.propose("self_remove", wire.OpSelfRemove, dave, must(dave.Propose(group.SelfRemove(), group.MessageOptions{})))
	var pending mls.Message
	check(mls.Unmarshal(s.external(bob).SelfRemoves[0], &pending))
	s.commit("update that covers a SelfRemove", wire.OpUpdate, alice, group.CommitOptions{ForcePath: true})
	s.commit("remove_users", wire.OpRemoveUsers, alice, group.CommitOptions{Proposals: []*mls.Proposal{group.Remove(must(carol.OwnLeaf()))}})
	leaf := must(alice.OwnLeaf())
	s.enter("rejoin", wire.OpRejoin, alice, &leaf)
	s.policy(alice)
	s.commit("reinit", wire.OpReInit, alice, group.CommitOptions{Proposals: []*mls.Proposal{group.ReInit(mls.ReInit{GroupID: octets("next group", 32),
		Version: mls.MLS10, CipherSuite: mls.X25519AES128GCM})}})
	s.ask("delete_group", &wire.Request{Operation: wire.OpDeleteGroup, GroupStateKey: alice.stateKey(), Auth: s.leaf(alice)}, alice.mls.Signer,
		"GroupQuery", &wire.GroupQuery{Group: alice.id()}, "Accepted")
	return s
}

func (s *groupStory) leaf(c *client) wire.Auth {
	return wire.Auth{Type: wire.AuthLeaf, Leaf: must(c.OwnLeaf())}
}

func groupInfoMessage(i *mls.GroupInfo) []byte {
	return message(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: i})
}

func (s *groupStory) found(name string, c *client) {
	var id wire.NewGroupID
	check(mls.Unmarshal(s.ask("request_group_id", &wire.Request{Operation: wire.OpRequestGroupID}, nil, "Empty", &wire.Empty{}, "NewGroupID"), &id))
	policy := wire.DefaultPolicy
	policy.MaxMembers = 100
	c.Group = must(group.Create(c.cfg, c.mls, id.Group[:], must(mls.Extensions{}.With(wire.ExtensionGroupPolicy, &policy))))
	address := c.bound("own", id.Group)
	nodes := must(c.Tree())
	s.roster = identity.NewRoster(id.Group[:], must(c.Export(wire.RosterKeyLabel, id.Group[:], wire.RosterKeySize)))
	part := must(s.roster.Add(seeded("roster part of "+name), linksOf(c)))
	check(s.roster.Append(part))
	s.ask(name, &wire.Request{Operation: wire.OpCreateGroup, GroupStateKey: c.stateKey(), Auth: wire.Auth{Type: wire.AuthJoiner}}, c.mls.Signer,
		"CreateGroup", &wire.CreateGroup{Group: id.Group, GroupInfo: groupInfoMessage(must(c.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))),
			Tree: encoded(&nodes), Address: &address, Roster: &wire.RosterPart{Part: part}}, "Accepted")
	s.members = append(s.members, c)
}

func linksOf(clients ...*client) map[wire.Pseudonym]identity.LinkKey {
	out := map[wire.Pseudonym]identity.LinkKey{}
	for _, c := range clients {
		out[c.pseudonym.Credential.Client] = c.pseudonym.LinkKey
	}
	return out
}

func (s *groupStory) addressed(c *client) {
	a := c.bound("second", c.id())
	name := "update_queue_address"
	if c.name != "alice" {
		name += " of " + c.name
	}
	s.ask(name, &wire.Request{Operation: wire.OpUpdateQueueAddress, GroupStateKey: c.stateKey(), Auth: s.leaf(c)}, c.mls.Signer,
		"UpdateAddress", &wire.UpdateAddress{Group: c.id(), Address: a}, "Accepted")
}

func (s *groupStory) external(by *client) wire.ExternalCommitInfo {
	var info wire.ExternalCommitInfo
	name := "external_commit_info"
	if by.Epoch() > 0 {
		name = fmt.Sprintf("%s of epoch %d", name, by.Epoch())
	}
	check(mls.Unmarshal(s.ask(name, &wire.Request{Operation: wire.OpExternalCommitInfo, GroupStateKey: by.stateKey()}, nil,
		"GroupQuery", &wire.GroupQuery{Group: by.id()}, "ExternalCommitInfo"), &info))
	return info
}

// commit has a member commit, and all follow.
func (s *groupStory) commit(name string, op wire.Operation, c *client, o group.CommitOptions, joiners ...*client) {
	s.t.Helper()
	before := s.stateKey()
	o.GroupInfo.ExternalPub = true
	commit := must(c.Commit(o))
	s.hand(name, &wire.Request{Operation: op, GroupStateKey: before, Auth: s.leaf(c)}, c, commit, nil, joiners)
}

// stateKey is that of the group's epoch, in which its first member is.
func (s *groupStory) stateKey() secret.Bytes { return s.members[0].stateKey() }

// hand sends a commit, and has all follow.
func (s *groupStory) hand(name string, r *wire.Request, c *client, commit *group.Commit, address *wire.MemberAddress, joiners []*client) {
	s.t.Helper()
	export := func(label string, size int) secret.Bytes {
		if c.Pending() == nil { // an external commit: the group is that of the next epoch
			return must(c.Export(label, c.GroupID(), size))
		}
		return must(c.PendingExport(label, c.GroupID(), size))
	}
	b := &wire.GroupCommit{Group: c.id(), Commit: message(commit.Message), NextKey: export(wire.GroupStateKeyLabel, wire.GroupStateKeySize), Address: address}
	if name == "update" { // once the long form
		b.GroupInfo = groupInfoMessage(commit.GroupInfo)
	} else {
		b.PartialGroupInfo = encoded(commit.Partial)
	}
	next, part := s.roster, []byte(nil)
	var removed []wire.Pseudonym
	for _, m := range commit.What.Removed {
		removed = append(removed, must(wire.ParseMemberName(wire.ProfilePseudonymous, &m.Old.Credential)).Credential.Client)
	}
	fresh := joiners
	if address != nil {
		fresh = []*client{c}
	}
	switch {
	case len(removed) > 0:
		next, part, _ = must3(s.roster.Next(seeded("roster part of "+name), export(wire.RosterKeyLabel, wire.RosterKeySize), removed, linksOf(fresh...)))
	case len(fresh) > 0:
		part = must(s.roster.Add(seeded("roster part of "+name), linksOf(fresh...)))
		check(next.Append(part))
	}
	if part != nil {
		generation, _ := next.Key()
		b.Roster = &wire.RosterPart{Generation: generation, Part: part}
	}
	s.roster = next
	generation, rosterKey := next.Key()
	if commit.Welcome != nil {
		b.Welcome = message(commit.Welcome)
	}
	for _, j := range joiners {
		info := &wire.JoinInfo{GroupStateKey: b.NextKey, DeliverySecret: j.secret, RosterGeneration: generation, RosterKey: rosterKey}
		b.Joiners = append(b.Joiners, wire.Joiner{Secret: j.secret, JoinInfo: must(seal.SealJoinInfo(j.address.WelcomeKey, c.id(), info))})
	}
	key := c.mls.Signer
	if r.Auth.Type == wire.AuthUser {
		key = c.userKey
	}
	s.ask(name, r, key, "GroupCommit", b, "Accepted")
	if c.Pending() != nil {
		must(c.Merge())
	}
	for _, m := range s.members {
		if m != c {
			must(m.Process(commit.Message))
		}
	}
	kept := s.members[:0]
	for _, m := range s.members {
		if m.Ended() == 0 || m.Ended() == group.EndReInit {
			kept = append(kept, m)
		}
	}
	s.members = kept
	for _, j := range joiners {
		j.Group = must(group.JoinWelcome(j.cfg, commit.Welcome.Welcome, group.JoinOptions{Tree: must(c.Tree())}))
		s.members = append(s.members, j)
	}
}

func must3[A, B any](a A, b B, err error) (A, B, error) {
	check(err)
	return a, b, nil
}

func (s *groupStory) add(name string, op wire.Operation, c *client, joiners ...*client) {
	s.t.Helper()
	o := group.CommitOptions{ForcePath: true}
	for _, j := range joiners {
		o.Proposals = append(o.Proposals, group.Add(j.kp))
	}
	s.commit(name, op, c, o, joiners...)
}

func (s *groupStory) join(c *client) {
	name := "welcome_info"
	if c.name != "bob" {
		name += " of " + c.name
	}
	s.ask(name, &wire.Request{Operation: wire.OpWelcomeInfo, GroupStateKey: c.stateKey(),
		Auth: wire.Auth{Type: wire.AuthJoiner, KeyID: must(c.kp.Ref(suite()))}}, c.mls.Signer, "GroupQuery", &wire.GroupQuery{Group: c.id()}, "WelcomeInfo")
}

// enter brings a client in by an external commit, in place of its old leaf if it
// has one.
func (s *groupStory) enter(name string, op wire.Operation, c *client, old *mls.LeafIndex) {
	s.t.Helper()
	by := s.members[0]
	info := s.external(by)
	var gi mls.GroupInfo
	check(mls.Unmarshal(info.GroupInfo, &gi))
	var nodes mls.RatchetTree
	check(mls.Unmarshal(info.Tree, &nodes))
	before := s.stateKey()
	g, commit, err := group.JoinExternal(c.cfg, c.mls, &gi, group.ExternalOptions{Tree: nodes, Remove: old, GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
	check(err)
	others := s.members[:0:0]
	for _, m := range s.members {
		if m != c {
			others = append(others, m)
		}
	}
	c.Group, s.members = g, others
	address := c.bound(name, wire.GroupID(gi.GroupContext.GroupID))
	r := &wire.Request{Operation: op, GroupStateKey: before, Auth: wire.Auth{Type: wire.AuthJoiner}}
	if op == wire.OpRejoin {
		id := sha256.Sum256(c.pseudonym.Credential.UserAuthKey)
		r.Auth = wire.Auth{Type: wire.AuthUser, KeyID: id[:]}
	}
	s.hand(name, r, c, commit, &address, nil)
	s.members = append(s.members, c)
}

func (s *groupStory) propose(name string, op wire.Operation, c *client, m *mls.Message) {
	s.t.Helper()
	s.ask(name, &wire.Request{Operation: op, GroupStateKey: c.stateKey(), Auth: s.leaf(c)}, c.mls.Signer,
		"GroupMessage", &wire.GroupMessage{Group: c.id(), Message: message(m)}, "Accepted")
	for _, other := range s.members {
		if other != c {
			must(other.Process(m))
		}
	}
}

func (s *groupStory) send(c *client) {
	tag, data, err := seal.TagContent(seeded("franking key"), c.id(), c.Epoch(), []byte("Hello, Alice!"))
	check(err)
	m := must(c.Send(data, group.MessageOptions{AuthenticatedData: tag[:]}))
	s.ask("send_message", &wire.Request{Operation: wire.OpSendMessage, GroupStateKey: c.stateKey(), Auth: s.leaf(c),
		Tokens: [][]byte{paidToken("send_message")}}, c.mls.Signer,
		"GroupMessage", &wire.GroupMessage{Group: c.id(), Message: message(m)}, "Accepted")
}

// paidToken looks like a token of type 0x0005.
func paidToken(name string) []byte {
	challenge, key := sha256.Sum256([]byte("challenge")), sha256.Sum256([]byte("token key"))
	b := append([]byte{0, 5}, octets("token nonce "+name, 32)...)
	b = append(append(b, challenge[:]...), key[:]...)
	return append(b, octets("authenticator "+name, 64)...)
}

func (s *groupStory) targeted(c *client, to mls.LeafIndex) {
	s.ask("targeted_message", &wire.Request{Operation: wire.OpTargetedMessage, GroupStateKey: c.stateKey(), Auth: s.leaf(c)}, c.mls.Signer,
		"TargetedMessage", &wire.TargetedMessage{Group: c.id(), Leaf: to, Content: octets("targeted", 40)}, "Accepted")
}

// asides change nothing of the group.
func (s *groupStory) asides(c *client) {
	s.ask("verification_key", &wire.Request{Operation: wire.OpVerificationKey}, nil, "Empty", &wire.Empty{}, "VerificationKeys")
	s.ask("commit_outcome", &wire.Request{Operation: wire.OpCommitOutcome, GroupStateKey: c.stateKey()}, nil,
		"OutcomeQuery", &wire.OutcomeQuery{Group: c.id(), Epoch: c.Epoch()}, "CommitOutcome")
	s.ask("access_request", &wire.Request{Operation: wire.OpAccessRequest, Auth: s.leaf(c), Tokens: [][]byte{paidToken("access_request")}}, c.mls.Signer,
		"AccessRequest", &wire.AccessRequest{Group: c.id(), Key: [32]byte(hpkeKey(wire.X25519, "access").Public().Public)}, "Empty")
}

// report has a member report another.
func (s *groupStory) report(by, c *client) {
	s.ask("report_abuse", &wire.Request{Operation: wire.OpReportAbuse, GroupStateKey: by.stateKey(), Auth: s.leaf(by), Tokens: [][]byte{paidToken("report_abuse")}},
		by.mls.Signer, "AbuseReport", reportOf(c, frankedBy(c, c.id()), c.id()), "Empty")
}

// policy has a member change the policy.
func (s *groupStory) policy(c *client) {
	p := wire.DefaultPolicy
	p.ExternalJoins = false
	p.Admins = [][]byte{c.pseudonym.Credential.User[:]}
	s.commit("change_policy", wire.OpChangePolicy, c, group.CommitOptions{
		Proposals: []*mls.Proposal{group.GroupContextExtensions(must(mls.Extensions{}.With(wire.ExtensionGroupPolicy, &p)))}})
}
