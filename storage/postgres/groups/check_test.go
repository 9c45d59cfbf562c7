package groups_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestChecks alters rows of a database with more groups than one range has.
func TestChecks(t *testing.T) {
	d := pgtest.New(t, groups.Schema)
	s := groups.New(d.Open(t))
	const n = 600
	for i := range n {
		b := &ds.Batch{Puts: []ds.Record{{Key: []byte("k"), Value: fmt.Append(nil, i)}}, Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{{1}, {2}}}}}
		if err := s.Commit(t.Context(), wire.GroupID{byte(i >> 8), byte(i)}, b); err != nil {
			t.Fatal(err)
		}
	}
	summary := d.Fsck(t, groups.Checks)
	want := []postgres.Tally{{Kind: "version", Records: n}, {Kind: "record", Records: n, Octets: 10 + 2*90 + 3*500 + n}, {Kind: "message part", Records: 2 * n, Octets: 2 * n}}
	if fmt.Sprint(summary.Tallies) != fmt.Sprint(want) {
		t.Errorf("counted %+v, want %+v", summary.Tallies, want)
	}
	if err := d.Exec("alter table groups.groups drop constraint groups_check"); err != nil {
		t.Fatal(err)
	}
	find := func(kind, problem string) []postgres.Finding {
		return []postgres.Finding{{Kind: kind, Problem: problem}}
	}
	const one = ` where id = (select id from groups.groups order by id offset 555 limit 1)`
	d.Damaged(t, groups.Checks, []string{"groups.groups", "groups.record", "groups.message_part"},
		pgtest.Damage{Name: "batch", SQL: "update groups.groups set batch = ''" + one, Want: find("version", "does not decode")},
		pgtest.Damage{Name: "sequence", SQL: "update groups.groups set sequence = 2" + one, Want: find("version", "more messages than batches")},
		pgtest.Damage{Name: "group", SQL: "delete from groups.groups" + one,
			Want: []postgres.Finding{{Kind: "record", Problem: "of no group"}, {Kind: "message part", Problem: "of no group"}}},
		pgtest.Damage{Name: "beyond the last", SQL: "insert into groups.record values (decode(repeat('ff', 32), 'hex'), '', '')", Want: find("record", "of no group")},
		pgtest.Damage{Name: "ahead", SQL: "update groups.groups set sequence = 0" + one, Want: find("message part", "ahead of the group")},
		pgtest.Damage{Name: "lane", SQL: "update groups.message_part set lane = '\\x01'" + one, Want: find("message part", "key")},
		pgtest.Damage{Name: "part", SQL: "delete from groups.message_part" + one + " and part = 0", Want: find("message part", "not the next of its message")},
	)
}

// TestChecksPlaces: rows that are another shard's.
func TestChecksPlaces(t *testing.T) {
	d := pgtest.NewSharded(t, 2, groups.Schema)
	s := groups.New(d.Open(t))
	for i := range 400 {
		b := &ds.Batch{Puts: []ds.Record{{Key: []byte("k")}}, Messages: []ds.Message{{Lane: ds.Lane{1}, Parts: [][]byte{{1}}}}}
		if err := s.Commit(t.Context(), wire.GroupID{byte(i), byte(i >> 8)}, b); err != nil {
			t.Fatal(err)
		}
	}
	d.Shards[0].Misplaced(t, groups.Checks, "version", "record", "message part")
	// A key without the octets that tell its shard is one that does not decode.
	if err := d.Shards[1].Exec("insert into groups.groups (id, batch, version, sequence) values ('\\x00', decode(repeat('00', 16), 'hex'), 1, 0)"); err != nil {
		t.Fatal(err)
	}
	d.Shards[1].Fsck(t, groups.Checks, postgres.Finding{Kind: "version", Problem: "does not decode"})
	// Checks that would not see where a table's rows are do not begin.
	if _, err := postgres.Inspect(t.Context(), postgres.Config{URL: d.Shards[0].OwnerURL()}, nil, nil, groups.Schema); !errors.Is(err, postgres.ErrRoute) {
		t.Errorf("without checks: %v", err)
	}
}
