package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Schema is what a driver keeps in a database: an SQL schema of that name.
type Schema struct {
	Name string
	// Migrations holds, in whatever directory, files NNNN_what.sql, numbered from 1
	// without a gap. Each is applied in one transaction with the schema as search path.
	// A file that was released must not change any more.
	Migrations fs.FS
	// Routing is for databases that are sharded.
	Routing Routing
}

type migration struct {
	version int
	sql     string
}

var (
	migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)
	identifier    = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
)

// migrations returns the files in order. A wrong one is a programming error.
func (s Schema) migrations() (out []migration) {
	if !identifier.MatchString(s.Name) {
		panic("postgres: name of a schema")
	}
	err := fs.WalkDir(s.Migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		m := migrationName.FindStringSubmatch(d.Name())
		if m == nil {
			return fmt.Errorf("%s is no migration", path)
		}
		text, err := fs.ReadFile(s.Migrations, path)
		if err != nil {
			return err
		}
		version, _ := strconv.Atoi(m[1])
		out = append(out, migration{version, string(text)})
		return nil
	})
	slices.SortFunc(out, func(a, b migration) int { return a.version - b.version })
	for i, m := range out {
		if m.version != i+1 && err == nil {
			err = errors.New("numbers of migrations have a gap")
		}
	}
	if err == nil && len(out) == 0 {
		err = errors.New("no migrations")
	}
	if err != nil {
		panic("postgres: schema " + s.Name + ": " + err.Error())
	}
	return out
}

// checkVersion compares the schema in the database with this program's.
func (db *DB) checkVersion(ctx context.Context, s Schema) error {
	var got int
	err := db.Read(ctx, "select "+s.Name+".schema_version()", nil, One(&got))
	return s.judgeVersion(got, err)
}

// judgeVersion says whether the schema is of this program's version, by what
// schema_version returned.
func (s Schema) judgeVersion(got int, err error) error {
	switch code := Code(err); {
	case code == "3F000", code == "42883": // no such schema, no such function
		return fmt.Errorf("%w: %s is not set up", ErrVersion, s.Name)
	case err != nil:
		return err
	case got != len(s.migrations()):
		return fmt.Errorf("%w: %s is at %d, this program needs %d", ErrVersion, s.Name, got, len(s.migrations()))
	}
	return nil
}

// migrationLock keeps two owners from migrating one database at once.
const migrationLock = 0x70736575646f6473 // "pseudods"

// Migrate brings schemas to this program's versions, as their owner: it makes
// those that are missing, and refuses newer ones with [ErrVersion]. Nobody but
// the owner may then use them; see [Grant]. It may be repeated, and goes on where
// it was cut short.
func Migrate(ctx context.Context, cfg Config, schemas ...Schema) error {
	for _, s := range schemas {
		s.migrations() // panics before anything is done
	}
	return asOwner(ctx, cfg, func(conn *pgx.Conn) error {
		for _, s := range schemas {
			if err := migrate(ctx, conn, s); err != nil {
				return fmt.Errorf("schema %s: %w", s.Name, err)
			}
		}
		return nil
	})
}

// asOwner runs f on a connection of its own, under the migration lock.
func asOwner(ctx context.Context, cfg Config, f func(*pgx.Conn) error) error {
	p, err := cfg.pool()
	if err != nil {
		return err
	}
	delete(p.ConnConfig.RuntimeParams, "statement_timeout") // large tables take their time
	conn, err := pgx.ConnectConfig(ctx, p.ConnConfig)
	if err != nil {
		return describe(judge(err, false).kind, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which unlocks
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return describe(judge(err, true).kind, err)
	}
	err = f(conn)
	if err == nil || errors.Is(err, ErrVersion) || errors.Is(err, ErrConfig) || errors.Is(err, ErrRoute) || errors.Is(err, ErrInUse) {
		return err
	}
	// An owner at work sees the server's own words: there are no users' values in
	// definitions.
	return fmt.Errorf("%w: %w", judge(err, true).kind, err)
}

func migrate(ctx context.Context, conn *pgx.Conn, s Schema) error {
	_, err := conn.Exec(ctx, fmt.Sprintf(`
create schema if not exists %[1]s;
revoke all on schema %[1]s from public;
create table if not exists %[1]s.migration (version integer primary key);
create or replace function %[1]s.schema_version() returns integer
	language sql stable security definer set search_path = %[1]s, pg_temp
	as 'select coalesce(max(version), 0) from migration';
create or replace function %[1]s.standbys(out streaming bigint, out asynchronous bigint)
	language sql stable security definer set search_path = pg_catalog, pg_temp
	as $$ select count(*), count(*) filter (where coalesce(sync_state, 'async') = 'async')
	from pg_stat_replication where state is distinct from 'backup' $$;`, s.Name))
	if err != nil {
		return err
	}
	var at int
	if err := conn.QueryRow(ctx, "select "+s.Name+".schema_version()").Scan(&at); err != nil {
		return err
	}
	all := s.migrations()
	if at > len(all) {
		return fmt.Errorf("%w: it is at %d, this program knows %d", ErrVersion, at, len(all))
	}
	for _, m := range all[at:] {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "set local search_path = "+s.Name+", pg_temp")
			if err == nil {
				_, err = tx.Exec(ctx, m.sql)
			}
			if err == nil {
				_, err = tx.Exec(ctx, "insert into "+s.Name+".migration values ($1)", m.version)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %d: %w", m.version, err)
		}
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`revoke all on all tables in schema %[1]s from public;
revoke all on all functions in schema %[1]s from public;`, s.Name))
	return err
}

// Grant lets a login call the functions of schemas, and nothing else in them.
func Grant(ctx context.Context, cfg Config, login string, schemas ...Schema) error {
	if !identifier.MatchString(login) {
		return fmt.Errorf("%w: %q as a login", ErrConfig, login)
	}
	return asOwner(ctx, cfg, func(conn *pgx.Conn) error {
		for _, s := range schemas {
			_, err := conn.Exec(ctx, fmt.Sprintf(`grant usage on schema %[1]s to %[2]s;
grant execute on all functions in schema %[1]s to %[2]s;`, s.Name, login))
			if err != nil {
				return fmt.Errorf("schema %s: %w", s.Name, err)
			}
		}
		return nil
	})
}
