package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pseudods/pseudods/storage/move"
)

// target is one database of a move: the whole, or a shard. Its calls wait for each
// other.
type target struct {
	conn     *pgx.Conn
	number   int // of the shard
	tables   []Table
	schemas  []Schema
	begun    bool
	ended    bool
	prepared map[string]bool
	loaded   map[string]uint64 // how many records of a store are in it, as State found
}

// connectTarget signs in as the owner, and keeps other owners out.
func connectTarget(ctx context.Context, cfg Config, number int, tables []Table, schemas []Schema) (t *target, err error) {
	p, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	delete(p.ConnConfig.RuntimeParams, "statement_timeout") // large tables take their time
	conn, err := pgx.ConnectConfig(ctx, p.ConnConfig)
	if err != nil {
		return nil, describe(judge(err, false).kind, err)
	}
	t = &target{conn: conn, number: number, tables: tables, schemas: schemas, prepared: map[string]bool{}, loaded: map[string]uint64{}}
	if err := t.look(ctx); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *target) close() error { return t.conn.Close(context.Background()) }

// look says how far a move is.
func (t *target) look(ctx context.Context) error {
	if err := await(ctx, t.conn, fmt.Sprintf("select pg_try_advisory_lock(%d)", int64(migrationLock))); err != nil {
		return err
	}
	for _, s := range t.schemas {
		if err := t.version(ctx, s); err != nil {
			return err
		}
	}
	return failed(t.conn.QueryRow(ctx, "select exists (select from move.state), exists (select from move.state where ended)").Scan(&t.begun, &t.ended))
}

// place returns which shard the database was told that it is, or nil.
func (t *target) place(ctx context.Context) (*place, error) {
	var told bool
	if err := t.conn.QueryRow(ctx, "select to_regclass('shard.place') is not null").Scan(&told); err != nil || !told {
		return nil, failed(err)
	}
	p, err := placeOf(ctx, t.conn)
	return p, failed(err)
}

// mark marks the database, so that no server opens it.
func (t *target) mark(ctx context.Context) error {
	_, err := t.conn.Exec(ctx, "insert into move.state default values")
	return failed(err)
}

func (t *target) unmark(ctx context.Context) error {
	_, err := t.conn.Exec(ctx, "delete from move.state")
	return failed(err)
}

func (t *target) version(ctx context.Context, s Schema) error {
	var got int
	err := t.conn.QueryRow(ctx, "select "+s.Name+".schema_version()").Scan(&got)
	if err != nil {
		return s.judgeVersion(0, failed(err))
	}
	return s.judgeVersion(got, nil)
}

// empty looks for rows in the tables, and for servers that ever used the database.
func (t *target) empty(ctx context.Context) error {
	var names []string
	if has(t.schemas, FenceSchema) {
		names = append(names, "fence.witness")
	}
	for _, table := range t.tables {
		names = append(names, table.Name)
	}
	for _, name := range names {
		var used bool
		if err := t.conn.QueryRow(ctx, "select exists (select from "+name+")").Scan(&used); err != nil {
			return failed(err)
		}
		if used {
			return ErrUsed
		}
	}
	return nil
}

// alone waits until nobody is connected who may call the functions of a schema of
// servers.
func alone(ctx context.Context, conn *pgx.Conn, schema string) error {
	return await(ctx, conn, fmt.Sprintf(`select not exists (select from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
	where a.datname = current_database() and a.pid <> pg_backend_pid() and not r.rolsuper and has_schema_privilege(r.oid, '%s', 'usage'))`, schema))
}

// patience is how long a connection may take to end whose process has: the server
// may be in the middle of its last statement.
const patience = 5 * time.Second

// await waits for a query to give true.
func await(ctx context.Context, conn *pgx.Conn, query string) error {
	for end := time.Now().Add(patience); ; {
		var ok bool
		if err := conn.QueryRow(ctx, query).Scan(&ok); err != nil || ok {
			return failed(err)
		}
		if time.Now().After(end) {
			return ErrInUse
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// restart empties the tables.
func (t *target) restart(ctx context.Context) error {
	t.prepared, t.loaded = map[string]bool{}, map[string]uint64{}
	return failed(pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		for _, table := range t.tables {
			partitions, err := t.partitions(ctx, tx, table)
			if err != nil {
				return err
			}
			for _, p := range partitions {
				if _, err := tx.Exec(ctx, "drop table "+p); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, "truncate "+table.Name); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "delete from move.store")
		return err
	}))
}

func (*target) partitions(ctx context.Context, tx pgx.Tx, t Table) ([]string, error) {
	rows, err := tx.Query(ctx, "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass", t.Name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (t *target) state(ctx context.Context, store string) ([]byte, error) {
	var state string
	err := t.conn.QueryRow(ctx, "select state from move.store where name = $1", store).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return []byte(state), failed(err)
}

// load adds those rows that are not there, with the state that has so many records.
func (t *target) load(ctx context.Context, store string, state []byte, records uint64, rows []move.Row) error {
	by := map[string][][]any{}
	statements := []string{}
	for i := range rows {
		r := &rows[i]
		if r.Record != 0 && r.Record <= t.loaded[store] {
			continue
		}
		by[r.Table] = append(by[r.Table], r.Values)
		table := find(t.tables, r.Table)
		if table.Prepare == nil {
			continue
		}
		if s := table.Prepare(r.Values); s != "" && !t.prepared[s] && !slices.Contains(statements, s) {
			statements = append(statements, s)
		}
	}
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		for _, table := range t.tables {
			if len(by[table.Name]) == 0 {
				continue
			}
			if _, err := tx.CopyFrom(ctx, table.split(), table.Columns, pgx.CopyFromRows(by[table.Name])); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "insert into move.store (name, state) values ($1, $2) on conflict (name) do update set state = excluded.state", store, string(state))
		return err
	})
	if err != nil {
		return failed(err)
	}
	for _, s := range statements {
		t.prepared[s] = true
	}
	t.loaded[store] = records
	return nil
}

// each calls f with the rows of a table.
func (t *target) each(ctx context.Context, table *Table, f func(values []any) error) error {
	rows, err := t.conn.Query(ctx, "select "+table.columns()+" from "+table.Name)
	if err != nil {
		return failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err == nil {
			err = f(values)
		}
		if err != nil {
			return err
		}
	}
	return failed(rows.Err())
}

// end gives the database to servers.
func (t *target) end(ctx context.Context, restores uint32, witnesses []Witness) error {
	for _, table := range t.tables { // so that the first calls are planned well
		if _, err := t.conn.Exec(ctx, "analyze "+table.Name); err != nil {
			return failed(err)
		}
	}
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		for _, table := range t.tables {
			if table.Finish == "" {
				continue
			}
			if _, err := tx.Exec(ctx, table.Finish); err != nil {
				return err
			}
		}
		if has(t.schemas, FenceSchema) {
			if err := admit(ctx, tx, restores, witnesses); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "update move.state set ended = true")
		return err
	})
	t.ended = err == nil
	return failed(err)
}

// admit makes fences known in a database that has none.
func admit(ctx context.Context, tx pgx.Tx, restores uint32, witnesses []Witness) error {
	var used bool
	if err := tx.QueryRow(ctx, "select exists (select from fence.witness)").Scan(&used); err != nil {
		return err
	}
	if used {
		return ErrUsed
	}
	for _, w := range witnesses {
		if _, err := tx.Exec(ctx, "insert into fence.witness (id, number) values ($1, $2)", w.ID[:], int64(w.Number)); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "update fence.lineage set restores = $1", int64(restores))
	return err
}
