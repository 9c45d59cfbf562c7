-- What goes over all queues, and what processes tell one another, is told a shard
-- at a time: a position in a walk, and the number of a change, are each shard's own.

create function expire_payloads_at(p_part integer, p_limit integer) returns boolean
language sql security definer set search_path = queues, pg_temp as 'select expire_payloads($2)';

create function expire_queues_at(p_part integer, p_after uuid, p_most integer, p_unused integer, p_today integer, p_overhead integer) returns uuid
language sql security definer set search_path = queues, pg_temp as 'select expire_queues($2, $3, $4, $5, $6)';

create function expire_marks_at(p_part integer, p_queue uuid, p_mark uuid, p_most integer, p_unused integer, p_brief integer, out next_queue uuid, out next_mark uuid)
language sql security definer set search_path = queues, pg_temp as 'select * from expire_marks($2, $3, $4, $5, $6)';

create function expire_claims_at(p_part integer, p_pool uuid, p_request bytea, p_most integer, p_limit integer, out next_pool uuid, out next_request bytea)
language sql security definer set search_path = queues, pg_temp as 'select * from expire_claims($2, $3, $4, $5)';

create function attend_at(p_part integer, p_process uuid, p_seen_by_all bigint, p_dead_after integer) returns void
language sql security definer set search_path = queues, pg_temp as 'select attend($2, $3, $4)';

create function leave_at(p_part integer, p_process uuid) returns void
language sql security definer set search_path = queues, pg_temp as 'select leave($2)';

create function poll_at(p_part integer, p_process uuid, p_after bigint, p_missing bigint[], p_dead_after integer)
returns table (others integer, id bigint, tags bigint[])
language sql security definer set search_path = queues, pg_temp as 'select * from poll($2, $3, $4, $5)';

create function last_change_at(p_part integer) returns bigint
language sql stable security definer set search_path = queues, pg_temp as 'select last_change()';

-- add_day where a payload goes.
create function add_day_for(p_payload uuid, p_day integer) returns void
language sql security definer set search_path = queues, pg_temp as 'select add_day($2)';

-- note_change is a part of the call that adds the entries. Tags are parallel to the
-- entries, so that each shard gets those of its own; nobody waits for them if they
-- are null.
create or replace function note_change(p_process uuid, p_tags bigint[]) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	if p_tags[1] is not null then
		insert into change (process, tags) values (p_process, p_tags);
	end if;
end $$;
