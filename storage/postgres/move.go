package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pseudods/pseudods/storage/move"
)

//go:embed moves
var moveFiles embed.FS

// MoveSchema is what [OpenMove] needs in the database. Open looks into it.
var MoveSchema = Schema{Name: "move", Migrations: moveFiles, Routing: Routing{
	Functions: map[string]Route{"in_move": OnAll("select bool_or(r) from ROWS r")},
	Tables:    map[string]Placement{"store": {Copied: true}, "state": {Copied: true}},
}}

var (
	// ErrMoving: stores are being moved into the database, and no server may use it
	// until that has ended.
	ErrMoving = errors.New("postgres: a move into the database has not ended")
	// ErrUsed: stores cannot be moved into a database that has been used.
	ErrUsed = errors.New("postgres: the database is not empty")
	// ErrInUse: somebody else is connected to the database: a server, or who moves
	// stores into it.
	ErrInUse = errors.New("postgres: somebody else is connected to the database")
)

func has(schemas []Schema, s Schema) bool {
	return slices.ContainsFunc(schemas, func(o Schema) bool { return o.Name == s.Name })
}

// checkMove refuses a database into which something is being moved.
func (db *DB) checkMove(ctx context.Context, schemas []Schema) error {
	if !has(schemas, MoveSchema) {
		return nil
	}
	var moving bool
	err := db.Read(ctx, "select move.in_move()", nil, One(&moving))
	if err == nil && moving {
		err = ErrMoving
	}
	return err
}

// Witness is the fence of a store that was moved: with it the process that had the
// store goes on here, and finds when this database, or the store, is put back.
type Witness struct {
	ID     [16]byte
	Number uint64
}

// Move is a move of stores into an empty database. Its owner carries it out, on one
// connection; while it lasts no server opens the database, and after it was cut
// short neither, until it has ended.
type Move struct {
	conn     *pgx.Conn
	tables   []Table
	schemas  []Schema
	ended    bool
	prepared map[string]bool
}

var _ move.Target = (*Move)(nil)

// OpenMove begins a move into the database, or goes on with it. The database must
// have the schemas, [MoveSchema] among them, and nothing in them: else it fails with
// [ErrVersion], [ErrUsed] or [ErrInUse].
func OpenMove(ctx context.Context, cfg Config, tables []Table, schemas ...Schema) (m *Move, err error) {
	p, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	delete(p.ConnConfig.RuntimeParams, "statement_timeout") // large tables take their time
	conn, err := pgx.ConnectConfig(ctx, p.ConnConfig)
	if err != nil {
		return nil, describe(judge(err, false).kind, err)
	}
	m = &Move{conn: conn, tables: tables, schemas: schemas, prepared: map[string]bool{}}
	if err := m.begin(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close ends the connection, and not the move.
func (m *Move) Close() error { return m.conn.Close(context.Background()) }

// Ended reports whether the move has ended, by an earlier [Move.End].
func (m *Move) Ended() bool { return m.ended }

// failed makes an error of this package of a server's. Owners see no more of it than
// a server does: rows are users' values.
func failed(err error) error {
	if err == nil || errors.Is(err, ErrUsed) || errors.Is(err, ErrInUse) || errors.Is(err, ErrVersion) {
		return err
	}
	return describe(judge(err, false).kind, err)
}

// begin marks the database before it looks whether a server is connected: one that
// comes later sees the mark.
func (m *Move) begin(ctx context.Context) error {
	if err := m.await(ctx, fmt.Sprintf("select pg_try_advisory_lock(%d)", int64(migrationLock))); err != nil {
		return err
	}
	for _, s := range m.schemas {
		if err := m.version(ctx, s); err != nil {
			return err
		}
	}
	var begun bool
	err := m.conn.QueryRow(ctx, "select exists (select from move.state), exists (select from move.state where ended)").Scan(&begun, &m.ended)
	if err != nil || m.ended {
		return failed(err)
	}
	if !begun {
		if err := m.empty(ctx); err != nil {
			return err
		}
		if _, err := m.conn.Exec(ctx, "insert into move.state default values"); err != nil {
			return failed(err)
		}
	}
	err = m.alone(ctx)
	if err != nil && !begun {
		_, undo := m.conn.Exec(ctx, "delete from move.state")
		err = errors.Join(err, failed(undo))
	}
	return err
}

func (m *Move) version(ctx context.Context, s Schema) error {
	var got int
	err := m.conn.QueryRow(ctx, "select "+s.Name+".schema_version()").Scan(&got)
	if err != nil {
		return s.judgeVersion(0, failed(err))
	}
	return s.judgeVersion(got, nil)
}

// empty looks for rows in the tables, and for servers that ever used the database.
func (m *Move) empty(ctx context.Context) error {
	var names []string
	if has(m.schemas, FenceSchema) {
		names = append(names, "fence.witness")
	}
	for _, t := range m.tables {
		names = append(names, t.Name)
	}
	for _, name := range names {
		var used bool
		if err := m.conn.QueryRow(ctx, "select exists (select from "+name+")").Scan(&used); err != nil {
			return failed(err)
		}
		if used {
			return ErrUsed
		}
	}
	return nil
}

// alone looks for connections of those who may call the functions of a server.
func (m *Move) alone(ctx context.Context) error {
	return m.await(ctx, `select not exists (select from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
	where a.datname = current_database() and a.pid <> pg_backend_pid() and not r.rolsuper and has_schema_privilege(r.oid, 'move', 'usage'))`)
}

// patience is how long a connection may take to end whose process has: the server
// may be in the middle of its last statement.
const patience = 5 * time.Second

// await waits for a query to give true.
func (m *Move) await(ctx context.Context, query string) error {
	for end := time.Now().Add(patience); ; {
		var ok bool
		if err := m.conn.QueryRow(ctx, query).Scan(&ok); err != nil || ok {
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

// Restart empties the tables of a move that has not ended, to begin it anew.
func (m *Move) Restart(ctx context.Context) error {
	if m.ended {
		return ErrUsed
	}
	m.prepared = map[string]bool{}
	return failed(pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		for _, t := range m.tables {
			partitions, err := m.partitions(ctx, tx, t)
			if err != nil {
				return err
			}
			for _, p := range partitions {
				if _, err := tx.Exec(ctx, "drop table "+p); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, "truncate "+t.Name); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "delete from move.store")
		return err
	}))
}

func (m *Move) partitions(ctx context.Context, tx pgx.Tx, t Table) ([]string, error) {
	rows, err := tx.Query(ctx, "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass", t.Name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// State implements [move.Target].
func (m *Move) State(ctx context.Context, store string) ([]byte, error) {
	var state string
	err := m.conn.QueryRow(ctx, "select state from move.store where name = $1", store).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return []byte(state), failed(err)
}

// Load implements [move.Target].
func (m *Move) Load(ctx context.Context, store string, state []byte, rows []move.Row) error {
	by := map[string][][]any{}
	statements := []string{}
	for i := range rows {
		r := &rows[i]
		by[r.Table] = append(by[r.Table], r.Values)
		t := m.table(r.Table)
		if t == nil {
			return fmt.Errorf("%w: no table %s", ErrRefused, r.Table)
		}
		if t.Prepare == nil {
			continue
		}
		if s := t.Prepare(r.Values); s != "" && !m.prepared[s] && !slices.Contains(statements, s) {
			statements = append(statements, s)
		}
	}
	err := pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		for _, t := range m.tables {
			if len(by[t.Name]) == 0 {
				continue
			}
			if _, err := tx.CopyFrom(ctx, t.split(), t.Columns, pgx.CopyFromRows(by[t.Name])); err != nil {
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
		m.prepared[s] = true
	}
	return nil
}

func (m *Move) table(name string) *Table {
	i := slices.IndexFunc(m.tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &m.tables[i]
}

// Digest implements [move.Target].
func (m *Move) Digest(ctx context.Context, table string) (d move.Digest, err error) {
	t := m.table(table)
	if t == nil {
		return d, fmt.Errorf("%w: no table %s", ErrRefused, table)
	}
	rows, err := m.conn.Query(ctx, "select "+t.columns()+" from "+t.Name)
	if err != nil {
		return d, failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err == nil {
			err = d.Add(values)
		}
		if err != nil {
			return d, err
		}
	}
	return d, failed(rows.Err())
}

// End gives the database to servers. If it has [FenceSchema], the fences of what
// was moved are witnesses of it from now on, and restores is how often it counts as
// replaced by an older copy.
func (m *Move) End(ctx context.Context, restores uint32, witnesses ...Witness) error {
	for _, t := range m.tables { // so that the first calls are planned well
		if _, err := m.conn.Exec(ctx, "analyze "+t.Name); err != nil {
			return failed(err)
		}
	}
	err := pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		for _, t := range m.tables {
			if t.Finish == "" {
				continue
			}
			if _, err := tx.Exec(ctx, t.Finish); err != nil {
				return err
			}
		}
		if has(m.schemas, FenceSchema) {
			if err := admit(ctx, tx, restores, witnesses); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "update move.state set ended = true")
		return err
	})
	m.ended = err == nil
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
