package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// function is what the catalogue says of one.
type function struct {
	name, arguments, result string // as CREATE FUNCTION takes them
	inputs                  []argument
}

type argument struct{ name, kind string }

// passed are the inputs as the arguments of a call.
func (f *function) passed() string {
	list := make([]string, len(f.inputs))
	for i := range list {
		list[i] = fmt.Sprint("$", i+1)
	}
	return strings.Join(list, ", ")
}

// catalogue returns the functions of a schema, but for those that every schema has.
func catalogue(ctx context.Context, conn *pgx.Conn, schema string) ([]function, error) {
	rows, err := conn.Query(ctx, `select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
	array(select coalesce(a.name, '') from unnest(p.proargnames, p.proargmodes::text[]) with ordinality a (name, mode, n) where coalesce(a.mode, 'i') = 'i' order by n),
	array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, n) order by n)
	from pg_proc p join pg_namespace n on n.oid = p.pronamespace
	where n.nspname = $1 and p.proname not in ('schema_version', 'standbys') order by 1, 2`, schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (f function, err error) {
		var names, kinds []string
		if err := r.Scan(&f.name, &f.arguments, &f.result, &names, &kinds); err != nil {
			return f, err
		}
		for i, kind := range kinds {
			a := argument{kind: kind}
			if i < len(names) {
				a.name = names[i]
			}
			f.inputs = append(f.inputs, a)
		}
		return f, nil
	})
}

// checkTables compares the tables of a schema with those that are declared.
func checkTables(ctx context.Context, conn *pgx.Conn, s Schema) error {
	rows, err := conn.Query(ctx, `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migration'`, s.Name)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, ok := s.Routing.Tables[t]; !ok {
			return fmt.Errorf("%w: no shard is declared for the rows of %s.%s", ErrRoute, s.Name, t)
		}
	}
	for t := range s.Routing.Tables {
		if !slices.Contains(tables, t) {
			return fmt.Errorf("%w: %s.%s is declared and not there", ErrRoute, s.Name, t)
		}
	}
	return nil
}
