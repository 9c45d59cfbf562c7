package allowances_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
)

// fsck checks a store and compares the findings.
func fsck(t testing.TB, dir string, want []badger.Finding) badger.Summary {
	t.Helper()
	return badgertest.Fsck(t, dir, allowances.Format, allowances.Check, want)
}

func TestCheckFindsDamage(t *testing.T) {
	find := func(kind, problem string) []badger.Finding { return []badger.Finding{{Kind: kind, Problem: problem}} }
	for name, d := range map[string]struct {
		kind byte
		n    int
		do   func(k, v []byte) (key, value []byte) // a nil value deletes
		want []badger.Finding
	}{
		"standing cut":       {'s', 0, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, find("standing", "does not decode")},
		"standing's key":     {'s', 0, func(k, v []byte) ([]byte, []byte) { return k[:9], v }, find("standing", "does not decode")},
		"epoch gone":         {'e', 0, func(k, _ []byte) ([]byte, []byte) { return k, nil }, find("charge", "belongs to nothing")},
		"epoch's value":      {'e', 1, func(k, _ []byte) ([]byte, []byte) { return k, []byte{} }, append(find("epoch", "does not decode"), find("charge", "belongs to nothing")...)},
		"dropped epoch's":    {'d', 0, func(k, _ []byte) ([]byte, []byte) { return k[:3], []byte{1} }, find("dropped epoch", "does not decode")},
		"counter gone":       {'c', 2, func(k, _ []byte) ([]byte, []byte) { return k, nil }, find("charge", "reply without a counter")},
		"counter cut":        {'c', 2, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, find("charge", "does not decode")},
		"counter's class":    {'c', 2, func(k, v []byte) ([]byte, []byte) { return append(k, 'x'), v }, append(find("charge", "reply without a counter"), find("charge", "counter without a reply")...)},
		"other account":      {'c', 2, func(k, v []byte) ([]byte, []byte) { k[9] ^= 1; return k, v }, append(find("charge", "counter without a reply"), find("charge", "reply without a counter")...)},
		"no charge":          {'c', 0, func(k, v []byte) ([]byte, []byte) { k[9+32] = 'q'; return k, v }, find("charge", "key")},
		"verdict's value":    {'c', -1, func(k, v []byte) ([]byte, []byte) { return k, []byte{} }, find("charge", "does not decode")},
		"verdict's name":     {'c', -1, func(k, v []byte) ([]byte, []byte) { return append(k, 1), v }, find("charge", "does not decode")},
		"charge of no epoch": {'c', 0, func(k, v []byte) ([]byte, []byte) { k[1]++; return k, v }, find("charge", "belongs to nothing")},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), nil)
			ctx := context.Background()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			for request := range byte(4) {
				c := attester.Charge{Slot: attester.Slot{Class: "send", Epoch: attester.Epoch(request / 2)}, Request: attester.Digest{request},
					Tokens: 1, Limit: 9, Reply: []byte("reply")}
				_, err := s.Charge(ctx, attester.Account{1}, c)
				must(err)
			}
			_, err := s.Charge(ctx, attester.Account{1}, attester.Charge{Slot: attester.Slot{Class: "send", Epoch: 7}, Tokens: 1, Limit: 9, Reply: []byte("reply")})
			must(err)
			must(s.Reduce(ctx, attester.Account{2}, &attester.Reduction{Cut: attester.NewCut(50, 2, 1, 3), ID: [16]byte{1}, Expires: 7}, 1))
			must(s.DropBefore(ctx, 1))
			records, _, err := s.db.Scan([]byte{d.kind}, nil, 0)
			must(err)
			must(s.db.Submit(ctx, func(tx *badger.Tx) error {
				r := records[(d.n+len(records))%len(records)]
				key, value := d.do(bytes.Clone(r.Key), bytes.Clone(r.Value))
				if tx.Delete(r.Key); value != nil {
					tx.Put(key, value)
				}
				return nil
			}))
			must(s.db.Close())
			fsck(t, s.dir, d.want)
		})
	}
}

// TestCheckCountsVerdicts apart from what was charged.
func TestCheckCountsVerdicts(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	ctx := context.Background()
	_, err := s.Charge(ctx, attester.Account{1}, attester.Charge{Slot: attester.Slot{Class: "send", Epoch: 7}, Tokens: 1, Limit: 9, Reply: []byte("reply")})
	for id := range byte(3) {
		err = errors.Join(err, s.Reduce(ctx, attester.Account{2}, &attester.Reduction{Cut: attester.NewCut(50, 2, 1, 3), ID: [16]byte{id + 1}, Expires: 7}, 1))
	}
	if err := errors.Join(err, s.db.Close()); err != nil {
		t.Fatal(err)
	}
	counted := map[string]uint64{}
	for _, tally := range fsck(t, s.dir, nil).Tallies {
		counted[tally.Kind] = tally.Records
	}
	if counted["verdict"] != 3 || counted["charge"] != 2 {
		t.Errorf("counted %v", counted)
	}
}

// TestCheckKnowsLeftovers: charges of an epoch whose drop was cut short.
func TestCheckKnowsLeftovers(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	ctx := context.Background()
	if _, err := s.Charge(ctx, attester.Account{1}, attester.Charge{Slot: attester.Slot{Class: "send"}, Tokens: 1, Limit: 9, Reply: []byte("reply")}); err != nil {
		t.Fatal(err)
	}
	dropped := append([]byte{'d'}, make([]byte, 8)...)
	if err := s.db.Submit(ctx, func(tx *badger.Tx) error { tx.Put(dropped, []byte{1}); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	tallies := fsck(t, s.dir, nil).Tallies
	if got := tallies[len(tallies)-1]; got.Kind != "charge" || got.Records != 2 || got.Leftover != 2 {
		t.Fatalf("got %+v", got)
	}
}
