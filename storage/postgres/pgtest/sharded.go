package pgtest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
)

// NewSharded makes a router with so many shards, all databases of the shared server.
func NewSharded(t testing.TB, shards int, schemas ...postgres.Schema) *Database {
	t.Helper()
	c := Shared(t)
	d := sharded(t, c, slices.Repeat([]*Cluster{c}, shards), schemas)
	d.Reroute(t)
	return d
}

// Both runs a test on a database, and on a router with two shards.
func Both(t *testing.T, test func(t *testing.T, d *Database), schemas ...postgres.Schema) {
	t.Run("one", func(t *testing.T) { test(t, New(t, schemas...)) })
	t.Run("sharded", func(t *testing.T) { test(t, NewSharded(t, 2, schemas...)) })
}

// First is the database that has what there is in one place.
func (d *Database) First() *Database {
	if d.Shards != nil {
		return d.Shards[0]
	}
	return d
}

// ShardedOn makes a router on one server, and a shard on each of others.
func ShardedOn(t testing.TB, router *Cluster, shards []*Cluster, schemas ...postgres.Schema) *Database {
	t.Helper()
	d := sharded(t, router, shards, schemas)
	d.Reroute(t)
	return d
}

func sharded(t testing.TB, router *Cluster, shards []*Cluster, schemas []postgres.Schema) *Database {
	t.Helper()
	d := &Database{cluster: router, name: fmt.Sprint("test", databases.Add(1)), schemas: schemas}
	for i, c := range shards {
		d.Shards = append(d.Shards, d.newShard(t, c, i))
	}
	if err := router.Exec("postgres", "create database "+d.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.revive(t) })
	return d
}

// NewBehindProxies is as [NewSharded], with a proxy before the router and one between
// that and its last shard.
func NewBehindProxies(t testing.TB, shards int, schemas ...postgres.Schema) (*Database, Proxies) {
	t.Helper()
	c := Shared(t)
	d := sharded(t, c, slices.Repeat([]*Cluster{c}, shards), schemas)
	last := d.Shards[shards-1]
	last.through = NewProxy(t, last.cluster)
	d.Reroute(t)
	return d, Proxies{NewProxy(t, d.cluster), last.through}
}

// newShard makes a database that a router can have as a shard.
func (d *Database) newShard(t testing.TB, c *Cluster, number int) *Database {
	t.Helper()
	s := &Database{cluster: c, name: fmt.Sprintf("%s_%d", d.name, number), schemas: d.schemas, logins: d.name}
	for _, sql := range []string{
		fmt.Sprintf("do $$ begin create role %[1]s_owner login; create role %[1]s_app login; exception when duplicate_object then null; end $$", d.name),
		fmt.Sprintf("create database %s owner %s_owner", s.name, d.name),
	} {
		if err := c.Exec("postgres", sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.revive(t) })
	return s
}

// Sharding is what the router's administrator has in a file.
func (d *Database) Sharding() postgres.Sharding {
	s := postgres.Sharding{Owner: d.name + "_owner", Login: d.name + "_app"}
	for _, shard := range d.Shards {
		to := "host=" + shard.cluster.Dir()
		if shard.through != nil {
			to = "host=" + shard.through.dir
		}
		for _, standby := range shard.Standbys {
			to += "," + standby.Dir()
		}
		s.Shards = append(s.Shards, fmt.Sprintf("%s dbname=%s", to, shard.name))
	}
	return s
}

// Reroute migrates the shards and makes the router anew.
func (d *Database) Reroute(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	err := postgres.MigrateShards(ctx, d.Sharding(), d.schemas...)
	if err == nil {
		var script string
		if script, err = postgres.RouterScript(ctx, d.Sharding(), d.schemas...); err == nil {
			err = d.Exec(script)
		}
	}
	// What it took to make databases is not to be gone through after a crash.
	if err == nil {
		err = d.cluster.Exec("postgres", "checkpoint")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Proxies are all places where a connection can be lost; the first is that of the
// client.
type Proxies []*Proxy

// URL is the connection string of a database through the first proxy.
func (p Proxies) URL(d *Database) string { return p[0].URL(d) }

// Steps is how many faults there are.
func (p Proxies) Steps() int { return len(p) * Cuts }

// Arm begins a fault: see [Proxy.Arm].
func (p Proxies) Arm(step, times int) { p[step/Cuts].Arm(Cut(step%Cuts), times) }

// Disarm ends all faults, and returns how many statements were cut.
func (p Proxies) Disarm() (n int) {
	for _, proxy := range p {
		n += proxy.Disarm()
	}
	return n
}

// Double takes the databases of the same names on another server, which was copied
// from that of the shards, for as many more shards.
func (d *Database) Double(c *Cluster) {
	for _, s := range d.Shards {
		d.Shards = append(d.Shards, &Database{cluster: c, name: s.name, schemas: s.schemas, logins: s.logins})
	}
}

// Holds reports whether a query has a row.
func (d *Database) Holds(t testing.TB, query string) (found bool) {
	t.Helper()
	if err := d.cluster.Query(d.name, "select exists ("+query+")", &found); err != nil {
		t.Fatal(err)
	}
	return found
}
