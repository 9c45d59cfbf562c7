package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// spread has a table of each way to lie on shards.
var spread = postgres.Schema{Name: "spread", Migrations: fstest.MapFS{"0001_spread.sql": {Data: []byte(`
create table key (id bytea primary key, number integer not null);
create table item (number integer, body bytea);
create table common (id bytea primary key);
create table own (id bytea primary key);`)}}, Routing: postgres.Routing{Tables: map[string]postgres.Placement{
	"key": {Column: "id", Octet: 1}, "item": {Copied: true}, "common": {Copied: true}, "own": {},
}}}

var (
	keyTable    = postgres.Table{Name: "spread.key", Columns: []string{"id", "number"}}
	itemTable   = postgres.Table{Name: "spread.item", Columns: []string{"number", "body"}, Under: &postgres.Under{Table: "spread.key", Number: "number", Column: "number"}}
	commonTable = postgres.Table{Name: "spread.common", Columns: []string{"id"}}
)

// TestShardedMoveNeedsRoutes: a table of whose rows nobody says where they lie is not
// moved, and neither are shards that were told nothing.
func TestShardedMoveNeedsRoutes(t *testing.T) {
	d := pgtest.NewSharded(t, 2, postgres.MoveSchema, spread)
	under := func(u postgres.Under) postgres.Table {
		return postgres.Table{Name: "spread.item", Columns: itemTable.Columns, Under: &u}
	}
	for name, tables := range map[string][]postgres.Table{
		"own rows":       {{Name: "spread.own", Columns: []string{"id"}}},
		"not declared":   {{Name: "spread.none", Columns: []string{"id"}}},
		"no schema":      {{Name: "other.key", Columns: []string{"id"}}},
		"key not moved":  {{Name: "spread.key", Columns: []string{"number"}}},
		"under nothing":  {itemTable},
		"under no row":   {commonTable, under(postgres.Under{Table: "spread.common", Number: "id", Column: "number"})},
		"no such number": {keyTable, under(postgres.Under{Table: "spread.key", Number: "ordinal", Column: "number"})},
		"no such column": {keyTable, under(postgres.Under{Table: "spread.key", Number: "number", Column: "key"})},
	} {
		if _, err := postgres.OpenShardedMove(t.Context(), d.Sharding(), tables, postgres.MoveSchema, spread); !errors.Is(err, postgres.ErrRoute) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := d.Sharding()
	for n, shard := range d.Shards {
		if err := shard.Exec("delete from shard.place"); err != nil {
			t.Fatal(err)
		}
		if _, err := postgres.OpenShardedMove(t.Context(), list, []postgres.Table{keyTable}, postgres.MoveSchema, spread); !errors.Is(err, postgres.ErrConfig) {
			t.Errorf("without the place of shard %d: %v", n, err)
		}
	}
}

// TestShardedMove: rows go where they are looked for, those of a shard that is ahead
// are left out, and what is not as it was loaded is found.
func TestShardedMove(t *testing.T) {
	ctx := t.Context()
	d := pgtest.NewSharded(t, 2, postgres.MoveSchema, spread)
	open := func() *postgres.Move {
		t.Helper()
		m, err := postgres.OpenShardedMove(ctx, d.Sharding(), []postgres.Table{keyTable, itemTable, commonTable}, postgres.MoveSchema, spread)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	state := func(records int) []byte { return fmt.Appendf(nil, `{"Source":"AA==","Total":9,"Records":%d}`, records) }
	row := func(record uint64, table string, values ...any) move.Row {
		return move.Row{Table: table, Values: values, Record: record}
	}
	m := open()
	if err := m.Load(ctx, "s", state(0), nil); err != nil {
		t.Fatal(err)
	}
	stray := row(1, "spread.item", int64(7), []byte{})
	if err := m.Load(ctx, "s", state(1), []move.Row{stray}); !errors.Is(err, move.ErrDiffers) {
		t.Fatalf("a row under none: %v", err)
	}
	// Shard 0 alone, as after a crash.
	ahead := []move.Row{row(1, "spread.key", []byte{1, 4, 0}, int64(7)), row(1, "spread.common", []byte{9})}
	if err := errors.Join(m.Close(), d.Shards[0].Exec(`insert into spread.key values ('\x010400', 7); insert into spread.common values ('\x09');
		update move.store set state = '`+string(state(1))+`'`)); err != nil {
		t.Fatal(err)
	}
	m = open()
	if b, err := m.State(ctx, "s"); err != nil || string(b) != string(state(0)) {
		t.Fatalf("%s, %v", b, err)
	}
	rows := append(ahead, row(2, "spread.key", []byte{0, 3, 0}, int64(8)), row(3, "spread.item", int64(7), []byte("a")), row(4, "spread.item", int64(8), []byte("b")))
	if err := m.Load(ctx, "s", state(4), rows); err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"spread.item where body = 'a'", "spread.item where body = 'b'"} {
		if !d.Shards[n].Holds(t, "select from "+want) || !d.Shards[n].Holds(t, "select from spread.common") {
			t.Errorf("shard %d has not what is its own", n)
		}
	}
	digest := func(table string) (want, got move.Digest, err error) {
		for _, r := range rows {
			if r.Table == table {
				if err := want.Add(r.Values); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err = m.Digest(ctx, table)
		return want, got, err
	}
	m.Close()
	m = open() // with the numbers that are there
	defer m.Close()
	for _, table := range []string{"spread.key", "spread.item", "spread.common"} {
		if want, got, err := digest(table); err != nil || got != want {
			t.Errorf("%s: %+v, want %+v, %v", table, got, want, err)
		}
	}
	for table, damage := range map[string]string{
		"spread.item": "update spread.item set number = 7", "spread.common": "delete from spread.common", "spread.key": `update spread.key set id = '\x000400'`,
	} {
		if err := d.Shards[1].Exec(damage); err != nil {
			t.Fatal(err)
		}
		if _, _, err := digest(table); !errors.Is(err, move.ErrDiffers) {
			t.Errorf("%s: %v", table, err)
		}
	}
	if err := d.Shards[1].Exec("delete from move.store"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.State(ctx, "s"); !errors.Is(err, postgres.ErrRestart) {
		t.Errorf("one shard begins anew: %v", err)
	}
}
