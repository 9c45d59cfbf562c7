package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// RouterScript returns the statements that make a database the router of shards
// that [MigrateShards] set up: PL/Proxy functions of the same names, arguments and
// results as the shards', made from their catalogue and the schemas' [Routing]. Each
// is a call of the shards' login, for which the router's own login needs nothing but
// the right to execute the function.
//
// The text is for psql, as a superuser of the router's database, in one transaction.
// It replaces what an earlier one made. It can hold the password of the login. An
// error for which [ErrRoute] holds says what is not declared, one for [ErrVersion] or
// [ErrConfig] which shard is not what it should be.
func RouterScript(ctx context.Context, s Sharding, schemas ...Schema) (string, error) {
	if err := s.validate(); err != nil {
		return "", err
	}
	w := &routerScript{Sharding: s}
	var whole []byte
	catalogues := make([][]function, len(schemas))
	err := s.eachShard(ctx, func(n int, conn *pgx.Conn) error {
		p, err := placeOf(ctx, conn)
		if err != nil || p == nil {
			return fmt.Errorf("%w: nobody told it which one it is", ErrConfig)
		}
		if n == 0 {
			whole = p.whole
		}
		if err := p.check(place{whole, n, len(s.Shards)}); err != nil {
			return err
		}
		for i, schema := range schemas {
			var at int
			if err := conn.QueryRow(ctx, "select "+schema.Name+".schema_version()").Scan(&at); err != nil || at != len(schema.migrations()) {
				return fmt.Errorf("%w: %s is at %d, this program needs %d", ErrVersion, schema.Name, at, len(schema.migrations()))
			}
			if n == 0 {
				if catalogues[i], err = catalogue(ctx, conn, schema.Name); err != nil {
					return err
				}
				if err := checkTables(ctx, conn, schema); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if err := w.begin(whole, schemas); err != nil {
		return "", err
	}
	for i, schema := range schemas {
		if err := w.schema(schema, catalogues[i]); err != nil {
			return "", err
		}
	}
	w.end(schemas)
	return w.String(), nil
}

type routerScript struct {
	Sharding
	strings.Builder
}

// say adds a statement. NAMES in capitals are replaced.
func (w *routerScript) say(text string, names ...string) {
	names = append(names, "LOGIN", w.Login, "ROUTER", w.router())
	strings.NewReplacer(names...).WriteString(&w.Builder, text+"\n")
}

// literal quotes a string for SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// shardOptions are those of the router's sessions at a shard, unless its connection
// string says otherwise. A host that is silent is given up, and the next one tried.
// Each call has the client's statement timeout; what is left over of one ends by
// that which is here.
const shardOptions = `target_session_attrs=read-write tcp_user_timeout=3000 application_name=pseudods-router options='-c default_transaction_isolation=read\\ committed -c jit=off -c statement_timeout=60000' `

func (w *routerScript) begin(whole []byte, schemas []Schema) error {
	w.say(`-- Run by a superuser in the router's database: psql -X -1 -v ON_ERROR_STOP=1 -d NAME
set client_min_messages = warning;
create extension if not exists plproxy;
do $$ begin
	if not exists (select from pg_roles where rolname = 'LOGIN') then
		create role LOGIN login nosuperuser nocreatedb nocreaterole noinherit;
	end if;
	if not exists (select from pg_roles where rolname = 'ROUTER') then
		create role ROUTER nologin nosuperuser nocreatedb nocreaterole noinherit;
	end if;
	execute format('revoke all on database %I from public', current_database());
	execute format('grant connect on database %I to LOGIN', current_database());
end $$;
revoke all on schema public from public;
drop server if exists shards cascade;
drop schema if exists router cascade;`)
	w.say("create server shards foreign data wrapper plproxy options (connection_lifetime '1800'")
	for i, to := range w.Shards {
		fmt.Fprintf(w, "\t, p%d %s\n", i, literal(shardOptions+to))
	}
	password := ""
	if w.PasswordFile != "" {
		b, err := os.ReadFile(w.PasswordFile)
		if err != nil {
			return err
		}
		password = ", password " + literal(strings.TrimSpace(string(b)))
	}
	w.say(`);
create user mapping for ROUTER server shards options (user 'LOGIN'PASSWORD);
grant usage on foreign server shards to ROUTER;
create schema router;
create function router.place_of(key bytea, first integer) returns integer language sql immutable strict
	as 'select get_byte(key, first) | (get_byte(key, first + 1) << 8)';
create function router.place_of(key uuid, first integer) returns integer language sql immutable strict
	as 'select router.place_of(uuid_send(key), first)';
create function router.whole(out whole bytea, out count integer) language sql immutable
	as 'select ''\xWHOLE''::bytea, COUNT';
create function router.state(part integer, schemas text[])
	returns table (whole bytea, number integer, count integer, versions integer[], commit text, fsync text, pages text, names text,
		unlogged bigint, streaming bigint, asynchronous bigint)
	language plproxy security definer as $$ cluster 'shards'; run on $1; target shard.state; $$;`,
		"PASSWORD", password, "WHOLE", fmt.Sprintf("%x", whole), "COUNT", fmt.Sprint(len(w.Shards)))
	for _, s := range schemas {
		w.say(`drop schema if exists SCHEMA cascade;
create schema SCHEMA;
create function SCHEMA.schema_version() returns integer language sql immutable as 'select VERSION';`, "SCHEMA", s.Name, "VERSION", fmt.Sprint(len(s.migrations())))
	}
	return nil
}

// schema adds the functions of a schema.
func (w *routerScript) schema(s Schema, all []function) error {
	for name := range s.Routing.Functions {
		if !slices.ContainsFunc(all, func(f function) bool { return f.name == name }) {
			return fmt.Errorf("%w: %s.%s is declared and not there", ErrRoute, s.Name, name)
		}
	}
	for i, f := range all {
		r := s.Routing.Functions[f.name]
		switch {
		case !r.valid():
			return fmt.Errorf("%w: of %s.%s", ErrRoute, s.Name, f.name)
		case i > 0 && f.name == all[i-1].name:
			return fmt.Errorf("%w: two functions %s.%s", ErrRoute, s.Name, f.name)
		case r.Internal:
			continue
		}
		if err := w.function(s.Name, f, r); err != nil {
			return fmt.Errorf("%w: %s.%s: %w", ErrRoute, s.Name, f.name, err)
		}
	}
	return nil
}

func (w *routerScript) function(schema string, f function, r Route) error {
	names := []string{"SCHEMA", schema, "NAME", f.name, "ARGUMENTS", f.arguments, "RESULT", f.result}
	add := func(run string) {
		w.say("create function SCHEMA.NAME(ARGUMENTS) returns RESULT language plproxy security definer\n\tas $$ cluster 'shards'; "+run+" $$;", names...)
	}
	switch {
	case r.Part:
		if len(f.inputs) == 0 || f.inputs[0].kind != "integer" {
			return fmt.Errorf("the first argument is no number of a shard")
		}
		add("run on $1;")
	case r.First:
		add("run on 0;")
	case r.All && r.Merge == "" && f.result != "void":
		return fmt.Errorf("many answers, and nothing that makes one of them")
	case r.All:
		rows, one, merge := strings.TrimPrefix(f.result, "SETOF "), "", r.Merge
		if f.result == "void" {
			rows, one = "integer", fmt.Sprintf("select 1 as one from %s.%s(%s);", schema, f.name, f.passed())
			merge = "select from ROWS"
		}
		if !strings.HasPrefix(rows, "TABLE") {
			rows = "setof " + rows
		}
		w.say("create function router.SCHEMA_NAME(ARGUMENTS) returns ALLROWS language plproxy security definer\n\tas $$ cluster 'shards'; run on all; TARGET $$;",
			"ALLROWS", rows, "ARGUMENTS", f.arguments, "SCHEMA", schema, "NAME", f.name, "TARGET", either(one, "target "+schema+"."+f.name+";"))
		w.say("create function SCHEMA.NAME(ARGUMENTS) returns RESULT language sql security definer\n\tas $$ MERGE $$;",
			append(names, "MERGE", strings.ReplaceAll(merge, "ROWS", fmt.Sprintf("router.%s_%s(%s)", schema, f.name, f.passed())))...)
	default:
		key := slices.IndexFunc(f.inputs, func(a argument) bool { return a.name == r.Key })
		if key < 0 {
			return fmt.Errorf("no argument %s", r.Key)
		}
		split := ""
		switch f.inputs[key].kind {
		case "bytea", "uuid":
		case "bytea[]", "uuid[]":
			var arrays []string
			for _, a := range f.inputs {
				if strings.HasSuffix(a.kind, "[]") {
					arrays = append(arrays, a.name)
				}
			}
			split = "split " + strings.Join(arrays, ", ") + "; "
		default:
			return fmt.Errorf("%s is no key", r.Key)
		}
		add(fmt.Sprintf("%srun on router.place_of($%d, %d);", split, key+1, r.Octet))
	}
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// end gives all of it to who may use it.
func (w *routerScript) end(schemas []Schema) {
	list := []string{"'router'"}
	for _, s := range schemas {
		list = append(list, literal(s.Name))
	}
	w.say(`do $$ declare
	f regprocedure;
begin
	for f in select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in (SCHEMAS) loop
		execute format('alter function %s owner to ROUTER', f);
		execute format('revoke all on function %s from public', f);
	end loop;
end $$;
grant usage on schema router to ROUTER, LOGIN;
grant execute on function router.whole, router.state to LOGIN;`, "SCHEMAS", strings.Join(list, ", "))
	for _, s := range schemas {
		w.say("grant usage on schema SCHEMA to ROUTER, LOGIN;\ngrant execute on all functions in schema SCHEMA to LOGIN;", "SCHEMA", s.Name)
	}
}
