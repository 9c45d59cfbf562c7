package ledger_test

import (
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestChecks alters rows of a database with two epochs.
func TestChecks(t *testing.T) {
	d := pgtest.New(t, postgres.FenceSchema, ledger.Schema)
	err := d.Exec(`insert into spent.registry values (true, '', 3);
		create table spent.nullifier_1 partition of spent.nullifier for values in (1);
		create table spent.nullifier_2 partition of spent.nullifier for values in (2);
		create table spent.nullifier_9 partition of spent.nullifier for values in (9);
		alter table spent.epoch drop constraint epoch_capacity_check;
		insert into spent.epoch (key, ordinal, capacity, spent) values (decode(repeat('01', 32), 'hex'), 1, 9, 2), (decode(repeat('02', 32), 'hex'), 2, 9, 0);
		insert into spent.nullifier select 1, decode(repeat(n, 16), 'hex'), decode(repeat('00', 16), 'hex') from unnest(array['01', '02']) n;
		insert into spent.closed values (decode(repeat('03', 32), 'hex'), false)`)
	if err != nil {
		t.Fatal(err)
	}
	find := func(kind, problem string) []postgres.Finding {
		return []postgres.Finding{{Kind: kind, Problem: problem}}
	}
	d.Damaged(t, ledger.Checks, []string{"spent.registry", "spent.epoch", "spent.closed", "spent.nullifier"},
		pgtest.Damage{Name: "capacity", SQL: "update spent.epoch set capacity = 0 where ordinal = 2", Want: find("epoch", "does not decode")},
		pgtest.Damage{Name: "nullifier", SQL: "update spent.nullifier set nullifier = '' where nullifier < '\\x02'", Want: find("nullifier", "key")},
		pgtest.Damage{Name: "tag", SQL: "update spent.nullifier set tag = ''", Want: find("nullifier", "does not decode")},
		pgtest.Damage{Name: "spent token is gone", SQL: "delete from spent.nullifier where nullifier < '\\x02'", Want: find("count", "is not what is counted")},
		pgtest.Damage{Name: "stray", SQL: "insert into spent.nullifier values (9, decode(repeat('01', 16), 'hex'), decode(repeat('01', 16), 'hex'))", Want: find("nullifier", "of no epoch")},
		pgtest.Damage{Name: "closed and open", SQL: "insert into spent.closed values (decode(repeat('02', 32), 'hex'), true)", Want: find("tombstone", "its epoch is open")},
		pgtest.Damage{Name: "closing", SQL: "update spent.epoch set closing = true where ordinal = 2", Want: find("tombstone", "missing for an epoch being closed")},
		pgtest.Damage{Name: "tombstone", SQL: "update spent.closed set key = '\\x01'", Want: find("tombstone", "key")},
		pgtest.Damage{Name: "number", SQL: "update spent.registry set next_ordinal = 2", Want: find("registry", "next number was given out")},
		pgtest.Damage{Name: "registry", SQL: "delete from spent.registry", Want: find("registry", "missing")},
		pgtest.Damage{Name: "partition", SQL: "drop table spent.nullifier_2", Want: find("epoch", "partition is missing")},
	)
}

// TestChecksPlaces: keys that are another shard's.
func TestChecksPlaces(t *testing.T) {
	d := pgtest.NewSharded(t, 2, postgres.FenceSchema, ledger.Schema)
	err := d.Shards[0].Exec(`insert into spent.registry values (true, '', 2);
		create table spent.nullifier_1 partition of spent.nullifier for values in (1);
		insert into spent.epoch (key, ordinal, capacity, spent) values (decode(repeat('02', 32), 'hex'), 1, 9, 0);
		insert into spent.closed values (decode(repeat('04', 32), 'hex'), false)`)
	if err != nil {
		t.Fatal(err)
	}
	d.Shards[0].Misplaced(t, ledger.Checks, "epoch", "tombstone")
}
