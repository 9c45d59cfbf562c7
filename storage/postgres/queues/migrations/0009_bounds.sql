-- A call is done within the time that it has, whatever it meets.

-- append_one as before, but for a queue with much more than its present settings
-- allow: what goes by the drop rule goes in one step, and of very much, a part with
-- each append, which until then does not fit.
create or replace function append_one(p_today integer, p_queue uuid, p_mark uuid, p_parent uuid, p_claim uuid, p_brief boolean, p_number bigint,
	p_tag bigint, p_segment bigint, p_kem_output bytea, p_counter integer, p_ciphertext bytea, p_overhead integer, p_max_marks integer,
	out outcome integer, out fresh boolean, out push boolean)
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	size constant integer := octet_length(p_ciphertext) + p_overhead;
	most constant integer := 4096;
	h head;
	m mark;
	begun bigint;
	upto bigint;
begin
	outcome := 2; -- unknown address
	fresh := false;
	push := false;
	select * into h from head where queue = p_queue for update;
	if not found then
		return;
	end if;
	if exists (select from mark where queue = p_queue and mark = p_parent and revoked) then
		outcome := 3; -- revoked
		return;
	end if;
	select * into m from mark where queue = p_queue and mark = p_mark;
	if m.revoked then
		outcome := 3;
		return;
	elsif m.claim <> p_claim then
		return;
	elsif p_number <= m.number then
		outcome := 1; -- delivered
		fresh := exists (select from entry e where e.queue = p_queue and e.seq > greatest(h.floor, h.last - 1024) and e.tag = p_tag);
		push := fresh and h.push;
		return;
	end if;
	outcome := 4; -- full
	if m.mark is null and h.marks >= p_max_marks then
		return;
	end if;
	perform trim_expired(p_queue, p_today, 1000, p_overhead);
	select * into h from head where queue = p_queue;
	if h.drop_oldest and h.last > h.floor and (h.last - h.floor >= h.max_entries or h.bytes + size > h.max_bytes) then
		select e.seq into upto from (
			select e.seq, sum(octet_length(e.ciphertext) + p_overhead) over (order by e.seq) as freed
			from entry e where e.queue = p_queue and e.seq > h.floor order by e.seq limit most
		) e where e.seq > h.last - h.max_entries and h.bytes + size - e.freed <= h.max_bytes order by e.seq limit 1;
		perform trim_queue(p_queue, coalesce(upto, h.last), most, p_overhead);
		select * into h from head where queue = p_queue;
	end if;
	if h.last - h.floor >= h.max_entries or h.bytes + size > h.max_bytes then
		return;
	end if;
	begun := case when h.segment = p_segment and h.segment_start > 0 then h.segment_start else h.last + 1 end;
	if begun > h.last then
		insert into segment values (p_queue, begun, p_segment, p_kem_output);
	end if;
	insert into entry values (p_queue, h.last + 1, begun, p_tag, p_today, p_counter, p_ciphertext);
	update head set last = last + 1, bytes = bytes + size, segment = p_segment, segment_start = begun,
		oldest = case when last = floor then p_today else oldest end, marks = marks + case when m.mark is null then 1 else 0 end
	where queue = p_queue;
	if m.mark is null then
		insert into mark values (p_queue, p_mark, p_claim, p_number, p_today, false, p_brief);
	else
		update mark set number = p_number, used = p_today where queue = p_queue and mark = p_mark;
	end if;
	outcome := 1;
	fresh := true;
	push := h.push;
end $$;

-- expire_queues as before, but that it also ends when it has removed things for a
-- while, and so lets those go on that wait for the queues that it has locked.
create or replace function expire_queues(p_after uuid, p_most integer, p_unused integer, p_today integer, p_overhead integer) returns uuid
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	q uuid;
	h head;
	seen integer := 0;
begin
	for q in select queue from head where queue > p_after order by queue limit p_most loop
		seen := seen + 1;
		select * into h from head where queue = q;
		if h.used < p_unused or h.last > h.floor and h.oldest + h.ttl < p_today then
			select * into h from head where queue = q for update;
			if h.used < p_unused then
				perform delete_queue(q);
			elsif found then
				perform trim_expired(q, p_today, 1000, p_overhead);
			end if;
			if clock_timestamp() > statement_timestamp() + interval '100 ms' then
				return q;
			end if;
		end if;
	end loop;
	return case when seen = p_most then q end;
end $$;

-- put_payload and add_day as before, but that they come to who needs a payload first,
-- as release_payload and expire_payloads do: those that went the other way and these
-- could wait for one another. Both rows of a payload are there or none.
create or replace function add_day(p_day integer) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	execute format('create table if not exists payload_need_%s partition of payload_need for values in (%s) with (fillfactor = 70)', p_day, p_day);
	execute format('create table if not exists payload_%s partition of payload for values in (%s)', p_day, p_day);
	execute format('alter table payload_%s alter column octets set storage external', p_day);
exception when duplicate_table or unique_violation or duplicate_object then
	null;
end $$;

create or replace function put_payload(p_payload uuid, p_day integer, p_octets bytea, p_recipients bytea) returns boolean
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	insert into payload_need values (p_day, p_payload, p_recipients) on conflict do nothing;
	if found then
		insert into payload values (p_day, p_payload, p_octets) on conflict do nothing;
	end if;
	return true;
exception when check_violation then
	return false;
end $$;

-- A session keeps what it planned for these. Planned while a table is small, they would
-- read all of it when it has grown, until its rows are counted again.
do $$
declare
	f regprocedure;
begin
	for f in select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'queues'::regnamespace and p.proname in (
		'create_queue', 'get_queue', 'configure_queue', 'delete_queue', 'revoke_mark', 'touch_queue', 'ack_queue', 'append_each',
		'put_payload', 'get_payload', 'release_payload', 'publish', 'pool_key', 'allow_contact', 'take', 'delete_pool',
		'expire_queues', 'expire_marks', 'expire_claims') loop
		execute format('alter function %s set enable_seqscan = off', f);
	end loop;
end $$;
