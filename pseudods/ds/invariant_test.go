package ds_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestINV05OneCommitForAnEpoch: of all commits of an epoch that come at once, to
// two services on one store, one is accepted, and the others learn the epoch.
func TestINV05OneCommitForAnEpoch(t *testing.T) {
	r := newRig(t, nil)
	const n = 6
	all := r.founded(n)
	for round := range 5 {
		services := []*ds.Service{r.ds, must(ds.New(r.cfg))}
		requests := make([][]byte, n)
		for i, c := range all {
			requests[i] = c.request(wire.OpUpdate, c.commitBody(group.CommitOptions{ForcePath: true}), c.leafAuth(), stateKey(c.Group))
		}
		var wg sync.WaitGroup
		won := make([]bool, n)
		for i, request := range requests {
			wg.Go(func() {
				var response wire.Response
				if err := mls.Unmarshal(services[i%2].Handle(context.Background(), request), &response); err != nil {
					t.Error(err)
				}
				won[i] = response.Err == nil
				if e := response.Err; e != nil && (e.Code != wire.CodeWrongEpoch || e.Epoch != all[i].Epoch()+1) && e.Code != wire.CodeRateLimited {
					t.Errorf("round %d: %+v", round, e)
				}
			})
		}
		wg.Wait()
		winners := 0
		for i, c := range all {
			if won[i] {
				winners++
				must(c.Merge())
			} else {
				c.Discard()
			}
		}
		if winners != 1 {
			t.Fatalf("%d commits of one epoch were accepted", winners)
		}
		r.settle(all[0], all...)
	}
}

// TestINV06EveryMessageArrivesOnce: whatever fails between the store and the
// queues, everybody gets all messages, in one order, each once.
func TestINV06EveryMessageArrivesOnce(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(4)
	attempts := 0
	r.mail.fail = func(domain string) error {
		if attempts++; attempts%3 != 0 || domain == "two.example" && attempts%2 == 0 {
			return errors.New("away")
		}
		return nil
	}
	var want []string
	for i := range 20 {
		c := all[i%3]
		want = append(want, fmt.Sprint("message ", i))
		r.ok(c.send(want[i]))
		if i%7 == 0 {
			// A dispatcher that is ended in the middle, twice at once.
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Millisecond)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() { ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond}).Run(ctx) })
			}
			wg.Wait()
			cancel()
			r.restart()
		}
	}
	r.settle(all[0], all...)
	if got := all[3].seen; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Fatalf("saw %q", got)
	}
}

// TestINV06ProviderThatIsAwayHoldsUpNoOther.
func TestINV06ProviderThatIsAwayHoldsUpNoOther(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3) // 1 is at two.example
	r.mail.fail = func(domain string) error {
		if domain == "two.example" {
			return errors.New("away")
		}
		return nil
	}
	d := ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Millisecond})
	r.cfg.Wake = d.Wake
	r.restart()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	r.ok(all[0].send("one"))
	r.ok(all[0].send("two"))
	for deadline := time.Now().Add(time.Minute); len(all[2].seen) < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		all[2].receive(nil)
	}
	cancel()
	<-done
	if len(all[2].seen) != 2 {
		t.Fatalf("saw %q", all[2].seen)
	}
	r.mail.fail = nil
	r.settle(all[0], all...)
	if len(all[1].seen) != 2 {
		t.Fatalf("saw %q", all[1].seen)
	}
}

// TestINV09RemovedMemberIsOut: the last key that a removed member had opens the
// group no more, and one who joined meanwhile, but has not fetched anything,
// still joins.
func TestINV09RemovedMemberIsOut(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(3)
	late := r.person("user 8", "one.example")
	r.ok(all[0].add(wire.OpAddUsers, late))
	joinKey := stateKey(all[0].Group)
	r.ok(all[0].remove(wire.OpRemoveUsers, all[1]))
	r.refused(all[1].send("x"), wire.CodeNotAllowed)
	for _, key := range []secret.Bytes{joinKey, stateKey(all[1].Group)} {
		r.refused(r.call(all[1].request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: all[1].id()}, wire.Auth{}, key), nil), wire.CodeNotAllowed)
		_, err := all[1].outcome(all[1].Epoch()+1, key)
		r.refused(err, wire.CodeNotAllowed)
		r.refused(r.call(all[1].request(wire.OpTargetedMessage, &wire.TargetedMessage{Group: all[1].id(), Content: []byte("x")}, all[1].leafAuth(), key), nil), wire.CodeNotAllowed)
	}
	r.ok(r.call(all[1].accessRequest(all[1].id(), must(all[1].OwnLeaf()), all[1].welcome), nil))
	if got := all[0].sendFor("who was it?"); len(got) != 0 {
		t.Fatal("a removed member asks to be let in, and somebody hears of it")
	}
	r.ok(all[0].commit(wire.OpUpdate, nil))

	// Somebody else with the key and the KeyPackage's reference joins nothing.
	thief := r.person("user 9", "one.example")
	thief.kp = late.kp
	_, err := thief.welcomeInfo(all[0].id(), joinKey)
	r.refused(err, wire.CodeNotAllowed)
	_, err = late.welcomeInfo(all[0].id(), stateKey(all[0].Group))
	r.refused(err, wire.CodeNotAllowed)

	r.deliver()
	late.receive(func() secret.Bytes { return joinKey })
	if late.Group == nil || late.Epoch() != all[0].Epoch() {
		t.Fatal("the joiner did not get in, or did not follow")
	}
	r.ok(late.send("made it"))
}

// TestLaggingMemberStillOpensTheGroup: as long as nobody is removed, an older
// key will do for what does not depend on the epoch.
func TestLaggingMemberStillOpensTheGroup(t *testing.T) {
	r := newRig(t, nil)
	all := r.founded(2)
	for range 3 {
		r.ok(all[0].commit(wire.OpUpdate, nil))
	}
	r.ok(all[1].send("late"))
	all[1].newAddress("two.example", wire.AddressBound)
	r.ok(r.call(all[1].request(wire.OpUpdateQueueAddress, &wire.UpdateAddress{Group: all[1].id(), Address: all[1].address},
		all[1].leafAuth(), stateKey(all[1].Group)), new(wire.Accepted)))
	err := all[1].commit(wire.OpUpdate, nil)
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeWrongEpoch || refused.Epoch != all[0].Epoch() {
		t.Fatalf("got %v", err)
	}
}

// till is a Payments that counts.
type till struct {
	mu     sync.Mutex
	spent  map[string][32]byte
	broken bool
	all    bool // not messages alone cost a token
}

type charge struct {
	*till
	token string
}

func (p *till) Verify(op wire.Operation, tokens [][]byte) (ds.Payment, error) {
	if op != wire.OpSendMessage && !p.all {
		return nil, nil
	}
	if len(tokens) != 1 {
		return nil, &wire.Error{Code: wire.CodeTokenRequired}
	}
	return charge{p, string(tokens[0])}, nil
}

func (c charge) Spend(_ context.Context, request [32]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by, ok := c.spent[c.token]; ok && by != request {
		return &wire.Error{Code: wire.CodeTokenSpent}
	}
	c.spent[c.token] = request
	if c.broken {
		return &wire.Error{Code: wire.CodeInternal}
	}
	return nil
}

// TestINV04TokenBuysOnce: a token that was spent when the service failed still
// buys its request, and no other; a refused request spends nothing.
func TestINV04TokenBuysOnce(t *testing.T) {
	pay := &till{spent: map[string][32]byte{}}
	r := newRig(t, func(c *ds.Config) { c.Payments = pay })
	all := r.founded(2)
	a := all[0]
	r.refused(a.send("for nothing"), wire.CodeTokenRequired)
	request := func(token string) *wire.Request {
		w := a.sendRequest(token)
		w.Tokens = [][]byte{[]byte(token)}
		return w
	}
	wrong := request("one")
	wrong.GroupStateKey = secret.New(make([]byte, 32))
	r.refused(r.call(a.sign(wrong), nil), wire.CodeNotAllowed)
	if len(pay.spent) != 0 {
		t.Fatal("a refused request cost a token")
	}
	pay.broken = true
	first := a.sign(request("one"))
	r.refused(r.call(first, nil), wire.CodeInternal)
	pay.broken = false
	r.restart()
	r.refused(r.call(a.sign(request("one")), nil), wire.CodeTokenSpent)
	r.ok(r.call(first, nil))
	r.ok(r.call(first, nil))
	r.settle(a, all...)
	if len(all[1].seen) != 1 {
		t.Fatalf("saw %q", all[1].seen)
	}
}

// TestINV07ErrorsNameNothing: what is answered to a stranger about a group that
// is there and about one that is not is the same.
func TestINV07ErrorsNameNothing(t *testing.T) {
	r := newRig(t, nil)
	a := r.found("a")
	stranger := r.person("b", "one.example")
	key := secret.New(make([]byte, 32))
	for _, id := range []wire.GroupID{a.id(), {1, 2, 3}} {
		encoded := stranger.request(wire.OpExternalCommitInfo, &wire.GroupQuery{Group: id}, wire.Auth{}, key)
		if got, want := fmt.Sprintf("%x", r.ds.Handle(context.Background(), encoded)), "0001010008"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// TestINV11TooMuchAtOnce: what no store takes in one step is refused before a
// token is spent on it.
func TestINV11TooMuchAtOnce(t *testing.T) {
	r := newRig(t, func(c *ds.Config) { c.MaxMessage = 400 << 10 })
	a := r.found("a")
	var others []*client
	for i := range ds.MaxProviders - 1 {
		others = append(others, r.person(fmt.Sprint("user ", i), fmt.Sprint("provider", i, ".example")))
	}
	r.ok(a.add(wire.OpAddUsers, others...))
	r.ok(a.send(strings.Repeat("x", 200<<10)))
	r.refused(a.send(strings.Repeat("x", 300<<10)), wire.CodeTooLarge)
	r.refused(a.send(strings.Repeat("x", 401<<10)), wire.CodeTooLarge)
	r.ok(a.send("less"))
	r.settle(a, others...)
	if n := len(others[len(others)-1].seen); n != 2 {
		t.Fatalf("%d messages arrived", n)
	}
}

// TestINV02StoreShowsNothing: neither pseudonyms, keys, names of providers nor
// addresses stand in the records of a group or in the messages that wait.
func TestINV02StoreShowsNothing(t *testing.T) {
	r := newSigningRig(t)
	all := r.tended(3)
	late := r.person("user 9", "two.example")
	all[2].loseQueue()
	r.ok(all[0].send("comes back"))
	r.deliver()
	r.ok(all[0].add(wire.OpAddUsers, late))
	r.ok(all[0].commitWith(part(0, 0), wire.OpRemoveUsers, []*mls.Proposal{group.Remove(must(all[2].OwnLeaf()))}))
	r.ok(all[0].send("in the outbox"))
	access := must(seal.GenerateKey(wire.X25519))
	r.ok(r.call(all[1].accessRequest(all[0].id(), must(all[1].OwnLeaf()), access), nil))
	r.ok(all[0].propose(wire.OpSelfRemove, must(all[0].Propose(group.SelfRemove(), group.MessageOptions{}))))
	stored := r.store.Records(all[0].id())
	for _, ref := range must(r.store.Waiting(t.Context(), ds.Ref{}, 10)) {
		first := must(r.store.First(t.Context(), ref.Group, ref.Lane))
		m := must(r.store.Message(t.Context(), ref.Group, ref.Lane, first))
		stored["lane "+string(ref.Lane[:])] = slices.Concat(m.Parts...)
	}
	if len(stored) < 30 {
		t.Fatalf("only %d records", len(stored))
	}
	for _, c := range append(all, late) {
		name := must(wire.ParseMemberName(wire.ProfilePseudonymous, &c.mls.Credential))
		ref := must(c.kp.Ref(must(mls.X25519AES128GCM.Suite())))
		for what, hidden := range map[string][]byte{
			"pseudonym": []byte(name.Client)[:8], "user": []byte(name.User)[:6], "signature key": c.mls.Signer.Public()[:8], "init key": c.kp.InitKey[:8],
			"address": c.address.Address.Sealed.Ciphertext[:8], "delivery secret": c.address.Secret.Reveal()[:8],
			"provider": []byte(name.Credential.Provider), "KeyPackage": ref[:8], "tree hash": all[0].Context().TreeHash[:8],
			"user key": c.user.Public()[:8], "roster": part(0, 0).Part[:6], "access key": access.Public().Public[:8], "service": []byte(domain),
		} {
			for k, v := range stored {
				if strings.Contains(k, string(hidden)) || bytes.Contains(v, hidden) {
					t.Errorf("a record of kind %q shows a %s", k[0], what)
				}
			}
		}
	}
}
