package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tableName finds the table in a FROM clause.
var tableName = regexp.MustCompile(`\b([a-z_]+)\.([a-z_]+)\b`)

// placed returns the table of a kind of rows, and the column with the key that says
// which shard has a row of it; an empty one if every shard has rows of its own.
func (k *Kind) placed(schemas []Schema) (table string, p Placement) {
	m := tableName.FindStringSubmatch(k.From)
	if m == nil {
		return "", p
	}
	for _, s := range schemas {
		if s.Name == m[1] {
			p = s.Routing.Tables[m[2]]
		}
	}
	return m[0], p
}

// checkPlaced fails with [ErrRoute] if no walk looks at a table whose rows have each a
// shard: a row in the wrong one would not be found.
func checkPlaced(walks []Walk, schemas []Schema) error {
	var tables []string
	for _, s := range schemas {
		for t, p := range s.Routing.Tables {
			if p.Column != "" {
				tables = append(tables, s.Name+"."+t)
			}
		}
	}
	for _, w := range walks {
		for _, k := range w.Kinds {
			table, _ := k.placed(schemas)
			tables = slices.DeleteFunc(tables, func(t string) bool { return t == table })
		}
	}
	if len(tables) > 0 {
		return fmt.Errorf("%w: nothing checks where rows of %s are", ErrRoute, slices.Min(tables))
	}
	return nil
}

// misplaced returns the questions of a walk for rows that another shard should have.
// The database is one of several shards.
func (i *inspection) misplaced(ctx context.Context, w *Walk, schemas []Schema) (all []Problem, err error) {
	for _, k := range w.Kinds {
		table, p := k.placed(schemas)
		if p.Column == "" {
			continue
		}
		alias, _, _ := strings.Cut(k.Key, ".")
		other, err := otherShard(ctx, i.conn, table, alias, "place", p)
		if errors.Is(err, ErrRoute) {
			return nil, err
		} else if err != nil {
			return nil, i.fail(ctx, err)
		}
		all = append(all, Problem{Kind: k.Name, Text: "in the wrong shard",
			Rows: fmt.Sprintf("select from %s cross join shard.place place where @(%s) and %s", k.From, k.Key, other)})
	}
	return all, nil
}

// otherShard is the condition that the key of a row of a table, by its alias, is that of
// another shard than the row of shard.place by the alias place says. A key that is too
// short to tell is of none.
func otherShard(ctx context.Context, conn *pgx.Conn, table, alias, place string, p Placement) (string, error) {
	var kind string
	err := conn.QueryRow(ctx, "select format_type(atttypid, null) from pg_attribute where attrelid = $1::regclass and attname = $2", table, p.Column).Scan(&kind)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("%w: no column %s", ErrRoute, p.Column)
	} else if err != nil {
		return "", err
	}
	column := alias + "." + p.Column
	switch kind {
	case "uuid":
		column = "uuid_send(" + column + ")"
	case "bytea":
	default:
		return "", fmt.Errorf("%w: %s is no key", ErrRoute, p.Column)
	}
	return fmt.Sprintf("case when octet_length(%[1]s) > %[2]d then shard.place_of(%[1]s, %[3]d) & (%[4]s.count - 1) <> %[4]s.number else false end",
		column, p.Octet+1, p.Octet, place), nil
}
