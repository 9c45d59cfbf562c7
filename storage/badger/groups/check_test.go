package groups_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// TestCheckFindsDamage damages what this package knows of; records of groups
// are package ds's.
func TestCheckFindsDamage(t *testing.T) {
	s := newSite(t)
	open, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	message := func(lane byte) ds.Message {
		return ds.Message{Lane: ds.Lane{lane}, Parts: [][]byte{[]byte("first"), []byte("second"), []byte("third")}}
	}
	for g := range byte(2) {
		for base := range uint64(3) {
			must(open.Commit(t.Context(), wire.GroupID{g}, &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte{'a', byte(base)}, Value: []byte("v")}},
				Messages: []ds.Message{message(1), message(2)}}))
		}
	}
	must(open.Close())
	tallies := fsck(t, s.Dir(), nil).Tallies
	if tallies[0].Records != 2 || tallies[1].Records != 6 || tallies[2].Records != 36 {
		t.Fatalf("counted %+v", tallies)
	}
	find := func(kind, problem string) badger.Finding { return badger.Finding{Kind: kind, Problem: problem} }
	nothing := func(kind string) badger.Finding { return find(kind, "belongs to nothing") }
	ahead, unfinished := find("message part", "ahead of the group"), find("message part", "the last of a message is missing")
	const kindPart, next = "message part", "not the next of its message"
	for name, d := range map[string]struct {
		kind byte
		n    int
		do   func(k, v []byte) (key, value []byte) // a nil value deletes
		want []badger.Finding
	}{
		"group gone":        {'v', 0, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{nothing("record"), nothing(kindPart)}},
		"group cut":         {'v', 0, func(k, v []byte) ([]byte, []byte) { return k, v[1:] }, []badger.Finding{find("group", "does not decode"), nothing("record"), nothing(kindPart)}},
		"version":           {'v', 0, func(k, v []byte) ([]byte, []byte) { v[7] = 1; return k, v }, []badger.Finding{find("group", "more messages than batches")}},
		"sequence":          {'v', 1, func(k, v []byte) ([]byte, []byte) { v[15] = 2; return k, v }, []badger.Finding{ahead, ahead, ahead, unfinished, ahead, ahead, ahead, unfinished}},
		"record's key":      {'r', 0, func(k, v []byte) ([]byte, []byte) { return append(k, make([]byte, ds.MaxKey)...), v }, []badger.Finding{find("record", "size")}},
		"record's value":    {'r', 0, func(k, _ []byte) ([]byte, []byte) { return k, make([]byte, ds.MaxValue+1) }, []badger.Finding{find("record", "size")}},
		"record of nothing": {'r', 0, func(k, v []byte) ([]byte, []byte) { k[2]++; return k, v }, []badger.Finding{nothing("record")}},
		"first part gone":   {'o', 0, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{find(kindPart, next)}},
		"part gone":         {'o', 1, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{find(kindPart, next)}},
		"last part gone":    {'o', 2, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{find(kindPart, "the last of a message is missing")}},
		"very last gone":    {'o', 35, func(k, _ []byte) ([]byte, []byte) { return k, nil }, []badger.Finding{find(kindPart, "the last of a message is missing")}},
		"two last parts":    {'o', 1, func(k, v []byte) ([]byte, []byte) { v[0] = 1; return k, v }, []badger.Finding{find(kindPart, "follows the last of its message")}},
		"part cut off":      {'o', 1, func(k, _ []byte) ([]byte, []byte) { return k, []byte{} }, []badger.Finding{find(kindPart, "does not decode")}},
		"part too large":    {'o', 1, func(k, _ []byte) ([]byte, []byte) { return k, make([]byte, ds.MaxValue+2) }, []badger.Finding{find(kindPart, "does not decode")}},
		"part's key":        {'o', 2, func(k, v []byte) ([]byte, []byte) { return append(k, 0), v }, []badger.Finding{find(kindPart, "key"), find(kindPart, "the last of a message is missing")}},
		"part of nothing":   {'o', 35, func(k, v []byte) ([]byte, []byte) { k[2]++; return k, v }, []badger.Finding{find(kindPart, "the last of a message is missing"), nothing(kindPart)}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(storagetest.CopyLive(s.Dir(), dir))
			db, err := badger.Open(badger.Config{Dir: dir, Format: groups.Format, MinFree: 1})
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
			fsck(t, dir, d.want)
		})
	}
}

// TestCheckAsksForRecords: what package ds finds in a group's records is a
// finding here.
func TestCheckAsksForRecords(t *testing.T) {
	s := newSite(t)
	open, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.Commit(t.Context(), wire.GroupID{1}, &ds.Batch{Puts: []ds.Record{{Key: []byte("?")}}}); err != nil {
		t.Fatal(err)
	}
	var got []badger.Finding
	summary, err := groups.Check(context.Background(), s.DB(), func(f badger.Finding) { got = append(got, f) })
	want := []badger.Finding{{Kind: "head", Problem: "missing", Count: 1}, {Kind: "unknown", Problem: "no kind of a group", Ordinal: 1, Count: 1}}
	if err != nil || summary.Findings != 2 || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("found %+v, %v", got, err)
	}
}
