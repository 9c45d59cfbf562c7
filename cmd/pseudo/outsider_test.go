package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// outsider is a client that composes its requests by hand: with an account to pay
// from and MLS underneath, and nothing in between that keeps it honest.
type outsider struct {
	*account.Account
	tap     *tap
	ds      *httpapi.Client
	persona *account.Persona
	mls     *group.Group
	id      wire.GroupID
}

// newOutsider makes an account at a server.
func newOutsider(server, name string) *outsider {
	ctx := context.Background()
	key := make([]byte, vault.KeySize)
	rand.Read(key)
	dir := must(os.MkdirTemp("", "outsider"))
	v := must(vault.Open(filepath.Join(dir, "vault"), secret.New(key)))
	domain := must(domainOf(ctx, server))
	o := &outsider{tap: new(tap)}
	o.Account = must(account.Create(ctx, account.Config{Vault: v, Attestor: issuers.ProofOfWork(rand.Reader), KeyPackages: 1,
		HTTP: &http.Client{Transport: o.tap, Timeout: time.Minute}, Providers: map[string]string{domain: server}}, name, domain))
	o.ds = must(httpapi.NewClient(must(o.Provider(ctx, domain)).DS, nil))
	o.persona = must(o.NewPersona(nil))
	return o
}

func (o *outsider) config() group.Config {
	return group.Config{KeyPackages: o.KeyPackages(), Rules: &epoch.Rules{
		Successor: func(old, new *mls.LeafNode) bool { return old.Credential.Equal(&new.Credential) },
	}}
}

// creation is a request's body that registers a new group of the outsider's own.
func (o *outsider) creation() *wire.CreateGroup {
	ctx := context.Background()
	var id wire.NewGroupID
	ok(o.Call(ctx, &account.Call{Domain: o.Domain(), Operation: wire.OpRequestGroupID, Body: &wire.Empty{}, Answer: &id}))
	o.id = id.Group
	o.mls = must(group.Create(o.config(), o.Client(o.persona), o.id[:], nil))
	info := must(o.mls.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))
	nodes := must(o.mls.Tree())
	address, _, err := o.BoundAddress(ctx, o.Domain(), o.id)
	ok(err)
	return &wire.CreateGroup{Group: o.id, Tree: must(mls.Marshal(&nodes)), Address: address,
		GroupInfo: must(mls.Marshal(&mls.Message{WireFormat: mls.WireFormatGroupInfo, GroupInfo: info}))}
}

// call asks as the SDK does, and pays.
func (o *outsider) call(op wire.Operation, body mls.Marshaler, auth wire.Auth, answer mls.Unmarshaler) error {
	return o.Call(context.Background(), &account.Call{Domain: o.Domain(), Operation: op, Body: body, GroupStateKey: o.key(), Auth: auth, Sign: o.sign, Answer: answer})
}

func (o *outsider) sign(tbs []byte) ([]byte, error) {
	return o.persona.Signer.SignWithLabel(wire.SignatureLabel, tbs)
}

// found makes a group of one.
func (o *outsider) found() *outsider {
	ok(o.call(wire.OpCreateGroup, o.creation(), wire.Auth{Type: wire.AuthJoiner}, nil))
	return o
}

// key opens the group's state in the outsider's epoch.
func (o *outsider) key() secret.Bytes {
	return must(o.mls.Export(wire.GroupStateKeyLabel, o.id[:], wire.GroupStateKeySize))
}

func (o *outsider) leaf() wire.Auth {
	return wire.Auth{Type: wire.AuthLeaf, Leaf: must(o.mls.OwnLeaf())}
}

// request is one that the outsider's leaf may make. It is not signed.
func (o *outsider) request(op wire.Operation, body mls.Marshaler) *wire.Request {
	r := &wire.Request{RecipientDomain: o.Domain(), Operation: op, Body: must(mls.Marshal(body)), GroupStateKey: o.key(),
		ExpiresAt: uint64(time.Now().Add(time.Minute).Unix()), Auth: o.leaf()}
	rand.Read(r.Nonce[:])
	return r
}

// text is a message to the group.
func (o *outsider) text(s string) *wire.GroupMessage {
	tag, data, err := seal.TagContent(rand.Reader, o.id, o.mls.Epoch(), []byte(s))
	ok(err)
	return &wire.GroupMessage{Group: o.id, Message: must(mls.Marshal(must(o.mls.Send(data, group.MessageOptions{AuthenticatedData: tag[:]}))))}
}

// signed signs a request and encodes it.
func (o *outsider) signed(r *wire.Request) []byte {
	if r.Auth.Type != wire.AuthNone {
		r.Auth.Signature = must(o.sign(must(r.TBS())))
	}
	return must(mls.Marshal(r))
}

// post sends a request once.
func (o *outsider) post(r *wire.Request) ([]byte, error) {
	return o.ds.Do(context.Background(), r.Operation, o.signed(r))
}

// adding is a commit that adds a client by its KeyPackage, and what the client
// needs to join.
func (o *outsider) adding(p *mls.KeyPackage) (*wire.GroupCommit, *group.Commit) {
	body, made := o.commit(group.Add(p))
	info := &wire.JoinInfo{GroupStateKey: body.NextKey, DeliverySecret: secret.New(must(random(wire.DeliverySecretSize)))}
	var a wire.KeyPackageAddress
	must(p.Extensions.Decode(wire.ExtensionQueueAddress, &a))
	body.Welcome = must(mls.Marshal(made.Welcome))
	body.Joiners = []wire.Joiner{{Secret: info.DeliverySecret, JoinInfo: must(seal.SealJoinInfo(a.WelcomeKey, o.id, info))}}
	return body, made
}

func random(n int) ([]byte, error) {
	b := make([]byte, n)
	return b, errors.Join(func() error { _, err := rand.Read(b); return err }())
}

// commit makes a commit, which stays pending.
func (o *outsider) commit(proposals ...*mls.Proposal) (*wire.GroupCommit, *group.Commit) {
	made := must(o.mls.Commit(group.CommitOptions{Proposals: proposals, ForcePath: true, GroupInfo: group.GroupInfoOptions{ExternalPub: true}}))
	return &wire.GroupCommit{Group: o.id, Commit: must(mls.Marshal(made.Message)), PartialGroupInfo: must(mls.Marshal(made.Partial)),
		NextKey: must(o.mls.PendingExport(wire.GroupStateKeyLabel, o.id[:], wire.GroupStateKeySize))}, made
}

// takes has another outsider join the group.
func (o *outsider) takes(other *outsider) {
	body, made := o.adding(must(other.NewKeyPackage(context.Background(), other.persona)))
	ok(o.call(wire.OpAddUsers, body, o.leaf(), nil))
	must(o.mls.Merge())
	other.id = o.id
	other.mls = must(group.JoinWelcome(other.config(), made.Welcome.Welcome, group.JoinOptions{Tree: must(o.mls.Tree())}))
}

// codeNames are what scenarios print of refusals.
var codeNames = map[wire.Code]string{
	wire.CodeWrongRecipient: "wrong recipient", wire.CodeStale: "stale", wire.CodeReplayed: "replayed", wire.CodeNotAllowed: "not allowed",
	wire.CodeWrongEpoch: "wrong epoch", wire.CodeInvalidProposal: "invalid proposal", wire.CodeRateLimited: "rate limited",
	wire.CodeTokenRequired: "token required", wire.CodeTokenInvalid: "token invalid", wire.CodeTokenSpent: "token spent", wire.CodeMalformed: "malformed",
}

// outcomeOf is what scenarios print of an answer.
func outcomeOf(err error) string {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return codeNames[refused.Code]
	}
	ok(err)
	return "accepted"
}

// tell prints what came of an attempt.
func tell(attempt string, err error) { fmt.Printf("%s: %s\n", attempt, outcomeOf(err)) }

// tap sees an account's requests on their way.
type tap struct {
	// steal, if set, is given the requests to groups, none of which then arrives.
	steal func(*http.Request)
}

var errStolen = errors.New("stolen")

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.steal != nil && r.URL.Path == httpapi.PathGroupOperation {
		t.steal(r)
		return nil, errStolen
	}
	return http.DefaultTransport.RoundTrip(r)
}
