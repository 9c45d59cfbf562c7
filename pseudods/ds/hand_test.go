package ds_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestParcelInHand: what goes out is the same whether the dispatcher has it in
// memory or opens what is stored, and nothing stays in memory behind it.
func TestParcelInHand(t *testing.T) {
	r := newRig(t, func(c *ds.Config) { c.Wake = func([]ds.Ref) {} })
	a := r.founded(3)[0]
	r.deliver()
	if n := r.ds.InHand(); n != 0 {
		t.Fatalf("%d parcels stayed", n)
	}
	r.ok(a.send("one"))
	const providers = 2
	if n := r.ds.InHand(); n != providers {
		t.Fatalf("%d parcels in hand", n)
	}
	inHand := r.offered(providers)
	r.restart()
	if n := r.ds.InHand(); n != 0 {
		t.Fatalf("%d parcels outlived their service", n)
	}
	if !maps.Equal(r.offered(providers), inHand) {
		t.Fatal("what is stored are other deliveries")
	}
}

// offered returns the deliveries that wait, encoded, and has them fail.
func (r *rig) offered(n int) map[string]bool {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	seen := map[string]bool{}
	r.mail.count = func(d *wire.Delivery) {
		if seen[string(must(mls.Marshal(d)))] = true; len(seen) == n {
			cancel()
		}
	}
	r.mail.fail = func(string) error { return errors.New("only looked at") }
	defer func() { r.mail.count, r.mail.fail = nil, nil }()
	ds.NewDispatcher(r.ds, r.mail, ds.DispatcherConfig{Retry: time.Minute}).Run(ctx)
	if len(seen) != n {
		r.Fatalf("%d deliveries wait", len(seen))
	}
	return seen
}

// TestHandIsBounded: parcels take a bounded part of memory, however many wait.
func TestHandIsBounded(t *testing.T) {
	payload := make([]byte, wire.MaxPayload)
	if n := ds.HandHolds(20, payload); n != 20 {
		t.Errorf("of 20 parcels it has %d", n)
	}
	if n := ds.HandHolds(100, payload); n == 0 || n > 32 {
		t.Errorf("of 100 parcels it has %d", n)
	}
	if n := ds.HandHolds(1, make([]byte, 33<<20)); n != 0 {
		t.Error("it has a parcel over the bound")
	}
}
