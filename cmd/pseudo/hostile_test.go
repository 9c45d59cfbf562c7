package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// hostile scenario: plays a client that breaks the rules at the server that the
// variable SERVER names, and prints what it gets for each attempt.
func hostile() {
	server := os.Getenv("SERVER")
	map[string]func(server string){
		"wrong-key": wrongKey, "replay": replay, "forged-leaf": forgedLeaf, "stale-epoch": staleEpoch, "double-spend": doubleSpend,
		"over-limit": overLimit, "removed": removedMember,
	}[os.Args[1]](server)
}

// wrongKey makes requests that are right but for the group state key.
func wrongKey(server string) {
	a := newOutsider(server, "a").found()
	other := newOutsider(server, "other").found()
	r := a.request(wire.OpSendMessage, a.text("hello"))
	r.GroupStateKey = secret.New(must(random(wire.GroupStateKeySize)))
	_, err := a.post(r)
	tell("a random key", err)
	r.GroupStateKey = other.key()
	_, err = a.post(r)
	tell("another group's key", err)
	r.GroupStateKey = secret.Bytes{}
	_, err = a.post(r)
	tell("no key", err)
	r.GroupStateKey = a.key()
	_, err = a.post(r)
	tell("the right key", err)
}

// replay sends what was sent before, and what looks like it.
func replay(server string) {
	a := newOutsider(server, "a").found()
	r := a.request(wire.OpSendMessage, a.text("hello"))
	encoded := a.signed(r)
	first, err := a.ds.Do(context.Background(), r.Operation, encoded)
	tell("a message", err)
	second, err := a.ds.Do(context.Background(), r.Operation, encoded)
	tell("the same octets", err)
	fmt.Printf("same answer: %v\n", bytes.Equal(first, second))

	other := *r
	other.Body = must(mls.Marshal(a.text("something else")))
	_, err = a.post(&other)
	tell("another message with the same nonce", err)
	forged := a.signed(a.request(wire.OpSendMessage, a.text("hello")))
	forged[len(forged)-1] ^= 1
	_, err = a.ds.Do(context.Background(), r.Operation, forged)
	tell("a forged signature", err)

	expect := func(attempt string, change func(*wire.Request)) {
		r := a.request(wire.OpSendMessage, a.text("hello"))
		change(r)
		_, err := a.post(r)
		tell(attempt, err)
	}
	expect("for another server", func(r *wire.Request) { r.RecipientDomain = "elsewhere.example" })
	expect("expired", func(r *wire.Request) { r.ExpiresAt = uint64(time.Now().Add(-time.Minute).Unix()) })
	expect("good for a year", func(r *wire.Request) { r.ExpiresAt = uint64(time.Now().AddDate(1, 0, 0).Unix()) })
	fmt.Printf("entries in the queue: %d\n", a.entries(1))
}

// entries empties the outsider's queue and counts what was in it: its own messages
// are among that. It waits for as many as there should be, and then for a moment for
// more.
func (o *outsider) entries(want int) (n int) {
	ctx := context.Background()
	for {
		wait := time.Second
		if n < want {
			wait = longest
		}
		in := must(o.Receive(ctx, wait))
		if len(in) == 0 {
			return n
		}
		for _, i := range in {
			n++
			ok(o.Ack(ctx, i.Seq))
		}
	}
}

// forgedLeaf acts as another member, and puts leaves into the group that are not
// its own.
func forgedLeaf(server string) {
	a, b, c := newOutsider(server, "a").found(), newOutsider(server, "b"), newOutsider(server, "c")
	a.takes(b)
	r := b.request(wire.OpSendMessage, b.text("this is a"))
	r.Auth.Leaf = must(a.mls.OwnLeaf())
	_, err := b.post(r)
	tell("another's leaf", err)
	r.Auth.Leaf = 7
	_, err = b.post(r)
	tell("a leaf that is not there", err)

	// A newcomer with a's credential, which every member has seen, and a key of its
	// own.
	twin := c.Client(c.persona)
	twin.Credential = a.Client(a.persona).Credential
	own := must(c.NewKeyPackage(context.Background(), c.persona))
	p := must(group.NewKeyPackage(group.Config{KeyPackages: group.NewMemoryStore()}, twin, group.KeyPackageOptions{Extensions: own.Extensions}))
	body, _ := b.adding(p)
	tell("a newcomer under another's pseudonym", b.call(wire.OpAddUsers, body, b.leaf(), nil))
	b.mls.Discard()

	// A rejoin in a's place.
	info := must(b.mls.GroupInfo(group.GroupInfoOptions{ExternalPub: true}))
	place := must(a.mls.OwnLeaf())
	thief := b.Client(b.persona)
	thief.Credential = twin.Credential
	thief.Signer = c.persona.Signer
	joined, made, err := group.JoinExternal(b.config(), thief, info, group.ExternalOptions{Tree: must(b.mls.Tree()), Remove: &place, GroupInfo: group.GroupInfoOptions{ExternalPub: true}})
	ok(err)
	address, _, err := b.BoundAddress(context.Background(), b.Domain(), b.id)
	ok(err)
	commit := &wire.GroupCommit{Group: b.id, Commit: must(mls.Marshal(made.Message)), PartialGroupInfo: must(mls.Marshal(made.Partial)),
		NextKey: must(joined.Export(wire.GroupStateKeyLabel, b.id[:], wire.GroupStateKeySize)), Address: address}
	sign := func(key *mls.SignatureKey) func([]byte) ([]byte, error) {
		return func(tbs []byte) ([]byte, error) { return key.SignWithLabel(wire.SignatureLabel, tbs) }
	}
	user := wire.Digest(b.persona.UserAuth.Public())
	tell("a rejoin in another's place", b.Call(context.Background(), &account.Call{Domain: b.Domain(), Operation: wire.OpRejoin, Body: commit,
		GroupStateKey: b.key(), Auth: wire.Auth{Type: wire.AuthUser, KeyID: user[:]}, Sign: sign(b.persona.UserAuth)}))
	tell("the same signed by the leaf it brings", b.Call(context.Background(), &account.Call{Domain: b.Domain(), Operation: wire.OpRejoin, Body: commit,
		GroupStateKey: b.key(), Auth: wire.Auth{Type: wire.AuthJoiner}, Sign: sign(thief.Signer)}))
	_, err = a.post(a.request(wire.OpSendMessage, a.text("I am still here")))
	tell("the one whose place it was", err)
}

// staleEpoch makes two commits for one epoch.
func staleEpoch(server string) {
	a, b := newOutsider(server, "a").found(), newOutsider(server, "b")
	a.takes(b)
	hers, made := a.commit()
	his, _ := b.commit()
	tell("the first commit of the epoch", a.call(wire.OpUpdate, hers, a.leaf(), nil))
	_, err := b.post(b.request(wire.OpUpdate, his))
	tell("the second one", err)
	var refused *wire.Error
	if errors.As(err, &refused) {
		fmt.Printf("the service is in epoch %d, the client in %d\n", refused.Epoch, b.mls.Epoch())
	}
	b.mls.Discard()
	must(b.mls.Process(made.Message))
	again, _ := b.commit()
	tell("one of the new epoch", b.call(wire.OpUpdate, again, b.leaf(), nil))
}

// doubleSpend spends a token twice: after an answer, for something else, and in
// several requests at once.
func doubleSpend(server string) {
	a := newOutsider(server, "a")
	request, op := a.stolen(a.creation())
	_, err := a.ds.Do(context.Background(), op, request)
	tell("a token", err)
	_, err = a.ds.Do(context.Background(), op, request)
	tell("the same request again", err)
	spent := must(wire.ParseRequest(request, len(request))).Tokens

	with := func(tokens [][]byte, o wire.Operation, body mls.Marshaler) []byte {
		r := a.request(o, body)
		r.Tokens, r.Auth = tokens, wire.Auth{Type: wire.AuthJoiner}
		return a.signed(r)
	}
	_, err = a.ds.Do(context.Background(), op, with(spent, op, a.creation()))
	tell("the token for another group", err)
	_, err = a.ds.Do(context.Background(), op, with(nil, op, a.creation()))
	tell("no token", err)

	// A fresh one, in eight requests that arrive together.
	request, _ = a.stolen(a.creation())
	fresh := must(wire.ParseRequest(request, len(request))).Tokens
	var race sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for range 8 {
		encoded := with(fresh, op, a.creation())
		race.Go(func() {
			_, err := a.ds.Do(context.Background(), op, encoded)
			mu.Lock()
			defer mu.Unlock()
			outcomes[outcomeOf(err)]++
		})
	}
	race.Wait()
	fmt.Printf("eight at once: %d accepted, %d token spent\n", outcomes["accepted"], outcomes["token spent"])
	forged := bytes.Clone(fresh[0])
	forged[len(forged)-1] ^= 1
	_, err = a.ds.Do(context.Background(), op, with([][]byte{forged}, op, a.creation()))
	tell("a forged token", err)
}

// stolen has the account pay for a group and keeps the request from arriving.
func (o *outsider) stolen(body *wire.CreateGroup) (request []byte, op wire.Operation) {
	ctx, cancel := context.WithCancel(context.Background())
	o.tap.steal = func(r *http.Request) {
		request = must(io.ReadAll(r.Body))
		cancel()
	}
	defer func() { o.tap.steal = nil }()
	err := o.Call(ctx, &account.Call{Domain: o.Domain(), Operation: wire.OpCreateGroup, Body: body, GroupStateKey: o.key(),
		Auth: wire.Auth{Type: wire.AuthJoiner}, Sign: o.sign})
	if !errors.Is(err, account.ErrUncertain) || !errors.Is(err, httpapi.ErrTransport) {
		fail("the request arrived: %v", err)
	}
	return request, wire.OpCreateGroup
}

// overLimit sends without end, and then pays.
func overLimit(server string) {
	a, b := newOutsider(server, "a").found(), newOutsider(server, "b")
	a.takes(b)
	n := 0
	var err error
	for ; err == nil && n < 100; n++ {
		_, err = a.post(a.request(wire.OpSendMessage, a.text("buy")))
	}
	tell(fmt.Sprintf("message %d", n), err)
	var refused *wire.Error
	if errors.As(err, &refused) {
		fmt.Printf("try again: %v\n", refused.RetryAfter > 0)
	}
	tell("with a token", a.sendPaid())
	_, err = a.post(a.request(wire.OpSendMessage, a.text("buy")))
	tell("without one", err)
	_, err = b.post(b.request(wire.OpSendMessage, b.text("hello")))
	tell("another member", err)
}

// sendPaid sends one message and pays for it.
func (o *outsider) sendPaid() error {
	return o.Call(context.Background(), &account.Call{Domain: o.Domain(), Operation: wire.OpSendMessage, Body: o.text("buy"), GroupStateKey: o.key(),
		Auth: o.leaf(), Sign: o.sign, Pay: true})
}

// removedMember keeps trying after its removal, with all that it has.
func removedMember(server string) {
	a, b := newOutsider(server, "a").found(), newOutsider(server, "b")
	a.takes(b)
	place := must(b.mls.OwnLeaf())
	_, err := b.post(b.request(wire.OpSendMessage, b.text("hello")))
	tell("a member", err)
	body, _ := a.commit(group.Remove(place))
	ok(a.call(wire.OpRemoveUsers, body, a.leaf(), nil))
	must(a.mls.Merge())
	fmt.Printf("entries up to its removal: %d\n", b.entries(3))

	_, err = b.post(b.request(wire.OpSendMessage, b.text("hello?")))
	tell("sends", err)
	own, _ := b.commit()
	_, err = b.post(b.request(wire.OpUpdate, own))
	tell("commits", err)
	b.mls.Discard()
	address, _, err := b.BoundAddress(context.Background(), b.Domain(), b.id)
	ok(err)
	_, err = b.post(b.request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: b.id, Address: *address}))
	tell("wants messages at a new address", err)
	anonymous := func(o wire.Operation) error {
		return b.Call(context.Background(), &account.Call{Domain: b.Domain(), Operation: o, Body: &wire.GroupQuery{Group: b.id}, GroupStateKey: b.key()})
	}
	tell("asks for the group's state", anonymous(wire.OpExternalCommitInfo))
	tell("asks what became of the group", b.Call(context.Background(), &account.Call{Domain: b.Domain(), Operation: wire.OpCommitOutcome,
		Body: &wire.OutcomeQuery{Group: b.id, Epoch: b.mls.Epoch() + 1}, GroupStateKey: b.key()}))

	// A request for access looks like that of a member who lags behind. It gets the
	// answer that everybody gets, and no member is ever shown it.
	ask := &wire.AccessRequest{Group: b.id}
	rand.Read(ask.Key[:])
	tell("asks the members to let it in", b.Call(context.Background(), &account.Call{Domain: b.Domain(), Operation: wire.OpAccessRequest, Body: ask,
		Auth: wire.Auth{Type: wire.AuthLeaf, Leaf: place}, Sign: b.sign}))
	var answer wire.Accepted
	ok(a.call(wire.OpSendMessage, a.text("b is gone"), a.leaf(), &answer))
	fmt.Printf("requests shown to members: %d\n", len(answer.Access))
	fmt.Printf("entries after it: %d\n", b.entries(0))
}
