package account_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var errCrash = errors.New("the program ended")

// dying is a vault that fails at a write, before or after it took place, and at
// all that follow, as if the program had ended there.
type dying struct {
	account.Store
	after bool

	// mu guards what follows.
	mu   sync.Mutex
	left int // writes that succeed
	dead bool
}

func (d *dying) write(f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errCrash
	}
	if d.left--; d.left >= 0 {
		return f()
	}
	d.dead = true
	if d.after {
		return errors.Join(errCrash, f())
	}
	return errCrash
}

func (d *dying) Put(name string, b []byte) error {
	return d.write(func() error { return d.Store.Put(name, b) })
}

func (d *dying) Delete(name string) error {
	return d.write(func() error { return d.Store.Delete(name) })
}

// openDying restarts the person over a vault that fails at the nth write.
func (p *person) openDying(n int, after bool) *dying {
	p.Helper()
	p.stop()
	p.openVault()
	d := &dying{Store: p.v, left: n, after: after}
	var err error
	p.Account, err = account.OpenOver(p.ctx, p.cfg, d)
	p.must(err)
	return d
}

// eachCrash calls f with a growing number of writes that succeed, until it reports
// that nothing failed.
func eachCrash(t *testing.T, f func(t *testing.T, n int, after bool) (crashed bool)) {
	for n := 0; ; n++ {
		crashed := false
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write=%d/after=%v", n, after), func(t *testing.T) {
				if after && testing.Short() {
					t.Skip("short: only crashes before a write")
				}
				if f(t, n, after) {
					crashed = true
				}
			})
		}
		if t.Failed() {
			return
		}
		if !crashed {
			if n < 2 {
				t.Fatalf("only %d writes", n)
			}
			return
		}
	}
}

// usable shows that an account is whole: it meets another, and gets a Welcome.
func (p *person) usable(friend *person) {
	p.Helper()
	p.befriend(friend)
	k, _, err := friend.FetchKeyPackage(p.ctx, friend.contact(p.name, account.ContactAccepted))
	p.must(err)
	p.welcome(k, 1)
	if in := p.receive(); len(in) != 1 || in[0].JoinInfo == nil {
		p.Fatalf("received %+v", in)
	}
}

// TestCrashInCreation ends the program at each write. The account is whole when it
// is opened, and nothing was made twice.
func TestCrashInCreation(t *testing.T) {
	s := newSite(t)
	friend := s.join("friend")
	eachCrash(t, func(t *testing.T, n int, after bool) bool {
		p := s.newPerson(fmt.Sprintf("person %d %v", n, after))
		queues, published := s.took(wire.OpCreateQueue), s.took(wire.OpPublishKeyPackages)
		a, err := account.CreateOver(s.ctx, p.cfg, &dying{Store: p.v, left: n, after: after}, p.name, domain)
		if err == nil {
			s.must(a.Close())
			p.restart()
			return false
		}
		s.want(err, errCrash)
		p.stop()
		p.openVault()
		if p.Account, err = account.Open(s.ctx, p.cfg); errors.Is(err, account.ErrNoAccount) {
			p.Account, err = account.Create(s.ctx, p.cfg, p.name, domain)
		}
		s.must(err)
		if made := s.took(wire.OpCreateQueue) - queues; made != 1 {
			t.Errorf("%d queues were asked for", made)
		}
		if made := s.took(wire.OpPublishKeyPackages) - published; made > 3 {
			t.Errorf("%d batches were published", made)
		}
		p.usable(friend)
		return true
	})
}

// TestNetworkLossInCreation ends the program when a request or its answer is lost.
func TestNetworkLossInCreation(t *testing.T) {
	s := newSite(t)
	friend := s.join("friend")
	step := 1
	if testing.Short() {
		step = 4
		t.Log("short: every fourth request, and no lost answers")
	}
	for n := 0; ; n += step {
		failed := false
		for _, after := range []bool{false, true} {
			if after && testing.Short() {
				continue
			}
			p := s.newPerson(fmt.Sprintf("person %d %v", n, after))
			ctx, cancel := context.WithCancel(s.ctx)
			left := n
			p.net.lose(func(string) (bool, bool) {
				if left--; left >= 0 {
					return false, false
				}
				defer cancel()
				return !after || left < -1, after
			})
			a, err := account.Create(ctx, p.cfg, p.name, domain)
			cancel()
			p.net.lose(nil)
			if err == nil {
				p.Account = a
				continue
			}
			failed = true
			p.openAgain()
			p.usable(friend)
		}
		if !failed {
			if n < 5 {
				t.Fatalf("only %d requests", n)
			}
			return
		}
	}
}

// openAgain opens an account that may not be whole.
func (p *person) openAgain() {
	p.Helper()
	p.stop()
	p.openVault()
	var err error
	p.Account, err = account.Open(p.ctx, p.cfg)
	p.must(err)
}

// meet makes contacts of two people who may be so already, in part.
func meet(alice, bob *person) error {
	for _, p := range []*person{alice, bob} {
		if err := p.Refill(p.ctx); err != nil {
			return err
		}
	}
	if _, err := alice.Contact(bob.name); errors.Is(err, account.ErrNoContact) {
		if err := alice.Connect(alice.ctx, bob.card(), []byte("hello")); err != nil {
			return err
		}
	}
	if err := bob.drain(); err != nil {
		return err
	}
	if c, err := bob.Contact(alice.name); err != nil || c.State == account.ContactAsked {
		if err := bob.Accept(bob.ctx, alice.name); err != nil {
			return err
		}
	}
	return alice.drain()
}

// drain is receive with errors.
func (p *person) drain() error {
	for {
		in, err := p.Receive(p.ctx, 0)
		if err != nil || len(in) == 0 {
			return err
		}
		for _, i := range in {
			if i.Err != nil {
				return i.Err
			}
		}
		if err := p.Ack(p.ctx, in[len(in)-1].Seq); err != nil {
			return err
		}
	}
}

// TestCrashInMeeting ends the program of who asks, or of who is asked, at each
// write.
func TestCrashInMeeting(t *testing.T) {
	s := newSite(t)
	friend := s.join("friend")
	for _, asks := range []bool{true, false} {
		eachCrash(t, func(t *testing.T, n int, after bool) bool {
			p := s.join(fmt.Sprint("person ", asks, n, after))
			alice, bob := p, friend
			if !asks {
				alice, bob = friend, p
			}
			d := p.openDying(n, after)
			if err := meet(alice, bob); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			p.restart()
			s.must(meet(alice, bob))
			s.must(meet(alice, bob)) // what was sent again, too
			if all, err := p.Contacts(); err != nil || len(all) != 1 {
				t.Fatalf("%d contacts, %v", len(all), err)
			}
			for _, q := range [][2]*person{{alice, bob}, {bob, alice}} {
				c := q[0].contact(q[1].name, account.ContactAccepted)
				if c.Pending {
					t.Fatal("something is to be sent")
				}
				_, _, err := q[0].FetchKeyPackage(s.ctx, c)
				s.must(err)
			}
			return d.dead
		})
	}
}

// TestCrashInRefill ends the program at each write while a pool is refilled and a
// contact blocked: every KeyPackage that somebody gets is one whose private part is
// there, and the block holds.
func TestCrashInRefill(t *testing.T) {
	s := newSite(t)
	friend, foe := s.join("friend"), s.join("foe")
	eachCrash(t, func(t *testing.T, n int, after bool) bool {
		p := s.join(fmt.Sprint("person ", n, after))
		friend.befriend(p)
		foe.befriend(p)
		take := func() {
			t.Helper()
			k, _, err := friend.FetchKeyPackage(s.ctx, friend.contact(p.name, account.ContactAccepted))
			s.must(err)
			suite, err := k.CipherSuite.Suite()
			s.must(err)
			ref, err := k.Ref(suite)
			s.must(err)
			if own, err := p.KeyPackages().KeyPackage(ref); own == nil || err != nil {
				t.Fatalf("a KeyPackage without private part, %v", err)
			}
		}
		for range someKeys {
			take()
		}
		d := p.openDying(n, after)
		block := p.Block(s.ctx, "foe")
		if err := p.Refill(s.ctx); (err != nil || block != nil) && !errors.Is(errors.Join(block, err), errCrash) {
			t.Fatal(block, err)
		}
		p.restart()
		if c, err := p.Contact("foe"); err != nil || c.State != account.ContactBlocked {
			s.must(p.Block(s.ctx, "foe"))
		}
		s.must(p.Refill(s.ctx))
		for range someKeys + 2 {
			take()
		}
		_, _, err := foe.FetchKeyPackage(s.ctx, foe.contact(p.name, account.ContactAccepted))
		s.want(err, refused(wire.CodeExhausted))
		return d.dead
	})
}

// TestCrashAtWelcome ends the program at each write between a Welcome's arrival and
// the next message: the Welcome comes until it was acknowledged, and what follows
// opens.
func TestCrashAtWelcome(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	alice.befriend(bob)
	eachCrash(t, func(t *testing.T, n int, after bool) bool {
		s.must(bob.Refill(s.ctx))
		k, _, err := alice.FetchKeyPackage(s.ctx, alice.contact("bob", account.ContactAccepted))
		s.must(err)
		c := s.welcome(k, byte(n))
		c.say("first")
		joined := false // the group is saved
		handle := func(save func(string, []byte) error) error {
			for {
				in, err := bob.Receive(s.ctx, 0)
				if err != nil || len(in) == 0 {
					return err
				}
				for _, i := range in {
					if i.JoinInfo == nil {
						continue
					}
					if own, err := bob.KeyPackages().KeyPackage(i.KeyPackage); own == nil && !joined {
						t.Fatalf("the KeyPackage is gone, %v", err)
					}
					if err := bob.Adopt(i.Stream, c.secret); err != nil {
						return err
					}
					if err := bob.KeyPackages().DeleteKeyPackage(i.KeyPackage); err != nil {
						return err
					}
					if err := save("group", []byte("state")); err != nil {
						return err
					}
					joined = true
				}
				last := in[len(in)-1]
				if last.Fanout != nil && string(last.Fanout.Message) == "first" {
					return bob.Ack(s.ctx, last.Seq)
				}
				if err := bob.Ack(s.ctx, last.Seq); err != nil {
					return err
				}
			}
		}
		d := bob.openDying(n, after)
		if err := handle(d.Put); err != nil {
			s.want(err, errCrash)
		}
		bob.restart()
		s.must(handle(bob.v.Put))
		if !joined {
			t.Fatal("the Welcome was lost")
		}
		c.say("second")
		bob.wantTexts(bob.receive(), "second")
		return d.dead
	})
}

// TestBadNetwork loses every fourth request or answer while two people meet.
func TestBadNetwork(t *testing.T) {
	s := newSite(t)
	alice, bob := s.join("alice"), s.join("bob")
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range []*person{alice, bob} {
		p.net.lose(func(string) (bool, bool) {
			n := random.IntN(8)
			return n == 0, n == 1
		})
	}
	for try := 0; ; try++ {
		err := meet(alice, bob)
		if err == nil {
			break
		}
		if try > 20 {
			t.Fatal(err)
		}
	}
	for _, p := range []*person{alice, bob} {
		p.net.lose(nil)
		s.must(p.drain())
	}
	for _, p := range [][2]*person{{alice, bob}, {bob, alice}} {
		_, _, err := p[0].FetchKeyPackage(s.ctx, p[0].contact(p[1].name, account.ContactAccepted))
		s.must(err)
	}
}
