-- The processes that use the database. One that was not seen for some seconds is
-- taken for dead.
create table process (
	process uuid primary key,
	seen timestamptz not null
) with (fillfactor = 50);

-- change tells other processes, for some seconds, that entries were added: a row
-- for each call, with keyed hashes of queues. Who does not have the processes' key
-- learns nothing of which queues they are.
create table change (
	id bigint generated always as identity primary key,
	process uuid not null,
	tags bigint[] not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- attend notes that a process is there, and forgets its changes up to a number
-- and all of dead processes.
create function attend(p_process uuid, p_seen_by_all bigint, p_dead_after integer) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	insert into process values (p_process, clock_timestamp()) on conflict (process) do update set seen = excluded.seen;
	delete from change where id <= p_seen_by_all and process = p_process;
	delete from change c where not exists (select from process p where p.process = c.process);
	delete from process where seen < clock_timestamp() - make_interval(secs => 6 * p_dead_after);
end $$;

create function leave(p_process uuid) returns void
language sql security definer set search_path = queues, pg_temp as $$
	delete from process where process = p_process
$$;

-- poll returns how many other processes there are, and with it the changes of
-- them after a number, and of the numbers before it that were missing. A change of
-- the own process has no tags. Without any change there is one row without one.
create function poll(p_process uuid, p_after bigint, p_missing bigint[], p_dead_after integer)
returns table (others integer, id bigint, tags bigint[])
language plpgsql security definer set search_path = queues, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
	return query
	select o.others, c.id, case when c.process <> p_process then c.tags end
	from (select count(*)::integer as others from process p where p.process <> p_process and p.seen > clock_timestamp() - make_interval(secs => p_dead_after)) o
	left join (
		select * from change c where c.id > p_after union all select * from change c where c.id = any (p_missing)
	) c on true order by c.id;
end $$;

create function last_change() returns bigint
language sql stable security definer set search_path = queues, pg_temp as $$
	select coalesce(max(id), 0) from change
$$;

-- note_change is a part of the call that adds the entries. Nobody waits for it
-- where there is one process.
create function note_change(p_process uuid, p_tags bigint[]) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	if cardinality(p_tags) > 0 then
		insert into change (process, tags) values (p_process, p_tags);
	end if;
end $$;
