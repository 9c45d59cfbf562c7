-- What seldom changes of a queue lies apart from what every entry changes: heads
-- and marks are narrow rows with room in their pages and no index but the key, so
-- that an update stays in its page and leaves nothing to vacuum.

create table queue (
	queue uuid primary key,
	owner_key bytea not null,
	segment_kem integer not null,
	segment_key bytea not null,
	version bigint not null, -- of the settings
	push bytea not null
);

create table head (
	queue uuid primary key,
	last bigint not null default 0, -- number of the last entry
	floor bigint not null default 0, -- of the last one that was removed
	bytes bigint not null default 0, -- what the entries count for
	max_bytes bigint not null,
	segment bigint not null default 0, -- identifier of the segment of the last entry
	segment_start bigint not null default 0, -- number of its first entry; 0: the next entry begins one
	max_entries integer not null,
	ttl integer not null, -- days
	marks integer not null default 0,
	used integer not null, -- day, by the owner
	oldest integer not null default 0, -- no entry is of an earlier day
	drop_oldest boolean not null,
	push boolean not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table mark (
	queue uuid,
	mark uuid,
	claim uuid not null,
	number bigint not null, -- of its last entry
	used integer not null, -- day
	revoked boolean not null,
	brief boolean not null,
	primary key (queue, mark)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table entry (
	queue uuid,
	seq bigint,
	segment bigint not null, -- number of the segment's first entry
	tag bigint not null, -- random, by which the call that adds it knows it again
	day integer not null,
	counter integer not null,
	ciphertext bytea not null,
	primary key (queue, seq)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
alter table entry alter column ciphertext set storage external;

create table segment (
	queue uuid,
	start bigint,
	segment bigint not null,
	kem_output bytea not null,
	primary key (queue, start)
);

-- Settings come with the day of creation; a queue that is there stays as it is.
-- No row: it was deleted meanwhile.
create function create_queue(p_queue uuid, p_today integer, p_owner_key bytea, p_segment_kem integer, p_segment_key bytea,
	p_version bigint, p_max_entries integer, p_max_bytes bigint, p_ttl integer, p_drop_oldest boolean, p_push bytea)
returns table (owner_key bytea, segment_kem integer, segment_key bytea, version bigint, max_entries integer, max_bytes bigint, ttl integer, drop_oldest boolean, push bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	insert into head (queue, max_bytes, max_entries, ttl, used, drop_oldest, push)
	values (p_queue, p_max_bytes, p_max_entries, p_ttl, p_today, p_drop_oldest, length(p_push) > 0)
	on conflict do nothing;
	if found then
		insert into queue values (p_queue, p_owner_key, p_segment_kem, p_segment_key, p_version, p_push);
	end if;
	return query select * from get_queue(p_queue);
end $$;

create function get_queue(p_queue uuid)
returns table (owner_key bytea, segment_kem integer, segment_key bytea, version bigint, max_entries integer, max_bytes bigint, ttl integer, drop_oldest boolean, push bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	return query select q.owner_key, q.segment_kem, q.segment_key, q.version, h.max_entries, h.max_bytes, h.ttl, h.drop_oldest, q.push
	from queue q join head h using (queue) where q.queue = p_queue;
end $$;

create function configure_queue(p_queue uuid, p_version bigint, p_max_entries integer, p_max_bytes bigint, p_ttl integer, p_drop_oldest boolean, p_push bytea)
returns table (owner_key bytea, segment_kem integer, segment_key bytea, version bigint, max_entries integer, max_bytes bigint, ttl integer, drop_oldest boolean, push bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	perform from head where head.queue = p_queue for update;
	update queue q set version = p_version, push = p_push where q.queue = p_queue and q.version < p_version;
	if found then
		update head h set max_entries = p_max_entries, max_bytes = p_max_bytes, ttl = p_ttl, drop_oldest = p_drop_oldest, push = length(p_push) > 0
		where h.queue = p_queue;
	end if;
	return query select * from get_queue(p_queue);
end $$;

-- The head goes first: appends that wait for it find that it is gone, and one that
-- comes after the queue is created anew finds nothing of the old one.
create function delete_queue(p_queue uuid) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	delete from head where queue = p_queue;
	delete from entry where queue = p_queue;
	delete from segment where queue = p_queue;
	delete from mark where queue = p_queue;
	delete from queue where queue = p_queue;
end $$;

-- revoke_mark returns 0, 1 if there is no such queue, or 2 if it has too many marks.
create function revoke_mark(p_queue uuid, p_today integer, p_mark uuid, p_max_marks integer) returns integer
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	h head;
begin
	select * into h from head where queue = p_queue for update;
	if not found then
		return 1;
	end if;
	update mark set revoked = true, brief = false, used = p_today where queue = p_queue and mark = p_mark;
	if not found then
		if h.marks >= p_max_marks then
			return 2;
		end if;
		insert into mark values (p_queue, p_mark, '00000000-0000-0000-0000-000000000000', -9223372036854775808, p_today, true, false);
		update head set marks = marks + 1 where queue = p_queue;
	end if;
	return 0;
end $$;
