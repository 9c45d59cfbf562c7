package ds_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// cases takes reports, and none twice.
type cases struct {
	taken map[ds.ReportID]*ds.Report
	asked int
	// err is what Take fails with after it kept the report, if not nil.
	err error
}

var _ ds.Reports = (*cases)(nil)

func (c *cases) Take(_ context.Context, r *ds.Report) error {
	c.asked++
	if c.taken[r.ID] != nil {
		return ds.ErrReported
	}
	c.taken[r.ID] = r
	return c.err
}

// linked is a client whose identity link opens.
type linked struct {
	*client
	real      *identity.Identity
	pseudonym *identity.Pseudonym
}

func (r *rig) linked(user string) *linked {
	l := &linked{client: r.person(user, "one.example"), real: must(identity.New(mls.BasicCredential([]byte(user+"@one.example")), rand.Reader))}
	var p wire.Pseudonym
	copy(p[:], user)
	l.pseudonym = must(l.real.NewPseudonym(rand.Reader, p, "one.example", l.user.Public(), l.mls.Signer.Public()))
	l.called(must(l.pseudonym.Credential.Credential()))
	return l
}

// court is a service that takes reports, with a group in which the accused has
// said three things.
type court struct {
	*rig
	cases                     *cases
	owner, accused, bystander *linked
}

func newCourt(t *testing.T, change func(*ds.Config)) *court {
	c := &court{cases: &cases{taken: map[ds.ReportID]*ds.Report{}}}
	c.rig = newRig(t, func(cfg *ds.Config) {
		franking(cfg)
		cfg.Reports = c.cases
		if change != nil {
			change(cfg)
		}
	})
	c.owner, c.accused, c.bystander = c.linked("owner"), c.linked("accused"), c.linked("bystander")
	c.ok(c.call(c.owner.createRequest(), nil))
	c.ok(c.owner.add(wire.OpAddUsers, c.accused.client, c.bystander.client))
	c.settle()
	for _, text := range []string{"buy", "buy now", "last chance"} {
		c.ok(c.accused.send(text))
	}
	c.settle()
	return c
}

func (c *court) settle(more ...*client) {
	c.Helper()
	c.rig.settle(c.owner.client, append([]*client{c.owner.client, c.accused.client, c.bystander.client}, more...)...)
}

// report is what a member can show of the accused.
func (c *court) report(by *linked) *wire.AbuseReport {
	return &wire.AbuseReport{Group: by.id(), Credential: c.accused.pseudonym.Credential, SignatureKey: c.accused.mls.Signer.Public(),
		LinkKey: c.accused.pseudonym.LinkKey.Bytes, Messages: slices.Clone(by.franked), Reason: wire.ReasonSpam, Note: []byte("a note")}
}

func (c *court) file(by *linked, b *wire.AbuseReport) error {
	c.Helper()
	return c.call(by.request(wire.OpReportAbuse, b, by.leafAuth(), stateKey(by.Group)), new(wire.Empty))
}

// TestReport: a report holds what was proved and not who made it, is taken of one
// who has left, and shows nowhere in the group.
func TestReport(t *testing.T) {
	c := newCourt(t, nil)
	c.ok(c.owner.remove(wire.OpRemoveUsers, c.accused.client))
	c.settle()
	c.forget()
	before := c.store.Records(c.owner.id())
	c.ok(c.file(c.bystander, c.report(c.bystander)))
	if !maps.EqualFunc(before, c.store.Records(c.owner.id()), bytes.Equal) || len(must(c.store.Waiting(t.Context(), ds.Ref{}, 1))) != 0 {
		t.Error("the report changed the group, or somebody hears of it")
	}
	if len(c.cases.taken) != 1 {
		t.Fatalf("%d reports", len(c.cases.taken))
	}
	for id, got := range c.cases.taken {
		p := &c.accused.pseudonym.Credential
		if id != got.ID || got.Group != c.owner.id() || got.Client != p.Client || got.User != p.User || got.Domain != "one.example" ||
			string(got.Credential.Identity) != "accused@one.example" || !got.Key.Equal(ed25519.PublicKey(c.accused.real.Key.Public())) ||
			got.Reason != uint8(wire.ReasonSpam) || string(got.Note) != "a note" || len(got.Messages) != 3 {
			t.Fatalf("took %+v", got)
		}
		for i, text := range []string{"buy", "buy now", "last chance"} {
			if m := got.Messages[i]; string(m.Content) != text || m.Day != uint64(start.Unix()/86400) {
				t.Errorf("message %d: %q on day %d", i, m.Content, m.Day)
			}
		}
	}
}

// TestReportsThatProveNothing: forged, mauled, out of context, by the accused: each
// is refused alike, and none is taken.
func TestReportsThatProveNothing(t *testing.T) {
	c := newCourt(t, nil)
	other := c.linked("other")
	c.ok(c.call(other.createRequest(), nil))
	c.rig.settle(other.client, other.client)
	c.ok(c.bystander.send("I am innocent"))
	c.settle()
	innocent := c.owner.franked[3]
	phone := c.linked("accused") // a second client of the accused's user
	c.ok(c.accused.add(wire.OpAddClients, phone.client))
	c.settle(phone.client)

	forge := func(said *seal.Franked) (f wire.Frank) {
		return *must(said.Frank(must(must(mls.X25519AES128GCM.Suite()).GenerateSignatureKey(rand.Reader)), 1))
	}
	for name, change := range map[string]func(*wire.AbuseReport){
		"forged frank": func(b *wire.AbuseReport) {
			credential := must(b.Credential.Credential())
			m := &b.Messages[0]
			m.Frank = forge(&seal.Franked{Domain: domain, Group: b.Group, Sender: must(wire.FrankedSender(&credential, b.SignatureKey)), Epoch: m.Epoch,
				Tag: must(seal.TagOf(b.Group, m.Epoch, &wire.FrankedContent{Key: m.Key, Content: m.Content}))})
			m.Frank.Key = wire.FrankKeyIDOf(c.cfg.Signers[0].Public())
		},
		"mauled frank":            func(b *wire.AbuseReport) { b.Messages[1].Frank.Signature[0] ^= 1 },
		"another content":         func(b *wire.AbuseReport) { b.Messages[0].Content = []byte("I will kill you") },
		"another franking key":    func(b *wire.AbuseReport) { b.Messages[0].Key = secret.New(random(32)) },
		"another epoch":           func(b *wire.AbuseReport) { b.Messages[0].Epoch++ },
		"another day":             func(b *wire.AbuseReport) { b.Messages[0].Frank.Day-- },
		"a day to come":           func(b *wire.AbuseReport) { b.Messages[0].Frank.Day++ },
		"the frank of another":    func(b *wire.AbuseReport) { b.Messages[0].Frank = b.Messages[1].Frank },
		"a message twice":         func(b *wire.AbuseReport) { b.Messages[1] = b.Messages[0] },
		"a message of another":    func(b *wire.AbuseReport) { b.Messages = append(b.Messages, innocent) },
		"messages of another":     func(b *wire.AbuseReport) { b.Messages = []wire.FrankedMessage{innocent} },
		"another signature key":   func(b *wire.AbuseReport) { b.SignatureKey = c.bystander.mls.Signer.Public() },
		"another link key":        func(b *wire.AbuseReport) { b.LinkKey = c.bystander.pseudonym.LinkKey.Bytes },
		"another's credential":    func(b *wire.AbuseReport) { b.Credential = c.bystander.pseudonym.Credential },
		"another's identity link": func(b *wire.AbuseReport) { b.Credential.IdentityLink = c.bystander.pseudonym.Credential.IdentityLink },
		"another user":            func(b *wire.AbuseReport) { b.Credential.User[0]++ },
	} {
		b := c.report(c.owner)
		b.Messages = b.Messages[:3]
		change(b)
		if err := c.file(c.owner, b); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidReport}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := c.report(c.owner)
	good.Messages = good.Messages[:3]
	c.refused(c.file(c.accused, good), wire.CodeInvalidReport)
	c.refused(c.file(phone, good), wire.CodeInvalidReport)

	elsewhere := *good // by a member of another group, to which nothing of it was sent
	elsewhere.Group = other.id()
	c.refused(c.file(other, &elsewhere), wire.CodeInvalidReport)

	keys := c.cfg.Signers
	c.cfg.Signers = nil
	franking(&c.cfg) // the old key is gone
	c.restart()
	c.refused(c.file(c.owner, good), wire.CodeInvalidReport)
	c.cfg.Signers = append(c.cfg.Signers, keys...)
	c.restart()
	if c.cases.asked != 0 {
		t.Fatalf("%d reports were handed on", c.cases.asked)
	}
	c.pass(30 * 24 * time.Hour)
	c.ok(c.file(c.owner, good)) // by a key that signs no more, on its last day
	c.pass(24 * time.Hour)
	c.refused(c.file(c.owner, good), wire.CodeInvalidReport)
}

// TestReportTakesAMember: INV-03: who is in no group, or not any more, reports
// nobody, and a report that was signed by one is not another's.
func TestReportTakesAMember(t *testing.T) {
	c := newCourt(t, nil)
	b := c.report(c.bystander)
	key := stateKey(c.bystander.Group)
	stranger := c.linked("stranger")
	for _, by := range []wire.Auth{{Type: wire.AuthLeaf, Leaf: 2}, {Type: wire.AuthLeaf, Leaf: 77}, {}, {Type: wire.AuthJoiner}, stranger.userAuth()} {
		c.refused(c.call(stranger.request(wire.OpReportAbuse, b, by, key), nil), wire.CodeNotAllowed)
	}
	c.refused(c.call(c.bystander.request(wire.OpReportAbuse, b, c.bystander.leafAuth(), secret.New(random(32))), nil), wire.CodeNotAllowed)
	c.refused(c.call(c.bystander.request(wire.OpReportAbuse, b, c.owner.leafAuth(), key), nil), wire.CodeNotAllowed)
	c.ok(c.owner.remove(wire.OpRemoveUsers, c.bystander.client))
	c.refused(c.file(c.bystander, b), wire.CodeNotAllowed)
	if c.cases.asked != 0 {
		t.Fatal("a report of nobody was handed on")
	}
}

// TestINV04ReportIsTakenOnce: a report is paid for and taken once, whatever fails
// in between, and a duplicate by whomever is answered as the first.
func TestINV04ReportIsTakenOnce(t *testing.T) {
	pay := &till{spent: map[string][32]byte{}, all: true}
	c := newCourt(t, nil)
	c.cfg.Payments = pay
	c.restart()
	filed := func(by *linked, token string, b *wire.AbuseReport) []byte {
		w := must(wire.ParseRequest(by.request(wire.OpReportAbuse, b, by.leafAuth(), stateKey(by.Group)), 1<<20))
		w.Tokens = [][]byte{[]byte(token)}
		return by.sign(w)
	}
	first := filed(c.owner, "one", c.report(c.owner))
	c.cases.err = errors.New("a crash after it was kept")
	c.refused(c.call(first, nil), wire.CodeInternal)
	c.cases.err = nil
	c.restart()
	answer := c.ds.Handle(t.Context(), first)
	c.ok(c.call(first, new(wire.Empty)))

	b := c.report(c.bystander)
	slices.Reverse(b.Messages)
	b.Reason, b.Note = wire.ReasonOther, nil
	second := filed(c.bystander, "two", b)
	if again := c.ds.Handle(t.Context(), second); !bytes.Equal(again, answer) {
		t.Errorf("a duplicate is answered by %x, the first by %x", again, answer)
	}
	if len(c.cases.taken) != 1 || len(pay.spent) != 2 {
		t.Fatalf("%d reports for %d tokens", len(c.cases.taken), len(pay.spent))
	}
	b.Messages = b.Messages[:1]
	c.refused(c.call(filed(c.bystander, "one", b), nil), wire.CodeTokenSpent)
	b.Messages[0].Content = []byte("x")
	c.refused(c.call(filed(c.bystander, "three", b), nil), wire.CodeInvalidReport)
	if len(c.cases.taken) != 1 || len(pay.spent) != 2 {
		t.Errorf("a refused report was taken, or cost something: %d, %d", len(c.cases.taken), len(pay.spent))
	}
}

// TestReportsAreNotWanted: a service where nobody decides says so, one that has no
// room too, and one that takes nothing for reports limits them.
func TestReportsAreNotWanted(t *testing.T) {
	c := newCourt(t, nil)
	c.cases.err = ds.ErrReportsFull
	c.refused(c.file(c.owner, c.report(c.owner)), wire.CodeFull)
	c.cfg.PerLeaf = ds.Limit{Every: time.Hour, Burst: 2}
	c.restart()
	c.ok(c.file(c.owner, c.report(c.owner)))
	c.ok(c.file(c.owner, c.report(c.owner)))
	c.refused(c.file(c.owner, c.report(c.owner)), wire.CodeRateLimited)
	c.cfg.Reports = nil
	c.restart()
	c.refused(c.file(c.owner, c.report(c.owner)), wire.CodeUnsupported)
}
