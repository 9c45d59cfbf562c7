package abuse

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
)

// World is where one scenario is played under one defence.
type World struct {
	// Home is the provider of everybody who is not said to be elsewhere.
	Home *Provider
	// Budget is the attacker's.
	Budget Budget
	// Sessions is on how many days the attacker comes, and Window for how long.
	Sessions int
	Window   time.Duration
	// Hours is for how long the attack is taken to go on in all: windows times
	// sessions, unless a scenario sets it.
	Hours float64
	// Attacking is false in the run without the attack, by which honest users' losses
	// and delays are compared. [World.Attack] does nothing then.
	Attacking bool
	// Control is true in the run in which the protocol's own check against the attack
	// is off: see Scenario.Control.
	Control bool
	// Rand is the source of what a scenario draws. Keys come from elsewhere.
	Rand *mathrand.Rand

	began     time.Time // of the first session
	ctx       context.Context
	cancel    context.CancelFunc
	dir       string
	clock     *clock
	defence   Defence
	providers map[string]*Provider
	nodes     []*Provider // beside the first of each
	parties   []*Party
	people    []*Person
	accounts  int // of the attacker

	spent   [2]spending // by side
	serving time.Duration
	links   map[link]bool
	tally   Tally
	// reported is the last day on which somebody was reported.
	reported int
}

// spending is what one side has cost.
type spending struct {
	octets, received, requests, tokens int
	work                               time.Duration // of proofs, in virtual time of one core
	client, server                     time.Duration // processor time
}

// link is an identifier that was seen beside an object.
type link struct {
	who string
	to  [16]byte
}

// Tally is what a scenario counts while it is played.
type Tally struct {
	// Effects are what the attacker wants: see Scenario.Effect.
	Effects int
	// Wanted are what honest users wanted to happen, Lost those that did not, and
	// Delays how long the others took in virtual time.
	Wanted, Lost int
	Delays       []time.Duration
}

func newWorld(ctx context.Context, dir string, k *Kind, seed uint64) (*World, error) {
	dir, err := os.MkdirTemp(dir, "abuse-*")
	if err != nil {
		return nil, err
	}
	w := &World{Budget: DefaultBudget, Rand: mathrand.New(mathrand.NewPCG(seed, 0)), dir: dir, clock: newClock(), defence: k.New(),
		providers: map[string]*Provider{}, links: map[link]bool{}}
	w.ctx, w.cancel = context.WithCancel(ctx)
	if w.Home, err = w.Provide("home.example"); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *World) close() error {
	w.cancel()
	var errs error
	for _, p := range w.people {
		errs = errors.Join(errs, p.close())
	}
	for _, p := range append(slices.Collect(maps.Values(w.providers)), w.nodes...) {
		p.stop()
	}
	return errors.Join(errs, os.RemoveAll(w.dir))
}

// Now is the virtual time.
func (w *World) Now() time.Time { return w.clock.Now() }

// Sleep lets virtual time pass for the process that calls it. It fails when the run
// or the session ends; the process must then return what it got.
func (w *World) Sleep(ctx context.Context, d time.Duration) error {
	until, limited := ctx.Value(untilKey{}).(time.Time)
	if left := until.Sub(w.Now()); limited && d >= left {
		if err := w.clock.sleep(left); err != nil {
			return err
		}
		return errBreak
	}
	if err := w.clock.sleep(d); err != nil {
		return err
	}
	return ctx.Err()
}

// Attack starts a process of the attacker, which begins with the window. It does
// nothing in the run without the attack. What the process returns after the window
// does not count as an error.
func (w *World) Attack(f func(ctx context.Context) error) {
	if w.Attacking {
		w.clock.start(w.ctx, Attacker, f)
	}
}

// Go starts a process of honest users, which begins with the window.
func (w *World) Go(f func(ctx context.Context) error) { w.clock.start(w.ctx, Honest, f) }

// Daily calls f in each session, until the session's window ends: then Sleep fails
// in f, which must return. In between the process sleeps.
func (w *World) Daily(ctx context.Context, f func(ctx context.Context) error) error {
	for day := range w.Sessions {
		from := w.began.Add(time.Duration(day) * ration)
		if err := w.Sleep(ctx, from.Sub(w.Now())); err != nil {
			return err
		}
		within := context.WithValue(ctx, untilKey{}, from.Add(w.Window))
		if err := f(within); err != nil && !errors.Is(err, errBreak) {
			return err
		}
	}
	return nil
}

// untilKey is the key of when a session ends.
type untilKey struct{}

// errBreak: the session is over.
var errBreak = errors.New("abuse: the session is over")

// Run plays the processes from now on, when the first session begins, until the last
// one is over. What honest users and the
// attacker have spent before is forgotten: it is the same in all runs.
func (w *World) Run() error {
	w.began = w.Now() // to set the scene takes time where it takes proofs of work
	w.spent, w.serving, w.links = [2]spending{}, 0, map[link]bool{}
	last := w.began.Add(time.Duration(w.Sessions-1)*ration + w.Window)
	return w.clock.run(last.Sub(w.Now()), w.cancel, func(who Side, used time.Duration) {
		w.spent[who].client += max(0, used-w.serving)
		w.serving = 0
	})
}

// Effect counts effects of the attack.
func (w *World) Effect(n int) { w.tally.Effects += n }

// Want counts something that an honest user wants now. The function that it returns
// is called when it is there; what is not there when the session ends is lost.
func (w *World) Want() (got func()) {
	w.tally.Wanted++
	w.tally.Lost++
	began, day, done := w.clock.elapsed(), w.today(), false
	return func() {
		if done || w.today() != day {
			return
		}
		done = true
		w.tally.Lost--
		w.tally.Delays = append(w.tally.Delays, w.clock.elapsed()-began)
	}
}

// learn notes what the service sees side by side because the defence demands it.
func (w *World) learn(d Demand, r *Request) {
	who := r.Account
	if d == Address {
		who = r.Address
	}
	if d != Nothing && r.Object != [16]byte{} {
		w.links[link{who, r.Object}] = true
	}
}

// verdictAfter is when a report of abuse is decided: by a program of the operator's.
const verdictAfter = time.Minute

// reportSoon reports attackers of whom an honest user has seen enough, once for each
// day.
func (w *World) reportSoon(accused ...*Party) {
	if !w.defence.Traits().Feedback || w.reported == w.today() {
		return
	}
	w.reported = w.today()
	w.clock.start(w.ctx, Honest, func(ctx context.Context) error {
		if err := w.Sleep(ctx, verdictAfter); err != nil {
			return err
		}
		for _, q := range accused {
			if err := w.Report(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// today is the number of the day, from 1.
func (w *World) today() int { return int(w.clock.elapsed()/ration) + 1 }

// penalties are the attester's policy: an upheld report halves the allowance for a
// week.
var penalties = attester.Penalties{Weights: map[attester.Weight]attester.Penalty{attester.Normal: {Percent: 50, Hold: 7, Epochs: 14}}}

// Report has a report of somebody upheld: where the defence takes reports, the
// verdict reaches the attester.
func (w *World) Report(ctx context.Context, accused *Party) error {
	if !w.defence.Traits().Feedback {
		return nil
	}
	account := accused.key[ed25519.SeedSize:]
	v := &attester.Verdict{Issuer: issuerName, ID: [16]byte(random(16)), Day: uint32(w.Now().Unix() / int64(ration/time.Second)), Weight: attester.Normal,
		Key: [ed25519.PublicKeySize]byte(account), Credential: account}
	return accused.p.Allowances.Condemn(ctx, attester.AccountKeyScheme, string(account), v, penalties, w.Now())
}

func (w *World) anyAway() bool {
	for _, p := range w.providers {
		if p.away {
			return true
		}
	}
	return false
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
