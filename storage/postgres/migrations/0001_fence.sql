-- A process that uses the database, and the last number that it acknowledged
-- something under. Without a number it must not go on: another one found that the
-- database is an older copy.
create table witness (
	id bytea primary key,
	number bigint
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- One row: how often the database was replaced by an older copy of itself.
create table lineage (
	one boolean primary key default true check (one),
	restores integer not null
);
insert into lineage values (true, 0);

-- What the database knows of a witness, and of others.
create function look(id bytea) returns table (known boolean, number bigint, others bigint, restores integer)
	language sql stable security definer
	set search_path = fence, pg_temp as $$
	select exists (select from witness w where w.id = $1), (select w.number from witness w where w.id = $1),
		(select count(*) from witness w where w.id <> $1), (select l.restores from lineage l)
$$;

-- Admits a witness under its number, which must not be below the database's.
create function admit(id bytea, number bigint) returns integer
	language plpgsql security definer
	set search_path = fence, pg_temp as $$
#variable_conflict use_column
begin
	insert into witness as w (id, number) values (admit.id, admit.number)
		on conflict (id) do update set number = greatest(w.number, excluded.number);
	return (select restores from lineage);
end $$;

-- Notes that the database is an older copy: stops all other witnesses. What must
-- be closed was closed before.
create function rolled_back(id bytea, number bigint, restores integer) returns integer
	language plpgsql security definer
	set search_path = fence, pg_temp as $$
#variable_conflict use_column
begin
	perform from lineage for update;
	perform from witness order by id for update;
	update lineage set restores = greatest(restores, rolled_back.restores);
	update witness set number = null where id <> rolled_back.id;
	return admit(rolled_back.id, rolled_back.number);
end $$;

-- Goes on to the next number, and returns it. Fails if that is not the one that
-- follows: then the database is another one than before. Repeating it is no error.
create function advance(id bytea, number bigint) returns bigint
	language plpgsql security definer
	set search_path = fence, pg_temp as $$
#variable_conflict use_column
begin
	update witness set number = advance.number
		where id = advance.id and number in (advance.number - 1, advance.number);
	if not found then
		raise exception 'older copy' using errcode = 'PF001';
	end if;
	return advance.number;
end $$;

-- Fails as advance does, changes nothing and returns the present number.
create function hold(id bytea, number bigint) returns bigint
	language plpgsql stable security definer
	set search_path = fence, pg_temp as $$
#variable_conflict use_column
declare
	present bigint := (select number from witness where id = hold.id);
begin
	if present in (hold.number - 1, hold.number) then
		return present;
	end if;
	raise exception 'older copy' using errcode = 'PF001';
end $$;
