package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// routed is the sample, as a schema that can be sharded.
var routed = postgres.Schema{Name: "sample", Migrations: sample.Migrations, Routing: postgres.Routing{
	Functions: map[string]postgres.Route{
		"put": postgres.OnFirst(), "body": postgres.OnFirst(), "nap": postgres.OnAll("select max(r) from ROWS r"), "clash": postgres.OnFirst(),
	},
	Tables: map[string]postgres.Placement{"note": {}},
}}

// TestRouter: what a router answers is what a database answers, refusals included.
func TestRouter(t *testing.T) {
	d := pgtest.NewSharded(t, 2, routed)
	db := d.Open(t)
	if n, err := put(t.Context(), db, "a", "b"); err != nil || n != 1 || db.Shards() != 2 {
		t.Fatal(n, err)
	}
	var one int
	if err := db.Write(t.Context(), "select sample.nap(0)", nil, postgres.One(&one)); err != nil || one != 1 {
		t.Fatal(one, err)
	}
	soon, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Timeout: 5 * time.Second}, routed)
	if err != nil {
		t.Fatal(err)
	}
	defer soon.Close()
	var wg sync.WaitGroup
	for state, want := range map[string]error{
		"23505": postgres.ErrRefused, "P0001": postgres.ErrRefused, "PF001": postgres.ErrRefused,
		// These can come of a shard that has carried out its part.
		"40001": postgres.ErrAmbiguous, "57P01": postgres.ErrAmbiguous, "XX000": postgres.ErrAmbiguous, "53100": postgres.ErrAmbiguous,
	} {
		wg.Go(func() { // what is tried again takes all its time
			err := soon.Write(t.Context(), "select sample.clash($1)", []any{state}, nil)
			if !errors.Is(err, want) || want == postgres.ErrRefused && postgres.Code(err) != state {
				t.Errorf("%s: %v", state, err)
			}
		})
	}
	wg.Go(func() {
		if err := soon.Read(t.Context(), "select sample.clash('XX000')", nil, nil); !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("a read that a shard did not answer: %v", err)
		}
	})
	wg.Wait()
	// What a shard warns of on the way to success is no success.
	if err := d.Shards[0].Exec(`create or replace function sample.put(name text, body text) returns integer language plpgsql security definer as
		$$ begin raise warning using errcode = '01000', message = 'not waited for'; return 1; end $$`); err != nil {
		t.Fatal(err)
	}
	if _, err := put(t.Context(), soon, "a", "b"); !errors.Is(err, postgres.ErrAmbiguous) {
		t.Errorf("a commit that the standby has not: %v", err)
	}
}

// TestPlace: a program, a router and a shard know one place of a key.
func TestPlace(t *testing.T) {
	d := pgtest.NewSharded(t, 2, routed)
	for range 20 {
		key := make([]byte, 16)
		rand.Read(key)
		octet := int(key[15]) % 14
		for _, at := range []struct {
			database *pgtest.Database
			query    string
		}{
			{d, "router.place_of('\\x%x'::bytea, %d)"}, {d, "router.place_of('%x'::uuid, %d)"}, {d.Shards[0], "shard.place_of('\\x%x', %d)"},
		} {
			var got int
			if err := at.database.Cluster().Query(at.database.Name(), fmt.Sprintf("select "+at.query, key, octet), &got); err != nil {
				t.Fatal(err)
			}
			if want := postgres.Place(key, octet, postgres.MaxShards); got != want {
				t.Fatalf("%s: %x at %d is %d, want %d", at.query, key, octet, got, want)
			}
		}
		if postgres.Place(key, octet, 4)&1 != postgres.Place(key, octet, 2) {
			t.Fatal("a split sends a key to another pair")
		}
	}
}

// TestRouterFollowsFailover: the standby of a shard takes its place, and the router
// finds it by itself, with all that was acknowledged.
func TestRouterFollowsFailover(t *testing.T) {
	primary := pgtest.Start(t)
	d := pgtest.ShardedOn(t, pgtest.Shared(t), []*pgtest.Cluster{primary, pgtest.Shared(t)}, routed)
	standby := primary.Standby(t, "standby_a")
	if err := primary.Configure("synchronous_standby_names", "standby_a"); err != nil {
		t.Fatal(err)
	}
	d.Shards[0].Standbys = []*pgtest.Cluster{standby}
	d.Reroute(t)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Timeout: 30 * time.Second, Accept: []postgres.Risk{postgres.RiskAsynchronousStandby}}, routed)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n, err := put(t.Context(), db, "a", "x"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	primary.Crash()
	during := make(chan error)
	go func() {
		_, err := put(context.Background(), db, "b", "x")
		during <- err
	}()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"alter system set synchronous_standby_names = ''", "select pg_reload_conf()"} {
		if err := standby.Exec("postgres", sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-during; err != nil {
		t.Fatalf("a write during the failover: %v", err)
	}
	if n, err := put(t.Context(), db, "c", "x"); err != nil || n != 3 {
		t.Fatal(n, err)
	}
}

// TestRouterLeastPrivilege: the login calls functions, and sees neither the shards'
// addresses nor anything of their tables.
func TestRouterLeastPrivilege(t *testing.T) {
	d := pgtest.NewSharded(t, 2, routed)
	db := d.Open(t)
	for _, sql := range []string{
		"create function public.f() returns int language plproxy as $$ connect 'dbname=postgres'; $$",
		"create schema mine",
		"create temporary table mine (a int)",
		"create server mine foreign data wrapper plproxy options (p0 'dbname=postgres')",
		"create user mapping for current_user server shards",
		"set role " + d.Name() + "_app_router",
		"select router.place_of('\\x0000'::bytea, 0)",
	} {
		if err := db.Write(t.Context(), sql, nil, nil); postgres.Code(err) != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	var options *[]string
	err := db.Read(t.Context(), "select umoptions from pg_user_mappings where srvname = 'shards'", nil, postgres.One(&options))
	if err != nil || options != nil {
		t.Errorf("the login sees how the router signs in: %v, %v", options, err)
	}
	for _, s := range d.Shards {
		if _, err := postgres.Open(t.Context(), postgres.Config{URL: s.URL()}, routed); !errors.Is(err, postgres.ErrConfig) {
			t.Errorf("a shard taken for the whole: %v", err)
		}
	}
}

// TestUnroutedFails: a function or table for which nothing is declared, or too much,
// keeps the router from being made.
func TestUnroutedFails(t *testing.T) {
	d := pgtest.NewSharded(t, 2, routed)
	generate := func(r postgres.Routing) error {
		_, err := postgres.RouterScript(t.Context(), d.Sharding(), postgres.Schema{Name: "sample", Migrations: sample.Migrations, Routing: r})
		return err
	}
	if err := generate(routed.Routing); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[string]postgres.Route, map[string]postgres.Placement){
		"sample.body": func(f map[string]postgres.Route, _ map[string]postgres.Placement) { delete(f, "body") },
		"sample.put": func(f map[string]postgres.Route, _ map[string]postgres.Placement) {
			f["put"] = postgres.Route{First: true, All: true}
		},
		"sample.gone": func(f map[string]postgres.Route, _ map[string]postgres.Placement) { f["gone"] = postgres.OnFirst() },
		"sample.nap":  func(f map[string]postgres.Route, _ map[string]postgres.Placement) { f["nap"] = postgres.OnAll("") },
		"number":      func(f map[string]postgres.Route, _ map[string]postgres.Placement) { f["put"] = postgres.ByPart() },
		"no key":      func(f map[string]postgres.Route, _ map[string]postgres.Placement) { f["put"] = postgres.ByKey("name") },
		"no argument": func(f map[string]postgres.Route, _ map[string]postgres.Placement) { f["put"] = postgres.ByKey("id") },
		"sample.note": func(_ map[string]postgres.Route, p map[string]postgres.Placement) { delete(p, "note") },
		"sample.none": func(_ map[string]postgres.Route, p map[string]postgres.Placement) { p["none"] = postgres.Placement{} },
	} {
		f, p := map[string]postgres.Route{}, map[string]postgres.Placement{"note": {}}
		for name, r := range routed.Routing.Functions {
			f[name] = r
		}
		change(f, p)
		if err := generate(postgres.Routing{Functions: f, Tables: p}); !errors.Is(err, postgres.ErrRoute) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestShardsMistaken: shards in another order, of others, of another version, or
// that lose what they acknowledged are found when the router is made and when it is
// opened.
func TestShardsMistaken(t *testing.T) {
	d, other := pgtest.NewSharded(t, 2, routed), pgtest.NewSharded(t, 2, routed)
	refused := func(what string, s postgres.Sharding, want error) {
		t.Helper()
		if err := postgres.MigrateShards(t.Context(), s, routed); !errors.Is(err, want) {
			t.Errorf("%s, migrating: %v", what, err)
		}
		if _, err := postgres.RouterScript(t.Context(), s, routed); !errors.Is(err, want) {
			t.Errorf("%s, making the router: %v", what, err)
		}
	}
	good := d.Sharding()
	s := good
	s.Shards = []string{good.Shards[1], good.Shards[0]}
	refused("swapped", s, postgres.ErrConfig)
	s.Shards = good.Shards[:1]
	refused("one of two", s, postgres.ErrConfig)
	s.Shards = append(good.Shards[:2:2], "dbname=c", "dbname=d", "dbname=e")
	refused("five", s, postgres.ErrConfig)
	s.Shards = []string{good.Shards[0], good.Shards[0]}
	refused("one twice", s, postgres.ErrConfig)

	open := func() error {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL()}, routed)
		if err == nil {
			db.Close()
		}
		return err
	}
	exec := func(d *pgtest.Database, sql string) {
		t.Helper()
		if err := d.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	route := func(first, second *pgtest.Database) {
		t.Helper()
		for i, to := range []*pgtest.Database{first, second} {
			exec(d, "alter server shards options (set p"+string(rune('0'+i))+" 'host="+strings.Split(to.URL(), "host=")[1]+" dbname="+to.Name()+"')")
		}
	}
	route(d.Shards[1], d.Shards[0])
	if err := open(); !errors.Is(err, postgres.ErrConfig) {
		t.Errorf("a router with swapped shards: %v", err)
	}
	exec(other.Shards[1], "grant connect on database "+other.Shards[1].Name()+" to public; grant usage on schema sample, shard to public; grant execute on all functions in schema shard to public")
	route(d.Shards[0], other.Shards[1])
	if err := open(); !errors.Is(err, postgres.ErrConfig) {
		t.Errorf("a router with a shard of others: %v", err)
	}
	route(d.Shards[0], d.Shards[1])
	if err := open(); err != nil {
		t.Fatal(err)
	}
	exec(d.Shards[1], "insert into sample.migration values (2)")
	if err := open(); !errors.Is(err, postgres.ErrVersion) {
		t.Errorf("a shard of another version: %v", err)
	}
	exec(d.Shards[1], "delete from sample.migration where version = 2; alter role "+d.Name()+"_app in database "+d.Shards[1].Name()+" set synchronous_commit = off")
	var risk *postgres.RiskError
	if err := open(); !errors.As(err, &risk) || risk.Risks[0] != postgres.RiskCommitNotSynced {
		t.Errorf("a shard that loses commits: %v", err)
	}
	exec(d, "create or replace function sample.schema_version() returns integer language sql as 'select 2'")
	if err := open(); !errors.Is(err, postgres.ErrVersion) {
		t.Errorf("a router of another version: %v", err)
	}
}
