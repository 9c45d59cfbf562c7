package moderation_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
)

func courier(r *rig, to *issuer) *moderation.Courier {
	return moderation.NewCourier(r.Docket, moderation.CourierConfig{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), To: to,
		First: time.Minute, Longest: 4 * time.Minute})
}

func (r *rig) round(c *moderation.Courier) {
	r.Helper()
	if err := c.Round(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) uphold(n byte) {
	r.Helper()
	r.take(n)
	id, o := r.only()
	r.decide(id, upheld, o.Opening(), nil)
}

// TestVerdictsWait: verdicts go out at random times within the delay, and not in the
// order of decisions.
func TestVerdictsWait(t *testing.T) {
	r, to := newRig(t, func(c *moderation.Config) { c.Delay = 6 * time.Hour }), new(issuer)
	const n = 60
	for i := range byte(n) {
		r.uphold(i)
	}
	c := courier(r, to)
	var early, order int
	for range 6 * 60 {
		before := len(to.got)
		r.round(c)
		for _, signed := range to.got[before:] {
			v, err := attester.OpenVerdict(signed, attester.Keys{[32]byte(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)): {}}, "issuer.example", r.clock())
			if err != nil {
				t.Fatal(err)
			}
			if v.Key == [32]byte(account(byte(order))) {
				early++
			}
			order++
		}
		if len(to.got) == n && r.clock().Sub(noon) < time.Hour {
			t.Fatal("all verdicts came within an hour")
		}
		r.pass(time.Minute)
	}
	r.round(c)
	if len(to.got) != n || early > n/3 {
		t.Errorf("%d verdicts, %d of them in the place of their decision", len(to.got), early)
	}
	r.want(moderation.VerdictSent, n)
	r.round(c)
	if len(to.got) != n {
		t.Error("a verdict was sent again")
	}
}

func TestVerdictsAreSentAgain(t *testing.T) {
	r, to := newRig(t, nil), &issuer{fail: errors.New("away")}
	r.uphold(1)
	c := courier(r, to)
	for range 120 { // two hours, of which at most one round in 4 minutes
		r.round(c)
		r.pass(time.Minute)
	}
	r.mu.Lock()
	tries := r.events[moderation.VerdictDelayed]
	r.mu.Unlock()
	if tries < 15 || tries > 33 {
		t.Errorf("%d tries in two hours", tries)
	}
	to.fail = nil
	r.pass(10 * time.Minute)
	r.round(c)
	r.round(c)
	if len(to.got) != 1 {
		t.Errorf("%d verdicts", len(to.got))
	}
}

// TestAwayIssuerIsTriedOnce: of many verdicts for an issuer that fails each round
// tries one, and all arrive when it is back.
func TestAwayIssuerIsTriedOnce(t *testing.T) {
	r, to := newRig(t, nil), &issuer{fail: errors.New("away")}
	const n = 5
	for i := range byte(n) {
		r.uphold(i)
	}
	c := courier(r, to)
	r.round(c)
	r.want(moderation.VerdictDelayed, 1)
	r.round(c)
	r.want(moderation.VerdictDelayed, 2)
	to.fail = nil
	r.pass(10 * time.Minute)
	r.round(c)
	if len(to.got) != n {
		t.Errorf("%d verdicts", len(to.got))
	}
}

func TestVerdictsAreGivenUp(t *testing.T) {
	r, to := newRig(t, nil), &issuer{fail: fmt.Errorf("status 403: %w", attester.ErrVerdictForged)}
	r.uphold(1)
	c := courier(r, to)
	r.round(c)
	r.want(moderation.VerdictRefused, 1)
	to.fail = errors.New("away")
	r.uphold(2)
	r.round(c)
	r.pass(attester.VerdictWindow + 24*time.Hour)
	to.fail = nil
	r.round(c)
	r.want(moderation.VerdictExpired, 1)
	if len(to.got) != 0 {
		t.Error("an expired verdict was sent")
	}
	if list, _, err := r.store.Verdicts(t.Context(), moderation.CaseID{}); err != nil || len(list) != 0 {
		t.Errorf("%d are left, %v", len(list), err)
	}
}

// TestForeignVerdictHoldsUpNobody: what another key sealed is reported and passed by.
func TestForeignVerdictHoldsUpNobody(t *testing.T) {
	r, to := newRig(t, nil), new(issuer)
	r.take(1)
	id, _ := r.only()
	if err := r.store.Decide(t.Context(), id, upheld, []byte("not sealed by this docket")); err != nil {
		t.Fatal(err)
	}
	for n := range byte(8) {
		r.uphold(n + 2)
	}
	if err := courier(r, to).Round(t.Context()); err == nil || len(to.got) != 8 {
		t.Errorf("%d verdicts, %v", len(to.got), err)
	}
}
