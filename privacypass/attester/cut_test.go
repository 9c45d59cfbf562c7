package attester

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// now is the epoch at which random cuts are looked at.
const now = 50

// randomCut returns a cut that may have ended, be fading, in force, or to come.
func randomCut(r *rand.Rand) Cut {
	if r.IntN(8) == 0 {
		return Cut{}
	}
	hold := 1 + r.IntN(6)
	c := NewCut(uint8(r.IntN(101)), Epoch(now-10+r.IntN(14)), hold, hold+r.IntN(12))
	if r.IntN(2) == 0 {
		c.Strikes, c.Last = uint8(1+r.IntN(4)), Epoch(now-r.IntN(9))
	}
	return c
}

func randomReduction(r *rand.Rand) *Reduction {
	hold := 1 + r.IntN(3)
	d := &Reduction{Cut: NewCut(uint8(r.IntN(101)), now+Epoch(r.IntN(2)), hold, hold+r.IntN(9))}
	if r.IntN(4) > 0 {
		d.ID, d.Repeat = [16]byte{1}, Repeat{Percent: 15, Epochs: 3, Most: 90}
	}
	return d
}

func properties(t *testing.T, f func(r *rand.Rand)) {
	t.Helper()
	for seed := range uint64(20_000) {
		if f(rand.New(rand.NewPCG(seed, 0))); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestCutIsRestored(t *testing.T) {
	c := NewCut(50, 10, 2, 7)
	for epoch, want := range map[Epoch]uint8{9: 0, 10: 50, 11: 50, 12: 42, 13: 34, 14: 25, 15: 17, 16: 9, 17: 0, 1 << 40: 0} {
		if got := c.Share(epoch); got != want {
			t.Errorf("epoch %d: %d %%, want %d", epoch, got, want)
		}
	}
	p := Policy{Tokens: 100, BatchSizes: []int{1}}
	if got := p.Limit(Standing{Cut: c}, 14); got != 75 {
		t.Errorf("%d tokens", got)
	}
	properties(t, func(r *rand.Rand) {
		c := randomCut(r)
		last := uint8(100)
		for e := c.From; e <= c.Until+2; e++ {
			s := c.Share(e)
			switch {
			case s > last, s > c.Percent, e <= c.Full && e < c.Until && s != c.Percent, e >= c.Until && s != 0, e < c.Until && c.Percent > 0 && s == 0:
				t.Errorf("%+v withholds %d in epoch %d, after %d", c, s, e, last)
			}
			last = s
		}
		if c.From > 0 && c.Share(c.From-1) != 0 {
			t.Errorf("%+v begins early", c)
		}
	})
}

// TestCutLaws: joining is idempotent, commutative and associative, has the zero cut,
// and withholds in each epoch at least what each of the two does.
func TestCutLaws(t *testing.T) {
	properties(t, func(r *rand.Rand) {
		a, b, c := randomCut(r), randomCut(r), randomCut(r)
		ab := a.Join(b)
		switch {
		case a.Join(a) != a:
			t.Errorf("%+v is not idempotent", a)
		case ab != b.Join(a):
			t.Errorf("%+v and %+v do not commute", a, b)
		case ab.Join(c) != a.Join(b.Join(c)):
			t.Errorf("%+v, %+v and %+v do not associate", a, b, c)
		case a.Join(Cut{}) != a || (Cut{}).Join(a) != a:
			t.Errorf("%+v is changed by nothing", a)
		case ab.Percent > max(a.Percent, b.Percent) || ab.Until > max(a.Until, b.Until):
			t.Errorf("%+v and %+v add up to %+v", a, b, ab)
		}
		for e := Epoch(now - 12); e < now+30; e++ {
			if ab.Share(e) < max(a.Share(e), b.Share(e)) {
				t.Errorf("%+v withholds less than %+v or %+v in epoch %d", ab, a, b, e)
			}
		}
	})
}

// TestCutCurrent: what a cut is from now on withholds what it did, within a percent,
// and being asked again does not change it.
func TestCutCurrent(t *testing.T) {
	properties(t, func(r *rand.Rand) {
		c := randomCut(r)
		d := c.Current(now)
		if d.Current(now) != d {
			t.Errorf("%+v becomes %+v, and then %+v", c, d, d.Current(now))
		}
		for e := Epoch(now); e < now+30; e++ {
			if was, is := c.Share(e), d.Share(e); is < was || is > was+1 {
				t.Errorf("%+v withholds %d in epoch %d, and as %+v %d", c, was, e, d, is)
			}
		}
	})
}

// TestReductionLaws: applying a reduction twice in an epoch is applying it once, the
// order of those of one epoch does not matter, and however many verdicts of one epoch
// there are, they withhold no more than the heaviest share and the longest time.
func TestReductionLaws(t *testing.T) {
	properties(t, func(r *rand.Rand) {
		c, x, y := randomCut(r), randomReduction(r), randomReduction(r)
		once := x.Apply(c, now)
		switch {
		case x.Apply(once, now) != once:
			t.Errorf("%+v on %+v is not idempotent", x, c)
		case y.Apply(once, now) != x.Apply(y.Apply(c, now), now):
			t.Errorf("%+v and %+v on %+v do not commute", x, y, c)
		}
		heap, most, until := c, c.Current(now).Percent, c.Current(now).Until
		for range 50 {
			v := randomReduction(r)
			alone := v.Apply(c, now)
			most, until = max(most, alone.Percent), max(until, alone.Until)
			heap = v.Apply(heap, now)
		}
		if heap.Percent > most || heap.Until > until {
			t.Errorf("50 verdicts on %+v make %+v, of which none alone has more than %d %% until %d", c, heap, most, until)
		}
	})
}

// TestRepeatedVerdicts: those of later epochs add up to a bound, until the whole
// allowance was back.
func TestRepeatedVerdicts(t *testing.T) {
	var c Cut
	at := func(e Epoch) *Reduction {
		return &Reduction{Cut: NewCut(30, e+1, 1, 4), Repeat: Repeat{Percent: 25, Epochs: 2, Most: 90}, ID: [16]byte{1}}
	}
	for _, step := range []struct {
		epoch   Epoch
		percent uint8
		until   Epoch
		strikes uint8
	}{{10, 30, 15, 1}, {10, 30, 15, 1}, {11, 55, 18, 2}, {12, 80, 21, 3}, {13, 90, 24, 4}, {14, 90, 27, 5}, {40, 30, 45, 1}} {
		c = at(step.epoch).Apply(c, step.epoch)
		if c.Percent != step.percent || c.Until != step.until || c.Strikes != step.strikes {
			t.Errorf("at %d: %+v, want %d %% until %d by %d strikes", step.epoch, c, step.percent, step.until, step.strikes)
		}
	}
	full := Cut{Percent: 100, Full: 60, Until: 70, Strikes: 255, Last: 50}
	if d := at(51).Apply(full, 51); d.Strikes != 255 || d.Percent != 100 {
		t.Errorf("%+v", d)
	}
}

func TestCondemn(t *testing.T) {
	a := newAllowances(t, new(Memory))
	p := Penalties{Weights: map[Weight]Penalty{Low: {20, 1, 2}, Normal: {50, 1, 4}, Severe: {100, 2, 8}}, Repeat: Repeat{Percent: 20, Epochs: 2, Most: 90}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	v := testVerdict()
	limit := func(at time.Time) int {
		standing, err := a.store.Look(t.Context(), a.names.Account("Scheme", "alice"), Slot{"send", EpochAt(at, a.period)}, Digest{})
		if err != nil {
			t.Fatal(err)
		}
		return Policy{Tokens: 100, BatchSizes: []int{1}}.Limit(standing.Standing, EpochAt(at, a.period))
	}
	if err := a.Condemn(t.Context(), "Scheme", "alice", v, p, noon); err != nil {
		t.Fatal(err)
	}
	for days, want := range []int{100, 50, 62, 75, 87, 100} {
		if got := limit(noon.Add(time.Duration(days) * a.period)); got != want {
			t.Errorf("after %d epochs: %d of 100 tokens, want %d", days, got, want)
		}
	}
	if err := a.Condemn(t.Context(), "Scheme", "alice", v, p, noon.Add(a.period)); !errors.Is(err, ErrRepeated) {
		t.Errorf("again: %v", err)
	}
	if err := a.Forget(t.Context(), v.Expires().Add(a.period+Grace)); err != nil {
		t.Fatal(err)
	}
	if err := a.Condemn(t.Context(), "Scheme", "alice", v, p, noon); !errors.Is(err, ErrVerdictStale) {
		t.Errorf("after it expired: %v", err)
	}
	for name, bad := range map[string]func(*Penalties){
		"a weight is missing": func(p *Penalties) { p.Weights = map[Weight]Penalty{Low: {20, 1, 2}} },
		"no epochs": func(p *Penalties) {
			p.Weights = map[Weight]Penalty{Low: {20, 1, 2}, Normal: {20, 1, 0}, Severe: {20, 1, 2}}
		},
		"too many percent": func(p *Penalties) { p.Repeat.Percent = 101 },
		"too much":         func(p *Penalties) { p.Repeat.Most = 101 },
	} {
		p := p
		bad(&p)
		if err := p.Validate(); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
