package reports_test

import (
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/badger/reports"
	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
)

func TestStore(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) reporttest.Site {
		return badgertest.NewSite(t, badgertest.Driver[reporttest.Store]{Format: reports.Format, Check: reports.Check,
			New: func(db *badger.DB, close func() error) (reporttest.Store, error) {
				return store{reports.New(db), close}, nil
			}})
	})
}

type store struct {
	*reports.Store
	close func() error
}

func (s store) Close() error { return s.close() }

// TestCheck alters records of a store, one kind after the other.
func TestCheck(t *testing.T) {
	id := moderation.CaseID{1}
	key := func(kind byte) []byte { return append([]byte{kind}, id[:]...) }
	upheld := moderation.Outcome{State: moderation.Upheld, Weight: attester.Low}
	for name, tc := range map[string]struct {
		spoil func(*badger.Tx)
		want  []badger.Finding
	}{
		"nothing":     {func(*badger.Tx) {}, nil},
		"count":       {func(tx *badger.Tx) { tx.Delete([]byte{'n'}) }, []badger.Finding{{Kind: "count", Problem: "is not what is counted"}}},
		"short count": {func(tx *badger.Tx) { tx.Put([]byte{'n'}, []byte{0}) }, []badger.Finding{{Kind: "count", Problem: "does not decode"}, {Kind: "count", Problem: "is not what is counted"}}},
		"case":        {func(tx *badger.Tx) { tx.Put(append([]byte{'o'}, make([]byte, 16)...), []byte("short")) }, []badger.Finding{{Kind: "open case", Problem: "does not decode"}}},
		"outcome":     {func(tx *badger.Tx) { tx.Put(key('d'), []byte{byte(moderation.Open), 0}); tx.Delete(key('v')) }, []badger.Finding{{Kind: "decided case", Problem: "does not decode"}}},
		"verdict":     {func(tx *badger.Tx) { tx.Put(key('d'), []byte{byte(moderation.Dismissed), 0}) }, []badger.Finding{{Kind: "waiting verdict", Problem: "of a case that was not upheld"}}},
		"both": {func(tx *badger.Tx) {
			tx.Put(append([]byte{'d'}, make([]byte, 16)...), []byte{byte(moderation.Expired), 0})
		}, []badger.Finding{{Kind: "open case", Problem: "was decided"}}},
		"orphan": {func(tx *badger.Tx) { tx.Put([]byte("x"), nil) }, []badger.Finding{{Kind: "unknown", Problem: "no kind of this store"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			db, err := badger.Open(badger.Config{Dir: dir, Format: reports.Format, MinFree: 1})
			if err != nil {
				t.Fatal(err)
			}
			s, ctx := reports.New(db), t.Context()
			for _, err := range []error{
				s.Add(ctx, id, &moderation.Case{Sealed: []byte("sealed")}, 9), s.Add(ctx, moderation.CaseID{}, &moderation.Case{Sealed: []byte("sealed")}, 9),
				s.Decide(ctx, id, upheld, []byte("verdict")), db.Submit(ctx, func(tx *badger.Tx) error { tc.spoil(tx); return nil }), db.Close(),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			badgertest.Fsck(t, dir, reports.Format, reports.Check, tc.want)
		})
	}
}
