-- The processes that dispatch messages, each with a lease that ends some seconds
-- after it was last seen. The heir of one that died looks for what it left.
create table process (
	process bytea primary key,
	seen timestamptz not null,
	heir bytea
) with (fillfactor = 50);

-- True if the caller is to look for messages that nobody cares for: it is the heir
-- of somebody, or the first and alone.
create function attend(process bytea, first boolean, lease integer) returns boolean
	language plpgsql security definer
	set search_path = groups, pg_temp as $$
#variable_conflict use_column
declare
	dead timestamptz := clock_timestamp() - make_interval(secs => attend.lease);
begin
	insert into process (process, seen) values (attend.process, clock_timestamp())
		on conflict (process) do update set seen = excluded.seen, heir = null;
	update process d set heir = attend.process
		where d.seen < dead and not exists (select from process h where h.process = d.heir and h.seen >= dead);
	return exists (select from process where heir = attend.process)
		or attend.first and not exists (select from process p where p.process <> attend.process and p.seen >= dead);
end $$;

-- The caller has what those left whose heir it is.
create function inherit(process bytea) returns void
	language sql security definer
	set search_path = groups, pg_temp as $$
	delete from process p where p.heir = $1
$$;

create function leave(process bytea) returns void
	language sql security definer
	set search_path = groups, pg_temp as $$
	update process p set seen = '-infinity' where p.process = $1
$$;
