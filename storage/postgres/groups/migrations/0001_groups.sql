-- A group and its counters; version 0 is no row.
create table groups (
	id bytea primary key,
	version bigint not null check (version > 0),
	sequence bigint not null check (sequence between 0 and version),
	batch bytea not null -- names the batch that made this version
) with (fillfactor = 70);

create table record (
	id bytea,
	key bytea,
	value bytea not null,
	primary key (id, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

create table message_part (
	id bytea,
	lane bytea,
	sequence bigint,
	part integer,
	content bytea not null,
	primary key (id, lane, sequence, part)
) with (autovacuum_vacuum_scale_factor = 0.01);

-- What is sealed does not compress.
alter table record alter value set storage external;
alter table message_part alter content set storage external;

-- The first row has the counters, and is missing if there is no group. Each other
-- has the ordinal of a lookup that found something.
create function read(id bytea, keys bytea[], prefixes integer[])
	returns table (ordinal integer, key bytea, value bytea, version bigint, sequence bigint)
	language sql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off as $$
	select 0, null::bytea, null::bytea, g.version, g.sequence from groups g where g.id = $1
	union all
	select l.ordinal::integer, r.key, r.value, null, null
	from unnest($2, $3) with ordinality l (key, prefix, ordinal)
	cross join lateral (
		select r.key, r.value from record r where r.id = $1 and r.key >= l.key order by r.key limit 1
	) r
	where substr(r.key, 1, l.prefix) = substr(l.key, 1, l.prefix) and (l.prefix > 0 or r.key = l.key)
$$;

-- True if the batch is in, now or by an earlier call; false if the group is at
-- another version and the batch is not the one that made it so.
create function commit(id bytea, base bigint, batch bytea, put_keys bytea[], put_values bytea[], deletes bytea[],
		lanes bytea[], parts integer[], contents bytea[]) returns boolean
	language plpgsql security definer
	set search_path = groups, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
	more integer := case when cardinality(commit.lanes) > 0 then 1 else 0 end;
	number bigint;
begin
	if commit.base = 0 then
		insert into groups (id, version, sequence, batch) values (commit.id, 1, more, commit.batch)
			on conflict do nothing returning sequence into number;
	else
		update groups set version = version + 1, sequence = sequence + more, batch = commit.batch
			where id = commit.id and version = commit.base returning sequence into number;
	end if;
	if number is null then
		return exists (select from groups where id = commit.id and version = commit.base + 1 and batch = commit.batch);
	end if;
	insert into record (id, key, value)
		select commit.id, u.key, u.value from unnest(commit.put_keys, commit.put_values) u (key, value)
		on conflict (id, key) do update set value = excluded.value;
	delete from record where id = commit.id and key = any(commit.deletes);
	insert into message_part (id, lane, sequence, part, content)
		select commit.id, u.lane, number, u.part, u.content
		from unnest(commit.lanes, commit.parts, commit.contents) u (lane, part, content);
	return true;
end $$;

create function oldest(id bytea, lane bytea) returns table (sequence bigint, content bytea)
	language sql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off as $$
	select p.sequence, p.content from message_part p
	where p.id = $1 and p.lane = $2 and p.sequence = (
		select o.sequence from message_part o where o.id = $1 and o.lane = $2 order by o.sequence limit 1)
	order by p.part
$$;

create function done(id bytea, lane bytea, sequence bigint) returns void
	language sql security definer
	set search_path = groups, pg_temp set enable_seqscan = off as $$
	delete from message_part p where p.id = $1 and p.lane = $2 and p.sequence <= $3
$$;

-- Goes from lane to lane by the index, whatever waits in each.
create function waiting(after_id bytea, after_lane bytea, most integer) returns table (id bytea, lane bytea)
	language plpgsql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off as $$
begin
	id := after_id;
	lane := after_lane;
	for n in 1..most loop
		select p.id, p.lane into waiting.id, waiting.lane from message_part p
			where (p.id, p.lane) > (waiting.id, waiting.lane) order by p.id, p.lane limit 1;
		exit when not found;
		return next;
	end loop;
end $$;
