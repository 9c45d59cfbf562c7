package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// shardCount is how many shards a router has here. All are on one server, which is
// to tell what the router costs: it cannot tell what more machines gain.
const shardCount = 2

var errNoRouter = errors.New("PL/Proxy is not installed (apt-get install postgresql-plproxy, with the server's release in the name)")

// shardedEngine keeps stores in databases behind a router.
type shardedEngine struct{ *pgServer }

func newShardedEngine(s *pgServer) (engine, error) {
	if s.Server == nil {
		return nil, errors.New("it takes a server that this program starts; measure a router of your own as postgres")
	}
	var there bool
	if err := s.Query("postgres", "select exists (select from pg_available_extensions where name = 'plproxy')", &there); err != nil {
		return nil, err
	}
	if !there {
		return nil, errNoRouter
	}
	return shardedEngine{s}, s.Exec("postgres", "create role bench_owner login; create role bench_app login")
}

func (shardedEngine) name() string { return "sharded" }

func (e shardedEngine) newPlace(dir string) (place, error) {
	_, name, err := e.database()
	if err != nil {
		return nil, err
	}
	p := &postgresPlace{server: e.pgServer, dir: dir, url: e.URL(name, "bench_app"), database: name}
	sharding := postgres.Sharding{Owner: "bench_owner", Login: "bench_app"}
	for i := range shardCount {
		shard := fmt.Sprint(name, "_", i)
		if err := e.Exec("postgres", "create database "+shard+" owner bench_owner"); err != nil {
			return nil, err
		}
		p.shards = append(p.shards, shard)
		sharding.Shards = append(sharding.Shards, fmt.Sprintf("host=%s dbname=%s", e.Dir(), shard))
	}
	ctx, schemas := context.Background(), []postgres.Schema{groups.Schema, queues.Schema, postgres.FenceSchema, ledger.Schema}
	if err := postgres.MigrateShards(ctx, sharding, schemas...); err != nil {
		return nil, err
	}
	script, err := postgres.RouterScript(ctx, sharding, schemas...)
	if err != nil {
		return nil, err
	}
	return p, e.Exec(name, script)
}
