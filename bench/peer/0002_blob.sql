-- All of a group in one encrypted value.
create table blob (
	id integer primary key,
	sealed bytea not null
) with (fillfactor = 50);
alter table blob alter column sealed set storage external;

create function save(p_id integer, p_sealed bytea) returns void
language sql security definer set search_path = peer, pg_temp as $$
	insert into blob values (p_id, p_sealed) on conflict (id) do update set sealed = excluded.sealed
$$;

create function load(p_id integer) returns bytea
language sql stable security definer set search_path = peer, pg_temp as $$
	select sealed from blob where id = p_id
$$;
