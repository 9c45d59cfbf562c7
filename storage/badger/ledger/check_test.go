package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/storagetest"
)

func TestCheckFindsDamage(t *testing.T) {
	s := newSite(t).(*site)
	l, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	retired, first, second := storagetest.NewMint("retired"), storagetest.NewMint("first"), storagetest.NewMint("second")
	for _, m := range []*storagetest.Mint{retired, first, second} {
		must(l.OpenEpoch(t.Context(), m.Epoch(10)))
		for n := range uint64(3) {
			_, err := l.Spend(t.Context(), m.Nth(n), storagetest.Digest(n))
			must(err)
		}
	}
	must(l.RetireEpoch(t.Context(), retired.KeyID()))
	must(l.Close())
	var counted []string
	for _, tally := range fsck(t, s.cfg, nil).Tallies {
		counted = append(counted, fmt.Sprint(tally.Kind, " ", tally.Records))
	}
	if got, want := fmt.Sprint(counted), "[check value 1 registry 1 count 2 nullifier 6 tombstone 1]"; got != want {
		t.Fatalf("counted %s, want %s", got, want)
	}

	find := func(kind, problem string) badger.Finding { return badger.Finding{Kind: kind, Problem: problem} }
	nothing := func(kind string) badger.Finding { return find(kind, "belongs to nothing") }
	miscounted := find("count", "is not what is counted")
	id := first.KeyID()
	for name, d := range map[string]struct {
		kind byte
		n    int
		do   func(k, v []byte) (key, value []byte) // a nil value deletes
		want []badger.Finding
	}{
		"check value cut":          {'k', 0, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, []badger.Finding{find("check value", "size")}},
		"registry cut":             {'e', 0, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, []badger.Finding{find("registry", "does not decode"), nothing("count"), nothing("nullifier")}},
		"registry gone":            {'e', 0, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{nothing("count"), nothing("nullifier")}},
		"registry with other keys": {'e', 0, func(k, v []byte) ([]byte, []byte) { v[len(v)-9] ^= 1; return k, v }, []badger.Finding{find("registry", "fence does not know the open keys")}},
		"count too high":           {'c', 0, func(k, v []byte) ([]byte, []byte) { v[7]++; return k, v }, []badger.Finding{miscounted}},
		"count gone":               {'c', 1, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{miscounted}},
		"count cut":                {'c', 1, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, []badger.Finding{find("count", "does not decode")}},
		"nullifier gone":           {'n', 2, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{miscounted}},
		"tag cut":                  {'n', 2, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, []badger.Finding{find("nullifier", "does not decode")}},
		"nullifier cut":            {'n', 2, func(k, v []byte) ([]byte, []byte) { return k[:len(k)-1], v }, []badger.Finding{find("nullifier", "key")}},
		"nullifier of no epoch":    {'n', 5, func(k, v []byte) ([]byte, []byte) { k[1]++; return k, v }, []badger.Finding{miscounted, nothing("nullifier")}},
		"tombstone cut":            {'t', 0, func(k, _ []byte) ([]byte, []byte) { return k, []byte{} }, []badger.Finding{find("tombstone", "does not decode")}},
		"tombstone's key":          {'t', 0, func(k, v []byte) ([]byte, []byte) { return k[:9], v }, []badger.Finding{find("tombstone", "key")}},
		"tombstone of an open one": {'t', 0, func(_, v []byte) ([]byte, []byte) { return append([]byte("t"), id[:]...), v }, []badger.Finding{find("tombstone", "its epoch is open")}},
		"closing without one": {'e', 0, func(k, v []byte) ([]byte, []byte) {
			v[len(v)-41] = 2
			return k, v
		}, []badger.Finding{find("registry", "fence does not know the open keys"), find("tombstone", "missing for an epoch being closed")}},
	} {
		t.Run(name, func(t *testing.T) {
			at := ledger.Config{Dir: t.TempDir()}
			must(storagetest.CopyLive(s.cfg.Dir, at.Dir))
			db, err := badger.Open(badger.Config{Dir: at.Dir, Fence: copyFile(t, s.cfg.Fence), Format: ledger.Format, MinFree: 1})
			must(err)
			records, _, err := db.Scan([]byte{d.kind}, nil, 0)
			must(err)
			must(db.Submit(t.Context(), func(tx *badger.Tx) error {
				r := records[d.n]
				key, value := d.do(bytes.Clone(r.Key), bytes.Clone(r.Value))
				if tx.Delete(r.Key); value != nil {
					tx.Put(key, value)
				}
				return nil
			}))
			must(db.Close())
			fsck(t, at, d.want)
		})
	}
}

func copyFile(t *testing.T, from string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "fence")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
