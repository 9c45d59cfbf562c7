package allowances_test

import (
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/allowances"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestChecks alters rows of a database, one kind after the other.
func TestChecks(t *testing.T) {
	d := pgtest.New(t, allowances.Schema)
	s := allowances.New(d.Open(t))
	for i := range byte(2) {
		if _, err := s.Charge(t.Context(), attester.Account{i}, charge(1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	find := func(kind, problem string) []postgres.Finding {
		return []postgres.Finding{{Kind: kind, Problem: problem}}
	}
	const one = " where account < '\\x01'"
	d.Damaged(t, allowances.Checks, []string{"allowances.standing", "allowances.epoch", "allowances.slot", "allowances.charge"},
		pgtest.Damage{Name: "standing", SQL: "update allowances.standing set percent = 101" + one, Want: find("standing", "does not decode")},
		pgtest.Damage{Name: "counter", SQL: "update allowances.slot set spent = -1" + one, Want: find("counter", "does not decode")},
		pgtest.Damage{Name: "request", SQL: "update allowances.charge set request = ''" + one, Want: find("charge", "does not decode")},
		pgtest.Damage{Name: "no counter", SQL: "delete from allowances.slot" + one, Want: find("charge", "reply without a counter")},
		pgtest.Damage{Name: "no reply", SQL: "delete from allowances.charge" + one, Want: find("charge", "counter without a reply")},
		pgtest.Damage{Name: "epoch", SQL: "delete from allowances.epoch", Want: []postgres.Finding{{Kind: "counter", Problem: "of no epoch"}, {Kind: "charge", Problem: "of no epoch"}}},
		pgtest.Damage{Name: "verdict", SQL: "insert into allowances.verdict values (decode(repeat('00', 32), 'hex'), 3, '')", Want: find("verdict", "does not decode")},
		pgtest.Damage{Name: "gone", SQL: "delete from allowances.verdict; update allowances.epoch set gone = true; delete from allowances.slot; delete from allowances.charge", Want: find("epoch", "gone and takes charges")},
		pgtest.Damage{Name: "partition", SQL: "drop table allowances.verdict_3", Want: find("epoch", "partition is missing")},
	)
}

// TestChecksPlaces: rows that are another shard's.
func TestChecksPlaces(t *testing.T) {
	d := pgtest.NewSharded(t, 2, postgres.FenceSchema, allowances.Schema)
	s := allowances.New(d.Open(t))
	for i := range byte(8) {
		if _, err := s.Charge(t.Context(), attester.Account{i}, charge(1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Shards[0].Exec("insert into allowances.verdict values (decode(repeat('00', 32), 'hex'), 3, decode(repeat('00', 16), 'hex'))"); err != nil {
		t.Fatal(err)
	}
	d.Shards[0].Misplaced(t, allowances.Checks, "standing", "counter", "charge", "verdict")
}
