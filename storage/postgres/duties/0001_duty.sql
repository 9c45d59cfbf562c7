-- What one of the processes that use the database does for all, and until when it
-- is that one's.
create table duty (
	name text primary key,
	process bytea not null,
	until timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- True if the duty is the caller's from now on, for so long. Others wait for
-- nobody and write nothing.
create function claim(name text, process bytea, milliseconds bigint) returns boolean
	language plpgsql security definer
	set search_path = duty, pg_temp as $$
#variable_conflict use_column
declare
	expiry timestamptz := clock_timestamp() + claim.milliseconds * interval '1 ms';
begin
	update duty d set process = claim.process, until = expiry
		where d.name = claim.name and (d.process = claim.process or d.until < clock_timestamp());
	if not found then
		insert into duty (name, process, until) values (claim.name, claim.process, expiry) on conflict do nothing;
	end if;
	return found;
end $$;

-- Gives a duty up, if it is the caller's.
create function leave(name text, process bytea) returns void
	language sql security definer
	set search_path = duty, pg_temp as $$
	update duty d set until = '-infinity' where d.name = $1 and d.process = $2
$$;
