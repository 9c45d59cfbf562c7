package postgres

import (
	"bytes"
	"context"
	"fmt"
)

// place is what a shard, or its router, knows of it.
type place struct {
	whole         []byte
	number, count int
}

// findShards says whether this is a router, and refuses one shard of several that
// was taken for the whole.
func (db *DB) findShards(ctx context.Context) error {
	var router, shard bool
	err := db.Read(ctx, "select to_regprocedure('router.whole()') is not null, to_regprocedure('shard.identity()') is not null", nil, One(&router, &shard))
	if err != nil {
		return err
	}
	var p place
	switch {
	case router:
		err = db.Read(ctx, "select * from router.whole()", nil, One(&p.whole, &p.count))
		db.shards = p.count
	case shard:
		err = db.Read(ctx, "select * from shard.identity()", nil, One(&p.whole, &p.number, &p.count))
		if err == nil && p.count > 1 {
			err = fmt.Errorf("%w: the database is one of %d shards, and no router", ErrConfig, p.count)
		}
	}
	return err
}

// checkShards asks every shard behind a router, by its number, for what Open asks a
// database. The router itself keeps nothing, so that it can lose nothing.
func (db *DB) checkShards(ctx context.Context, accept []Risk, schemas []Schema) error {
	var whole []byte
	var count int
	if err := db.Read(ctx, "select * from router.whole()", nil, One(&whole, &count)); err != nil {
		return err
	}
	names := make([]string, len(schemas))
	for i, s := range schemas {
		names[i] = s.Name
	}
	for n := range count {
		var p place
		var versions []int
		var d durability
		err := db.Read(ctx, "select * from router.state($1, $2)", []any{n, names}, One(append([]any{&p.whole, &p.number, &p.count, &versions}, d.columns()...)...))
		if err != nil {
			return fmt.Errorf("shard %d: %w", n, err)
		}
		if err := p.check(place{whole, n, count}); err != nil {
			return err
		}
		for i, s := range schemas {
			if versions[i] != len(s.migrations()) {
				return fmt.Errorf("%w: %s of shard %d is at %d, this program needs %d", ErrVersion, s.Name, n, versions[i], len(s.migrations()))
			}
		}
		if err := d.check(accept); err != nil {
			return fmt.Errorf("shard %d: %w", n, err)
		}
	}
	return nil
}

// check compares what a shard is with what it is taken for.
func (p place) check(want place) error {
	switch {
	case !bytes.Equal(p.whole, want.whole):
		return fmt.Errorf("%w: shard %d belongs to other shards", ErrConfig, want.number)
	case p.number != want.number || p.count != want.count:
		return fmt.Errorf("%w: shard %d of %d is shard %d of %d", ErrConfig, want.number, want.count, p.number, p.count)
	}
	return nil
}
