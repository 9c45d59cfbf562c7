package group_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// person is a client in a test: what it keeps outside its groups, and its group.
type person struct {
	*group.Group
	t      testing.TB
	name   string
	cfg    group.Config
	store  *group.MemoryStore
	client *group.Client
}

// suite is the one of tests that are about something else.
const suite = mls.X25519AES128GCM

func mustSuite(t testing.TB, c mls.CipherSuite) *mls.Suite {
	t.Helper()
	s, err := c.Suite()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eternal is a lifetime that no test outlives.
var eternal = mls.Lifetime{NotBefore: 0, NotAfter: 1 << 40}

// newPerson makes a client with stores of its own.
func newPerson(t testing.TB, c mls.CipherSuite, name string, change ...func(*group.Config)) *person {
	t.Helper()
	p := &person{t: t, name: name, store: group.NewMemoryStore()}
	p.cfg = group.Config{KeyPackages: p.store, PSKs: p.store}
	for _, f := range change {
		f(&p.cfg)
	}
	p.client = newClient(t, c, name)
	return p
}

func newClient(t testing.TB, c mls.CipherSuite, name string) *group.Client {
	t.Helper()
	signer, err := mustSuite(t, c).GenerateSignatureKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &group.Client{Suite: c, Credential: mls.BasicCredential([]byte(name)), Signer: signer, Lifetime: eternal}
}

func (p *person) keyPackage() *mls.KeyPackage {
	p.t.Helper()
	k, err := group.NewKeyPackage(p.cfg, p.client, group.KeyPackageOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	return k
}

// groups counts the groups made, so that no two have one name.
var groups atomic.Int64

func (p *person) create(extensions mls.Extensions) {
	p.t.Helper()
	var err error
	id := fmt.Appendf(nil, "group %d", groups.Add(1))
	if p.Group, err = group.Create(p.cfg, p.client, id, extensions); err != nil {
		p.t.Fatal(err)
	}
}

// over returns a message as it arrives on the other side.
func over(t testing.TB, m *mls.Message) *mls.Message {
	t.Helper()
	b, err := mls.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := new(mls.Message)
	if err := mls.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// joinFrom joins by the Welcome of a commit that from has merged.
func (p *person) joinFrom(from *person, c *group.Commit) {
	p.t.Helper()
	nodes, err := from.Tree()
	if err != nil {
		p.t.Fatal(err)
	}
	if p.Group, err = group.JoinWelcome(p.cfg, over(p.t, c.Welcome).Welcome, group.JoinOptions{Tree: nodes}); err != nil {
		p.t.Fatalf("%s joins: %v", p.name, err)
	}
}

// takes processes a message that must be accepted.
func (p *person) takes(m *mls.Message) *group.Received {
	p.t.Helper()
	r, err := p.Process(over(p.t, m))
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return r
}

// commits makes a commit that must succeed, merges it and shows it to others.
func (p *person) commits(o group.CommitOptions, others ...*person) *group.Commit {
	p.t.Helper()
	c := p.drafts(o)
	for _, q := range others {
		q.takes(c.Message)
	}
	if _, err := p.Merge(); err != nil {
		p.t.Fatal(err)
	}
	agree(p.t, append(others, p)...)
	return c
}

func (p *person) drafts(o group.CommitOptions) *group.Commit {
	p.t.Helper()
	c, err := p.Commit(o)
	if err != nil {
		p.t.Fatalf("%s commits: %v", p.name, err)
	}
	return c
}

func (p *person) proposes(q *mls.Proposal, others ...*person) *mls.Message {
	p.t.Helper()
	m, err := p.Propose(q, group.MessageOptions{})
	if err != nil {
		p.t.Fatalf("%s proposes: %v", p.name, err)
	}
	for _, o := range others {
		o.takes(m)
	}
	return m
}

func (p *person) leaf() mls.LeafIndex {
	p.t.Helper()
	l, err := p.OwnLeaf()
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *person) sends(text string) *mls.Message {
	p.t.Helper()
	m, err := p.Send([]byte(text), group.MessageOptions{})
	if err != nil {
		p.t.Fatalf("%s sends: %v", p.name, err)
	}
	return m
}

// hears processes an application message that must say text.
func (p *person) hears(m *mls.Message, text string) {
	p.t.Helper()
	if r := p.takes(m); string(r.Application) != text {
		p.t.Fatalf("%s hears %q, not %q", p.name, r.Application, text)
	}
}

// state returns the saved state.
func (p *person) state() []byte {
	p.t.Helper()
	b, err := p.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	return b.Reveal()
}

// agree fails unless all are in the same epoch with the same secrets, and each
// hears what the first says.
func agree(t testing.TB, all ...*person) {
	t.Helper()
	first, err := all[0].EpochAuthenticator()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all[1:] {
		a, err := p.EpochAuthenticator()
		if err != nil {
			t.Fatal(err)
		}
		if p.Epoch() != all[0].Epoch() || !a.Equal(first) || !bytes.Equal(p.InterimTranscriptHash(), all[0].InterimTranscriptHash()) {
			t.Fatalf("%s and %s are in different states", p.name, all[0].name)
		}
	}
}

// people makes a group of n members, all added by the first.
func people(t testing.TB, c mls.CipherSuite, n int, change ...func(*group.Config)) []*person {
	t.Helper()
	all := make([]*person, n)
	for i := range all {
		all[i] = newPerson(t, c, fmt.Sprintf("member %d", i), change...)
	}
	all[0].create(nil)
	var adds []*mls.Proposal
	for _, p := range all[1:] {
		adds = append(adds, group.Add(p.keyPackage()))
	}
	if n > 1 {
		made := all[0].commits(group.CommitOptions{Proposals: adds})
		for _, p := range all[1:] {
			p.joinFrom(all[0], made)
		}
		agree(t, all...)
	}
	return all
}

// private makes all handshakes PrivateMessages.
func private(c *group.Config) {
	c.Handshakes, c.Accept = mls.WireFormatPrivateMessage, group.AcceptPrivate
}

func at(seconds int64) func() time.Time { return func() time.Time { return time.Unix(seconds, 0) } }

// refuses fails unless p refuses m with want and is then as it was.
func (p *person) refuses(m *mls.Message, want error) {
	p.t.Helper()
	before := p.state()
	_, err := p.Process(over(p.t, m))
	if !errors.Is(err, want) {
		p.t.Fatalf("%s: %v, want %v", p.name, err, want)
	}
	if !bytes.Equal(p.state(), before) {
		p.t.Fatalf("%s: refused, but the state changed", p.name)
	}
}

// wants fails unless err is want.
func wants(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

// restores replaces p's group by one restored from its saved state.
func (p *person) restores() {
	p.t.Helper()
	g, err := group.Restore(p.cfg, p.state())
	if err != nil {
		p.t.Fatal(err)
	}
	p.Group = g
}

func values(ps ...*mls.Proposal) group.CommitOptions { return group.CommitOptions{Proposals: ps} }

// same gives another person the settings of p.
func same(p *person) func(*group.Config) {
	return func(c *group.Config) {
		stores := *c
		*c = p.cfg
		c.KeyPackages, c.PSKs = stores.KeyPackages, stores.PSKs
	}
}

func without(all []*person, p *person) (others []*person) {
	for _, q := range all {
		if q != p {
			others = append(others, q)
		}
	}
	return others
}

func secretOf(s string) secret.Bytes { return secret.Clone([]byte(s)) }

// requiring returns extensions that require capabilities.
func requiring(t testing.TB, r mls.RequiredCapabilities) mls.Extensions {
	t.Helper()
	es, err := mls.Extensions(nil).With(mls.ExtensionTypeRequiredCapabilities, &r)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// resumptionBefore returns the resumption PSK of the epoch before p's.
func resumptionBefore(t testing.TB, p *person) secret.Bytes {
	t.Helper()
	psk, ok := p.ResumptionAt(p.Epoch() - 1)
	if !ok {
		t.Fatal("resumption PSK is gone")
	}
	return psk
}

func public(c *group.Config) { c.Accept = group.AcceptPublic }

func is(err, want error) bool { return errors.Is(err, want) }
