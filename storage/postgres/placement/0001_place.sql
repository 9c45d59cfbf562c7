-- One row: which shard of which whole this database is. It is set once, and
-- changed by a split alone.
create table place (
	one boolean primary key default true check (one),
	whole bytea not null, -- random, the same in all shards of a whole
	number integer not null,
	count integer not null check (count > 0 and count & (count - 1) = 0 and number >= 0 and number < count)
);

create function identity() returns table (whole bytea, number integer, count integer)
	language sql stable security definer
	set search_path = shard, pg_temp
	as 'select p.whole, p.number, p.count from place p';

-- The number of a key's shard is the lowest bits of this.
create function place_of(key bytea, first integer) returns integer
	language sql immutable strict parallel safe
	as 'select get_byte(key, first) | (get_byte(key, first + 1) << 8)';

-- What a program must know of a shard before it uses it, through a router that was
-- asked for the shard of that number: what it is, the versions of schemas, 0 for one
-- that is missing, and what the database may lose.
create function state(part integer, schemas text[])
	returns table (whole bytea, number integer, count integer, versions integer[], commit text, fsync text, pages text, names text,
		unlogged bigint, streaming bigint, asynchronous bigint)
	language plpgsql stable security definer
	set search_path = pg_catalog, pg_temp as $$
declare
	name text;
	version integer;
begin
	select i.whole, i.number, i.count into state.whole, state.number, state.count from shard.identity() i;
	foreach name in array schemas loop
		version := 0;
		begin
			execute format('select %I.schema_version()', name) into version;
		exception when invalid_schema_name or undefined_function then
			null;
		end;
		versions := versions || version;
	end loop;
	select current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_standby_names'),
		(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relpersistence = 'u' and n.nspname = any(schemas)),
		s.streaming, s.asynchronous
	into state.commit, state.fsync, state.pages, state.names, state.unlogged, state.streaming, state.asynchronous
	from shard.standbys() s;
	return next;
end $$;
