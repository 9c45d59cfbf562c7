package moderation_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestTake(t *testing.T) {
	r := newRig(t, func(c *moderation.Config) { c.MaxOpen = 2 })
	r.take(1)
	id, o := r.only()
	if !reflect.DeepEqual(&o.Report, report(1)) {
		t.Fatalf("kept %+v", o.Report)
	}
	again := report(1)
	again.Note = []byte("in other words")
	if err := r.Take(t.Context(), again); !errors.Is(err, ds.ErrReported) {
		t.Fatalf("the same again: %v", err)
	}
	r.take(2)
	if err := r.Take(t.Context(), report(3)); !errors.Is(err, ds.ErrReportsFull) {
		t.Fatalf("one too many: %v", err)
	}
	large := report(4)
	large.Messages[0].Content = make([]byte, moderation.MaxReport)
	if err := r.Take(t.Context(), large); !errors.Is(err, ds.ErrReportsFull) {
		t.Fatalf("too large: %v", err)
	}
	r.decide(id, dismissed, nil, nil)
	if err := r.Take(t.Context(), report(1)); !errors.Is(err, ds.ErrReported) {
		t.Fatalf("after it was dismissed: %v", err)
	}
	r.take(3)
	if n, err := r.Waiting(t.Context()); err != nil || n != 2 {
		t.Fatalf("%d wait, %v", n, err)
	}
	r.want(moderation.Taken, 3)
	r.want(moderation.Repeated, 2)
	r.want(moderation.NoRoom, 2)
}

func TestDecide(t *testing.T) {
	r := newRig(t, nil)
	r.take(1)
	id, o := r.only()
	for _, bad := range []moderation.Outcome{{}, {State: moderation.Upheld}, {State: moderation.Upheld, Weight: 9}, {State: moderation.Open},
		{State: moderation.Expired}, {State: moderation.Dismissed, Weight: attester.Low}} {
		r.decide(id, bad, o.Opening(), moderation.ErrOutcome)
	}
	r.decide(moderation.CaseID{1}, dismissed, nil, moderation.ErrNoCase)
	// Nobody can be accused who is not in the report.
	r.decide(id, upheld, nil, moderation.ErrOpening)
	for _, alter := range []func(*moderation.Opening){
		func(o *moderation.Opening) { o.Salt[0]++ },
		func(o *moderation.Opening) { o.Domain = "" },
		func(o *moderation.Opening) { o.Key = account(2) },
		func(o *moderation.Opening) { o.Key = o.Key[1:] },
		func(o *moderation.Opening) { o.Credential = mls.BasicCredential([]byte("bob")) },
	} {
		other := *o.Opening()
		alter(&other)
		r.decide(id, upheld, &other, moderation.ErrOpening)
	}
	r.only()
	r.decide(id, upheld, o.Opening(), nil)
	r.decide(id, upheld, o.Opening(), nil)
	r.decide(id, upheld, nil, nil)
	r.decide(id, dismissed, nil, moderation.ErrDecided)
	r.decide(id, moderation.Outcome{State: moderation.Upheld, Weight: attester.Severe}, o.Opening(), moderation.ErrDecided)
	if list, _, err := r.store.Verdicts(t.Context(), moderation.CaseID{}); err != nil || len(list) != 1 {
		t.Fatalf("%d verdicts, %v", len(list), err)
	}
	r.take(2)
	id, o = r.only()
	r.decide(id, dismissed, nil, nil)
	r.decide(id, upheld, o.Opening(), moderation.ErrDecided)
	r.want(moderation.WasUpheld, 1)
	r.want(moderation.WasDismissed, 1)

	guest := report(3)
	guest.Domain = "elsewhere.example"
	if err := r.Take(t.Context(), guest); err != nil {
		t.Fatal(err)
	}
	id, o = r.only()
	r.decide(id, upheld, o.Opening(), nil)
	if list, _, err := r.store.Verdicts(t.Context(), moderation.CaseID{}); err != nil || len(list) != 1 {
		t.Fatalf("%d verdicts, %v", len(list), err)
	}
	r.want(moderation.Unrouted, 1)
}

func TestExpire(t *testing.T) {
	r := newRig(t, func(c *moderation.Config) { c.Retention = 3 })
	for n := range byte(100) { // more than a page
		r.take(n)
	}
	r.pass(3 * 24 * time.Hour)
	r.take(200)
	if err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(moderation.WasExpired, 0)
	r.pass(24 * time.Hour)
	if err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(moderation.WasExpired, 100)
	id, o := r.only()
	if o.ID != report(200).ID {
		t.Fatal("the new one expired")
	}
	r.decide(id, dismissed, nil, nil)
	if err := r.Take(t.Context(), report(5)); !errors.Is(err, ds.ErrReported) {
		t.Fatalf("an expired one again: %v", err)
	}
}

// TestINV01NoStoreHoldsTheReport looks in all that the store was given: it holds
// neither who is accused, nor where, nor of what, and equal reports of two stores
// have nothing in common.
func TestINV01NoStoreHoldsTheReport(t *testing.T) {
	var all [2][]byte
	for i := range all {
		r := newRig(t, func(c *moderation.Config) { c.Secret = secret.New(bytes.Repeat([]byte{byte(i)}, 32)) })
		r.take(7)
		id, o := r.only()
		c, _, err := r.store.Look(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = append(append(append(all[i], id[:]...), c.Commitment[:]...), c.Sealed...)
		r.decide(id, upheld, o.Opening(), nil)
		list, _, err := r.store.Verdicts(t.Context(), moderation.CaseID{})
		if err != nil || len(list) != 1 {
			t.Fatal(err)
		}
		all[i] = append(all[i], list[0].Verdict...)
		if c, _, err := r.store.Look(t.Context(), id); err != nil || c != nil {
			t.Fatalf("a decided case still has %v, %v", c, err)
		}
		rep := report(7)
		for what, needle := range map[string][]byte{"ID": rep.ID[:8], "group": rep.Group[:8], "client": rep.Client[:8], "user": rep.User[:8], "domain": []byte(rep.Domain),
			"credential": rep.Credential.Identity[:8], "key": rep.Key[:8], "note": rep.Note[:8], "message": rep.Messages[0].Content[:8]} {
			if bytes.Contains(all[i], needle) {
				t.Errorf("the store holds the %s", what)
			}
		}
	}
	for i := range len(all[0]) - 8 {
		if piece := all[0][i:][:8]; bytes.Contains(all[1], piece) && !bytes.Equal(piece, make([]byte, 8)) {
			t.Fatalf("two stores have %x in common", piece)
		}
	}
	if len(all[0]) != len(all[1]) {
		t.Error("sizes differ")
	}
}

func TestConfig(t *testing.T) {
	r := newRig(t, nil)
	good := moderation.Config{Store: r.store, Key: r.key.Public(), Secret: secret.New(make([]byte, 32))}
	if _, err := moderation.New(good); err != nil {
		t.Fatal(err)
	}
	for name, alter := range map[string]func(*moderation.Config){
		"store":  func(c *moderation.Config) { c.Store = nil },
		"key":    func(c *moderation.Config) { c.Key = nil },
		"no key": func(c *moderation.Config) { c.Key = &wire.HPKEKey{KEM: wire.X25519, Public: []byte{1}} },
		"secret": func(c *moderation.Config) { c.Secret = secret.New(make([]byte, 31)) },
		"delay":  func(c *moderation.Config) { c.Delay = -1 },
	} {
		c := good
		alter(&c)
		if _, err := moderation.New(c); !errors.Is(err, moderation.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := newRig(t, func(c *moderation.Config) { c.Rand = io.LimitReader(nil, 0) })
	if err := broken.Take(t.Context(), report(1)); err == nil || errors.Is(err, ds.ErrReported) {
		t.Errorf("without randomness: %v", err)
	}
}

func TestVerdictKeyIsTheAccused(t *testing.T) {
	r, to := newRig(t, nil), new(issuer)
	r.take(1)
	id, o := r.only()
	r.decide(id, upheld, o.Opening(), nil)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	if err := moderation.NewCourier(r.Docket, moderation.CourierConfig{Key: key, To: to}).Round(t.Context()); err != nil || len(to.got) != 1 {
		t.Fatalf("%d verdicts, %v", len(to.got), err)
	}
	services := attester.Keys{[32]byte(key.Public().(ed25519.PublicKey)): {}}
	v, err := attester.OpenVerdict(to.got[0], services, "issuer.example", noon)
	if err != nil {
		t.Fatal(err)
	}
	credential, _ := mls.Marshal(&report(1).Credential)
	want := &attester.Verdict{Issuer: "issuer.example", ID: v.ID, Day: attester.DayOf(noon), Weight: attester.Normal, Key: [32]byte(account(1)), Credential: credential}
	if !reflect.DeepEqual(v, want) || v.ID == [16]byte{} {
		t.Fatalf("%+v", v)
	}
	// Nothing else of the report is in it.
	for _, needle := range [][]byte{report(1).Messages[0].Content[:8], report(1).Note[:8], report(1).Group[:8], report(1).User[:8], report(1).Client[:8], id[:]} {
		if bytes.Contains(to.got[0], needle) {
			t.Errorf("the verdict says %x", needle)
		}
	}
}
