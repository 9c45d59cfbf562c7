package account_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// TestAgainstServer meets and pays at a whole provider with its default prices.
func TestAgainstServer(t *testing.T) {
	c := server.Config{Domain: domain, Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", MinFree: 1}
	c.Issuer.Attesters = host.Attesters{ProofOfWork: &host.Work{WorkCost: attester.WorkCost{MemoryKiB: 64, Passes: 1, Attempts: 1}, Parallel: 1}}
	provider, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- provider.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s := &site{TB: t, ctx: t.Context(), url: provider.URL(server.DS)}
	alice, bob := s.newPerson("alice"), s.newPerson("bob")
	for _, p := range []*person{alice, bob} {
		p.cfg.HTTP = &http.Client{}
		p.cfg.Stream = p == bob
		if p.Account, err = account.Create(s.ctx, p.cfg, p.name, domain); err != nil {
			t.Fatal(err)
		}
	}
	alice.befriend(bob)
	if _, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted)); err != nil {
		t.Fatal(err)
	}
	s.must(alice.Refill(s.ctx))
	if alice.TokenCount(tokens.Create) == 0 {
		t.Error("no tokens to make groups with")
	}
	var keys wire.VerificationKeys
	s.must(alice.Call(s.ctx, &account.Call{Domain: domain, Operation: wire.OpVerificationKey, Answer: &keys}))
	doc, err := alice.Provider(s.ctx, domain)
	s.must(err)
	if len(keys) == 0 || string(keys[0][:]) != string(doc.Keys[0]) {
		t.Error("another key than the provider's")
	}
	var id wire.NewGroupID
	s.must(alice.Call(s.ctx, &account.Call{Domain: domain, Operation: wire.OpRequestGroupID, Answer: &id}))
	// What is wrong is refused, and paid requests come back too.
	s.want(alice.Call(s.ctx, &account.Call{Domain: domain, Operation: wire.OpExternalCommitInfo, Body: &wire.GroupQuery{Group: id.Group}}), refused(wire.CodeNotAllowed))
	if n := alice.Outstanding(); n != 0 {
		t.Errorf("%d requests are outstanding", n)
	}
}
