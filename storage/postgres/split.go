package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Split makes twice as many shards of a whole. The first half of the list are the
// shards that there were, in their order, and the second half are copies of them, in the
// same order, each a server or database of its own; nobody may use any of them
// meanwhile. Each is told its new place, and a copy forgets what was not its own:
// who was using the shard that it was made of. Rows stay until [RemoveOthers].
//
// A copy that lacks a number of the shard's witnesses is refused with [ErrConfig],
// and so is anything else that is in the list, and a shard to which a server or a
// router is connected with [ErrInUse], before anything is changed. It goes on where it
// was cut short.
func Split(ctx context.Context, s Sharding, schemas ...Schema) error {
	if err := s.validate(); err != nil {
		return err
	}
	if len(s.Shards) < 2 {
		return fmt.Errorf("%w: one shard is no split", ErrConfig)
	}
	done, err := s.checkSplit(ctx)
	if err != nil {
		return err
	}
	return s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		if done[n] {
			return nil
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "update shard.place set number = $1, count = $2", n, len(s.Shards))
			if err == nil && n >= len(s.Shards)/2 {
				err = renew(ctx, tx, schemas)
			}
			return err
		})
	})
}

// checkSplit says which shards were told their new place before.
func (s *Sharding) checkSplit(ctx context.Context) (done []bool, err error) {
	half := len(s.Shards) / 2
	var whole []byte
	numbers := make([]string, len(s.Shards)) // of the witnesses
	done = make([]bool, len(s.Shards))
	err = s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		p, err := placeOf(ctx, conn)
		if err == nil && p == nil {
			err = fmt.Errorf("%w: it is no shard", ErrConfig)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			whole = p.whole
		}
		if done[n] = p.check(place{whole, n, len(s.Shards)}) == nil; !done[n] {
			if err := p.check(place{whole, n % half, half}); err != nil {
				return err
			}
			if err := alone(ctx, conn, "shard"); err != nil {
				return err
			}
		}
		if err := conn.QueryRow(ctx, "select coalesce(string_agg(encode(id, 'hex') || coalesce(' ' || number, ''), ', ' order by id), '') from fence.witness").Scan(&numbers[n]); err != nil {
			return err
		}
		if n >= half && !done[n] && numbers[n] != numbers[n-half] {
			return fmt.Errorf("%w: it has not all that shard %d has", ErrConfig, n-half)
		}
		return nil
	})
	return done, err
}

// renew has a copy forget what is not its own.
func renew(ctx context.Context, tx pgx.Tx, schemas []Schema) error {
	for _, schema := range schemas {
		statements := slices.Clone(schema.Routing.Renewed)
		for table, p := range schema.Routing.Tables {
			if p.Column == "" && !p.Copied {
				statements = append(statements, "delete from "+schema.Name+"."+table)
			}
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// Removed is how many rows of a table were another shard's.
type Removed struct {
	Shard int
	Table string
	Rows  int64
}

// RemoveOthers removes, from each shard, the rows of keys that are another's, as they
// are after a [Split]. Nobody looks at them any more: it can run while the shards are
// used, a table at a time, and be repeated.
func RemoveOthers(ctx context.Context, s Sharding, report func(Removed), schemas ...Schema) error {
	if err := s.validate(); err != nil {
		return err
	}
	places, err := s.places(ctx)
	if err != nil {
		return err
	}
	for n, p := range places {
		if p == nil {
			return fmt.Errorf("%w: shard %d was told no place", ErrConfig, n)
		}
		if err := p.check(place{places[0].whole, n, len(places)}); err != nil {
			return err
		}
	}
	return s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		for _, schema := range schemas {
			if err := checkTables(ctx, conn, schema); err != nil {
				return err
			}
			for _, table := range slices.Sorted(maps.Keys(schema.Routing.Tables)) {
				p := schema.Routing.Tables[table]
				if p.Column == "" {
					continue
				}
				rows, err := removeOthers(ctx, conn, schema.Name+"."+table, p)
				if err != nil {
					return fmt.Errorf("%s.%s: %w", schema.Name, table, err)
				}
				report(Removed{n, schema.Name + "." + table, rows})
			}
			for _, statement := range schema.Routing.Halved {
				if _, err := conn.Exec(ctx, statement); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func removeOthers(ctx context.Context, conn *pgx.Conn, table string, p Placement) (int64, error) {
	other, err := otherShard(ctx, conn, table, "t", "p", p)
	if err != nil {
		return 0, err
	}
	tag, err := conn.Exec(ctx, fmt.Sprintf("delete from %s t using shard.place p where %s", table, other))
	return tag.RowsAffected(), err
}
