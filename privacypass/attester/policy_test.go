package attester

import (
	"errors"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	policy := Policy{Tokens: 100, Initial: 10, Growth: 30, BatchSizes: []int{10}}
	seen := func(first Epoch) Standing { return Standing{Seen: true, First: first} }
	cut := func(first Epoch, percent uint8, until Epoch) Standing {
		return Standing{Seen: true, First: first, Cut: NewCut(percent, 0, int(until), int(until))}
	}
	for _, tc := range []struct {
		name     string
		policy   Policy
		standing Standing
		epoch    Epoch
		want     int
	}{
		{"never seen", policy, Standing{}, 1000, 10},
		{"first epoch", policy, seen(50), 50, 10},
		{"clock set back", policy, seen(50), 49, 10},
		{"second epoch", policy, seen(50), 51, 40},
		{"third epoch", policy, seen(50), 52, 70},
		{"just grown", policy, seen(50), 53, 100},
		{"long grown", policy, seen(50), 54, 100},
		{"a growth that would overflow", policy, seen(0), 1<<64 - 1, 100},
		{"no slow growth", Policy{Tokens: 100}, Standing{}, 0, 100},
		{"half", policy, cut(0, 50, 60), 59, 50},
		{"half of an odd number", Policy{Tokens: 7}, cut(0, 50, 60), 59, 3},
		{"all", policy, cut(0, 100, 60), 59, 0},
		{"cut of a new account", policy, Standing{Cut: NewCut(50, 0, 60, 60)}, 59, 5},
		{"cut over", policy, cut(0, 100, 60), 60, 100},
		{"more than all", policy, cut(0, 255, 60), 59, 0},
	} {
		if got := tc.policy.Limit(tc.standing, tc.epoch); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestPolicyValidate(t *testing.T) {
	good := Policy{Tokens: 100, Initial: 10, Growth: 1, BatchSizes: []int{1, 10}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Policy){
		"no tokens":         func(p *Policy) { p.Tokens = 0 },
		"too many tokens":   func(p *Policy) { p.Tokens = 1<<30 + 1 },
		"negative initial":  func(p *Policy) { p.Initial = -1 },
		"initial too large": func(p *Policy) { p.Initial = 101 },
		"no growth":         func(p *Policy) { p.Growth = 0 },
		"negative growth":   func(p *Policy) { p.Growth = -1 },
		"no batch sizes":    func(p *Policy) { p.BatchSizes = nil },
		"batch of none":     func(p *Policy) { p.BatchSizes = []int{0, 1} },
		"falling":           func(p *Policy) { p.BatchSizes = []int{10, 1} },
		"twice":             func(p *Policy) { p.BatchSizes = []int{1, 1} },
		"out of reach":      func(p *Policy) { p.BatchSizes = []int{11} },
	} {
		p := good
		change(&p)
		if err := p.Validate(); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEpoch(t *testing.T) {
	for _, tc := range []struct {
		unix   int64
		period time.Duration
		want   Epoch
	}{
		{0, time.Hour, 0}, {3599, time.Hour, 0}, {3600, time.Hour, 1}, {-5, time.Hour, 0}, {86400 * 20000, 24 * time.Hour, 20000},
	} {
		e := EpochAt(time.Unix(tc.unix, 0), tc.period)
		if e != tc.want {
			t.Errorf("%d s: epoch %d, want %d", tc.unix, e, tc.want)
		}
		if tc.unix >= 0 && (e.Start(tc.period).Unix() > tc.unix || (e+1).Start(tc.period).Unix() <= tc.unix) {
			t.Errorf("%d s: lies outside its epoch", tc.unix)
		}
	}
}
