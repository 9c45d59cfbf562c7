package protocol

import (
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

type structure interface {
	mls.Marshaler
	mls.Unmarshaler
}

func empty[T any, P interface {
	*T
	structure
}]() structure {
	return P(new(T))
}

// structures are the document's types that the code has, with an empty one each.
var structures = map[string]func() structure{
	"Request":                empty[wire.Request],
	"Response":               empty[wire.Response],
	"Error":                  empty[wire.Error],
	"Empty":                  empty[wire.Empty],
	"NewGroupID":             empty[wire.NewGroupID],
	"CreateGroup":            empty[wire.CreateGroup],
	"GroupCommit":            empty[wire.GroupCommit],
	"Accepted":               empty[wire.Accepted],
	"MemberAddress":          empty[wire.MemberAddress],
	"GroupMessage":           empty[wire.GroupMessage],
	"TargetedMessage":        empty[wire.TargetedMessage],
	"UpdateAddress":          empty[wire.UpdateAddress],
	"GroupQuery":             empty[wire.GroupQuery],
	"WelcomeInfo":            empty[wire.WelcomeInfo],
	"ExternalCommitInfo":     empty[wire.ExternalCommitInfo],
	"VerificationKeys":       empty[wire.VerificationKeys],
	"AccessRequest":          empty[wire.AccessRequest],
	"AccessGrant":            empty[wire.AccessGrant],
	"OutcomeQuery":           empty[wire.OutcomeQuery],
	"CommitOutcome":          empty[wire.CommitOutcome],
	"Fanout":                 empty[wire.Fanout],
	"Frank":                  empty[wire.Frank],
	"FrankedContent":         empty[wire.FrankedContent],
	"FrankedMessage":         empty[wire.FrankedMessage],
	"AbuseReport":            empty[wire.AbuseReport],
	"JoinInfo":               empty[wire.JoinInfo],
	"GroupPolicy":            empty[wire.GroupPolicy],
	"PseudonymousCredential": empty[wire.PseudonymousCredential],
	"AccountCredential":      empty[wire.AccountCredential],
	"SealedLinkKey":          empty[wire.SealedLinkKey],
	"HPKEKey":                empty[wire.HPKEKey],
	"AddressKeys":            empty[wire.AddressKeys],
	"SealedAddress":          empty[wire.SealedAddress],
	"QueueAddress":           empty[wire.QueueAddress],
	"KeyPackageAddress":      empty[wire.KeyPackageAddress],
	"QueueSettings":          empty[wire.QueueSettings],
	"CreateQueue":            empty[wire.CreateQueue],
	"QueueInfo":              empty[wire.QueueInfo],
	"DeleteQueue":            empty[wire.DeleteQueue],
	"RevokeAddress":          empty[wire.RevokeAddress],
	"ReadQueue":              empty[wire.ReadQueue],
	"QueuePage":              empty[wire.QueuePage],
	"Ticket":                 empty[wire.Ticket],
	"AckQueue":               empty[wire.AckQueue],
	"FetchPayloads":          empty[wire.FetchPayloads],
	"Payloads":               empty[wire.Payloads],
	"Item":                   empty[wire.Item],
	"Recipient":              empty[wire.Recipient],
	"Delivery":               empty[wire.Delivery],
	"DeliveryReport":         empty[wire.DeliveryReport],
	"ContactCard":            empty[wire.ContactCard],
	"ConnectionRequest":      empty[wire.ConnectionRequest],
	"Contact":                empty[wire.Contact],
	"PublishedKeyPackage":    empty[wire.PublishedKeyPackage],
	"PublishKeyPackages":     empty[wire.PublishKeyPackages],
	"PoolStatus":             empty[wire.PoolStatus],
	"AllowContact":           empty[wire.AllowContact],
	"DeletePool":             empty[wire.DeletePool],
	"FetchKeyPackage":        empty[wire.FetchKeyPackage],
	"KeyPackage":             empty[mls.KeyPackage],
	"SealedKeyPackage":       empty[sealedKeyPackage],
}

// sealedKeyPackage is an answer that is not encoded further.
type sealedKeyPackage struct{ octets []byte }

func (s *sealedKeyPackage) MarshalTLS(w *tlscodec.Writer)   { w.Raw(s.octets) }
func (s *sealedKeyPackage) UnmarshalTLS(r *tlscodec.Reader) { s.octets = r.Rest() }

// example is a value of one of them.
type example struct {
	name, of string
	value    structure
}

// contactOf is what a client says to the holder of a card.
func contactOf(c *client, to *wire.ContactCard) *wire.Contact {
	card := cardOf(c, *c.seal(wire.AddressReusable, "card", seal.Use{}))
	o := &wire.Contact{Card: *card, Version: 7, Token: contactToken(c.name + "'s contact token"), Pools: []wire.PoolID{poolOf(c.name + "'s group pool")},
		LinkWrap: linkWrap(c), Accepts: octets("hash of an offer", 32), Content: []byte("Good to see you.")}
	return signed(c, o, to)
}

// frankedBy is a message of a member as another has it.
func frankedBy(c *client, g wire.GroupID) *wire.FrankedMessage {
	m := &wire.FrankedMessage{Content: []byte("Buy this!"), Key: secretOf("franking key"), Epoch: 3}
	credential := must(c.pseudonym.Credential.Credential())
	said := &seal.Franked{Domain: home, Group: g, Sender: must(wire.FrankedSender(&credential, c.mls.Signer.Public())), Epoch: m.Epoch,
		Tag: must(seal.TagOf(g, m.Epoch, &wire.FrankedContent{Key: m.Key, Content: m.Content}))}
	m.Frank = *must(said.Frank(signer("service"), uint64(now.Unix()/86400)))
	return m
}

// reportOf is a report of a member for a message.
func reportOf(c *client, m *wire.FrankedMessage, g wire.GroupID) *wire.AbuseReport {
	return &wire.AbuseReport{Group: g, Credential: c.pseudonym.Credential, SignatureKey: c.mls.Signer.Public(), LinkKey: c.pseudonym.LinkKey.Bytes,
		Messages: []wire.FrankedMessage{*m}, Reason: wire.ReasonSpam, Note: []byte("for the third time")}
}

// examples has all kinds of values that the stories do not have as the body of a
// request or answer.
func examples(t *testing.T) []example {
	reseed(t, "structures")
	alice, bob := newClient("alice", "alice", home), newClient("bob", "bob", away)
	g := wire.GroupID(octets("group", 32))
	bound := alice.bound("own", g)
	large := hpkeKey(wire.XWing, "X-Wing key")
	xwing := must(seal.SealAddress(large.Public(), wire.AddressBound, alice.queue(), alice.addressID("own"), seal.Use{Domain: home}))
	lastResort := bob.address
	lastResort.Address.Sealed = *bob.seal(wire.AddressReusable, "last resort", seal.Use{})
	part := &wire.RosterPart{Generation: 3, Part: octets("roster part", 112)}
	ticket := &wire.Ticket{Payload: wire.PayloadID(octets("payload", 16)), Index: 5, MAC: [16]byte(octets("ticket", 16))}
	entry := [wire.EntrySize]byte(octets("entry", wire.EntrySize))
	stream := seal.StreamOf(alice.addressID("card"), seal.Use{Domain: home})
	fanout := wire.Fanout{Domain: home, Group: g, Message: octets("MLSMessage", 60)}
	of := func(k wire.FanoutKind, change func(*wire.Fanout)) *wire.Fanout {
		f := fanout
		f.Kind = k
		change(&f)
		return &f
	}
	same := func(*wire.Fanout) {}
	franked := frankedBy(alice, g)
	policy := &wire.GroupPolicy{Profile: wire.ProfilePseudonymous, MaxMembers: 50, ExternalJoins: true,
		Admins: [][]byte{alice.pseudonym.Credential.User[:]}, Banned: [][]byte{bob.pseudonym.Credential.User[:]}}
	request := &wire.Request{RecipientDomain: home, Operation: wire.OpSendMessage, Body: octets("body", 96), GroupStateKey: secretOf("group state key"),
		ExpiresAt: uint64(now.Unix()) + 60, Nonce: [16]byte(octets("nonce", 16)), Tokens: [][]byte{paidToken("request")}, Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: 7}}
	request.Auth.Signature = must(alice.mls.Signer.SignWithLabel(wire.SignatureLabel, must(request.TBS())))
	byUser := &wire.Request{RecipientDomain: home, Operation: wire.OpAccessRequest, ExpiresAt: 1, Auth: wire.Auth{Type: wire.AuthUser, KeyID: octets("key id", 32), Signature: octets("signature", 64)}}
	card := cardOf(alice, *alice.seal(wire.AddressReusable, "card", seal.Use{}))
	out := []example{
		{"request", "Request", request},
		{"request that nobody signs", "Request", &wire.Request{RecipientDomain: home, Operation: wire.OpRequestGroupID, ExpiresAt: 1 << 40}},
		{"request by a user", "Request", byUser},
		{"response", "Response", &wire.Response{Body: encoded(&wire.Accepted{Epoch: 3, Sequence: 9})}},
		{"empty response", "Response", &wire.Response{}},
		{"accepted with an access request", "Accepted", &wire.Accepted{Epoch: 1<<63 + 1, Sequence: 1<<64 - 1, Access: [][]byte{octets("request", 70)}}},
		{"member address", "MemberAddress", &bound},
		{"queue address", "QueueAddress", &bound.Address},
		{"queue address under X-Wing", "QueueAddress", &wire.QueueAddress{Domain: home, Sealed: *xwing, Nonce: bound.Address.Nonce}},
		{"KeyPackage", "KeyPackage", alice.kp},
		{"published KeyPackage", "PublishedKeyPackage", &wire.PublishedKeyPackage{Sealed: octets("sealed KeyPackage", 64), LastDay: uint32(now.Unix()/86400) + 30, LastResort: true}},
		{"KeyPackage address", "KeyPackageAddress", &alice.address},
		{"KeyPackage address of last resort", "KeyPackageAddress", &lastResort},
		{"X25519 key", "HPKEKey", hpkeKey(wire.X25519, "X25519 key").Public()},
		{"X-Wing key", "HPKEKey", large.Public()},
		{"address keys", "AddressKeys", &wire.AddressKeys{{Key: *addressKey().Public(), SealUntil: uint64(now.Unix()) + 86400, OpenUntil: uint64(now.Unix()) + 86400*180}}},
		{"fanout of a commit", "Fanout", of(wire.FanoutCommit, func(f *wire.Fanout) { f.Roster = part })},
		{"fanout of a commit without a roster", "Fanout", of(wire.FanoutCommit, same)},
		{"fanout of a proposal", "Fanout", of(wire.FanoutProposal, same)},
		{"fanout of a message", "Fanout", of(wire.FanoutApplication, func(f *wire.Fanout) { f.Frank = &franked.Frank })},
		{"fanout of a message of a bare pseudonym", "Fanout", of(wire.FanoutApplication, same)},
		{"franked content", "FrankedContent", &wire.FrankedContent{Key: franked.Key, Content: franked.Content}},
		{"frank", "Frank", &franked.Frank},
		{"franked message", "FrankedMessage", franked},
		{"report of abuse", "AbuseReport", reportOf(alice, franked, g)},
		{"fanout of a Welcome", "Fanout", of(wire.FanoutWelcome, func(f *wire.Fanout) { f.JoinInfo = octets("join info", 150) })},
		{"fanout of a targeted message", "Fanout", of(wire.FanoutTargeted, func(f *wire.Fanout) { f.Sender = 2 })},
		{"item", "Item", &wire.Item{Kind: wire.ItemDelivery, Address: alice.addressID("own"), Stream: alice.addressID("own"), Entry: entry, Inline: octets("payload", 272)}},
		{"item with a ticket", "Item", &wire.Item{Kind: wire.ItemDelivery, Address: alice.addressID("card"), Stream: stream, Entry: entry, Ticket: ticket}},
		{"item of an offer", "Item", &wire.Item{Kind: wire.ItemOffer, Address: alice.addressID("card"), Stream: stream, Inline: octets("offer", 80)}},
		{"join info", "JoinInfo", &wire.JoinInfo{GroupStateKey: secretOf("group state key"), DeliverySecret: alice.secret, RosterGeneration: 3, RosterKey: secretOf("roster key")}},
		{"join info without a roster", "JoinInfo", &wire.JoinInfo{GroupStateKey: secretOf("group state key"), DeliverySecret: alice.secret}},
		{"access grant", "AccessGrant", &wire.AccessGrant{Epoch: 12, GroupStateKey: secretOf("group state key")}},
		{"no outcome", "CommitOutcome", &wire.CommitOutcome{Epoch: 12}},
		{"full report", "DeliveryReport", &wire.DeliveryReport{wire.Delivered, wire.UnknownAddress, wire.Revoked, wire.Full}},
		{"contact card", "ContactCard", card},
		{"contact", "Contact", contactOf(bob, card)},
		{"pseudonymous credential", "PseudonymousCredential", &alice.pseudonym.Credential},
		{"account credential", "AccountCredential", &wire.AccountCredential{Account: "alice", Provider: home, Client: wire.Pseudonym(octets("client", 16))}},
		{"policy", "GroupPolicy", policy},
		{"default policy", "GroupPolicy", &wire.DefaultPolicy},
		{"group without roster", "WelcomeInfo", &wire.WelcomeInfo{Epoch: 5, Leaf: 1, Tree: octets("tree", 20)}},
		{"full GroupInfo", "GroupCommit", &wire.GroupCommit{Group: g, Commit: octets("commit", 70), GroupInfo: octets("info", 20000), NextKey: secretOf("next")}},
	}
	return append(out, errorExamples()...)
}

func errorExamples() (out []example) {
	for code := wire.CodeInternal; code <= wire.CodeUnsupported; code++ {
		e := &wire.Error{Code: code}
		switch code {
		case wire.CodeWrongEpoch:
			e.Epoch = 42
		case wire.CodeRateLimited:
			e.RetryAfter = 30
		case wire.CodeInvalidProposal, wire.CodePendingProposals:
			e.Refs = []mls.ProposalRef{octets("ref", 32), octets("another ref", 32)}
		case wire.CodeTokenRequired:
			e.Challenges = []string{`PrivateToken challenge="AAUADmlzc3Vlci5leGFtcGxlAAALZXhhbXBsZS5vcmc="`}
		}
		out = append(out, example{codeNames[code], "Response", &wire.Response{Err: e}})
	}
	return out
}
