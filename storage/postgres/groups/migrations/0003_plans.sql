-- read, oldest and done as before, in PL/pgSQL: a session keeps what it planned for
-- these, and plans a function in SQL anew with each call. One plan fits all calls.

create or replace function read(id bytea, keys bytea[], prefixes integer[])
	returns table (ordinal integer, key bytea, value bytea, version bigint, sequence bigint)
	language plpgsql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	return query
	select 0, null::bytea, null::bytea, g.version, g.sequence from groups g where g.id = $1
	union all
	select l.ordinal::integer, r.key, r.value, null, null
	from unnest($2, $3) with ordinality l (key, prefix, ordinal)
	cross join lateral (
		select r.key, r.value from record r where r.id = $1 and r.key >= l.key order by r.key limit 1
	) r
	where substr(r.key, 1, l.prefix) = substr(l.key, 1, l.prefix) and (l.prefix > 0 or r.key = l.key);
end $$;

create or replace function oldest(id bytea, lane bytea) returns table (sequence bigint, content bytea)
	language plpgsql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	return query
	select p.sequence, p.content from message_part p
	where p.id = $1 and p.lane = $2 and p.sequence = (
		select o.sequence from message_part o where o.id = $1 and o.lane = $2 order by o.sequence limit 1)
	order by p.part;
end $$;

create or replace function done(id bytea, lane bytea, sequence bigint) returns void
	language plpgsql security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	delete from message_part p where p.id = $1 and p.lane = $2 and p.sequence <= $3;
end $$;

alter function commit(bytea, bigint, bytea, bytea[], bytea[], bytea[], bytea[], integer[], bytea[]) set plan_cache_mode = force_generic_plan;
