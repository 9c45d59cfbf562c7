package interop

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
)

// sdk is a person whose client is the SDK.
type sdk struct {
	*testing.T
	*client.Client
}

func newSDK(t *testing.T, name string) *sdk {
	t.Helper()
	need(t)
	v := must(vault.Open(t.TempDir(), secret.New(random(32))))
	cfg := client.Config{Account: account.Config{Vault: v, Attestor: issuer.ProofOfWork(rand.Reader), Providers: map[string]string{"localhost": site.base}}}
	p := &sdk{t, must(client.Create(t.Context(), cfg, name, "localhost"))}
	t.Cleanup(func() {
		p.Close()
		v.Close()
	})
	return p
}

// until syncs until an event comes, and returns it.
func (p *sdk) until(kind client.EventKind) client.Event {
	p.Helper()
	for deadline := time.Now().Add(longest * time.Second); time.Now().Before(deadline); {
		for _, e := range must(p.Sync(p.T.Context(), time.Second)) {
			if e.Kind == kind {
				return e
			}
		}
	}
	p.Fatalf("event %d does not come", kind)
	return client.Event{}
}

// TestMeetsTheSDK: somebody whose client was written from the page and somebody
// with the SDK exchange cards, meet in a group, see each other's names, and talk.
func TestMeetsTheSDK(t *testing.T) {
	p, ts := newSDK(t, "Alice"), open(t, object{"name": "Zoe"})
	var out struct {
		Card  string
		Names []string
	}
	ts.do("card", nil, &out)
	card := must(account.ParseCard(out.Card))
	if err := p.Account().Connect(t.Context(), card, []byte("It is me, Alice")); err != nil {
		t.Fatal(err)
	}
	expect(ts, "offer", "It is me, Alice")
	ts.do("acceptOffer", nil, nil)
	if e := p.until(client.EventContact); e.Member.Name != "Zoe" {
		t.Fatalf("contact of %q", e.Member.Name)
	}

	g := must(p.CreateGroup(t.Context(), "both", client.GroupOptions{NoServerProposals: true}))
	contact := must(p.Account().Contact("Zoe"))
	if err := g.Invite(t.Context(), contact); err != nil {
		t.Fatal(err)
	}
	expect(ts, "join", "")
	if ts.do("names", nil, &out); !slices.Equal(out.Names, []string{"Alice", "Zoe"}) {
		t.Fatalf("members are %q", out.Names)
	}
	for _, m := range must(g.Members()) {
		if !m.Verified {
			t.Errorf("unverified member: %+v", m)
		}
	}
	say := func(text string) {
		t.Helper()
		ts.do("say", object{"text": text}, nil)
		if e := p.until(client.EventMessage); string(e.Text) != text || e.Member.Name != "Zoe" || !e.Member.Verified {
			t.Fatalf("got %q from %+v", e.Text, e.Member)
		}
	}
	hear := func(text string) {
		t.Helper()
		if err := g.Send(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		must(p.Sync(t.Context(), 0))
		expect(ts, "text", text)
	}
	hear("Hello, Zoe")
	ts.do("report", nil, nil)
	var refused *peerError
	if err := ts.call("report", object{"content": "what Alice never said"}, nil); !errors.As(err, &refused) || refused.Name != "invalid_report" {
		t.Fatalf("a report of what was not said: %v", err)
	}
	say("Hello, Alice")
	ts.do("renew", nil, nil)
	say("with new keys")

	// A third person, whom the roster then has, and who leaves it with a new
	// generation.
	third := open(t, object{"name": "Mallory"})
	third.do("card", nil, &out)
	if err := p.Account().Connect(t.Context(), must(account.ParseCard(out.Card)), nil); err != nil {
		t.Fatal(err)
	}
	expect(third, "offer", "")
	third.do("acceptOffer", nil, nil)
	p.until(client.EventContact)
	if err := g.Invite(t.Context(), must(p.Account().Contact("Mallory"))); err != nil {
		t.Fatal(err)
	}
	expect(ts, "commit", "")
	expect(third, "join", "")
	for _, c := range []*theirs{ts, third} {
		if c.do("names", nil, &out); !slices.Equal(out.Names, []string{"Alice", "Mallory", "Zoe"}) {
			t.Fatalf("members are %q", out.Names)
		}
	}
	if err := g.Remove(t.Context(), "Mallory"); err != nil {
		t.Fatal(err)
	}
	expect(ts, "commit", "")
	expect(third, "removed", "")
	if ts.do("names", nil, &out); !slices.Equal(out.Names, []string{"Alice", "Zoe"}) {
		t.Fatalf("members are %q", out.Names)
	}
	hear("only us again")
}
