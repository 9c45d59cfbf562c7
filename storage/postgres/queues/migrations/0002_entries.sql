-- append adds entries, at most one to each queue, in the order of queues, and
-- tells which of them (by p_nth) it added. It adds those alone that need nothing
-- but their number, which is nearly all: marks that are known, claimed alike and
-- not revoked, queues with room and without anything that has expired. The rest
-- is left as it was for append_each.
--
-- The head is locked by its update, before the mark is looked at; what was
-- counted for a mark that then refuses is taken back. Joins are nested loops, so
-- that rows are locked in the order of the arrays.
create function append(p_today integer, p_nth integer[], p_queue uuid[], p_mark uuid[], p_claim uuid[], p_number bigint[],
	p_tag bigint[], p_segment bigint[], p_kem_output bytea[], p_counter integer[], p_ciphertext bytea[], p_overhead integer, p_process uuid, p_tags bigint[])
returns table (nth integer, push boolean)
language plpgsql security definer set search_path = queues, pg_temp
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
	added integer[];
	pushes boolean[];
	undone uuid[];
	sizes integer[];
begin
	with e as (
		select * from unnest(p_nth, p_queue, p_mark, p_claim, p_number, p_tag, p_segment, p_kem_output, p_counter, p_ciphertext)
			as e (nth, queue, mark, claim, number, tag, segment, kem_output, counter, ciphertext)
	), h as (
		update head h set last = h.last + 1, bytes = h.bytes + octet_length(e.ciphertext) + p_overhead, segment = e.segment,
			segment_start = case when h.segment = e.segment and h.segment_start > 0 then h.segment_start else h.last + 1 end,
			oldest = case when h.last = h.floor then p_today else h.oldest end
		from e
		where h.queue = e.queue and h.last - h.floor < h.max_entries and h.bytes + octet_length(e.ciphertext) + p_overhead <= h.max_bytes
			and (h.last = h.floor or h.oldest + h.ttl >= p_today)
		returning e.*, h.last, h.segment_start, h.push
	), m as (
		update mark m set number = h.number, used = p_today
		from h
		where m.queue = h.queue and m.mark = h.mark and m.number < h.number and m.claim = h.claim and not m.revoked
		returning h.*
	), x as (
		insert into entry (queue, seq, segment, tag, day, counter, ciphertext)
		select m.queue, m.last, m.segment_start, m.tag, p_today, m.counter, m.ciphertext from m
	), s as (
		insert into segment (queue, start, segment, kem_output)
		select m.queue, m.last, m.segment, m.kem_output from m where m.last = m.segment_start
	), d as (
		select h.queue, octet_length(h.ciphertext) + p_overhead as size from h where (select count(*) from h) <> (select count(*) from m)
		except all
		select m.queue, octet_length(m.ciphertext) + p_overhead from m where (select count(*) from h) <> (select count(*) from m)
	)
	select array_agg(m.nth), array_agg(m.push), (select array_agg(d.queue) from d), (select array_agg(d.size) from d)
	into added, pushes, undone, sizes from m;
	for i in 1 .. coalesce(array_length(undone, 1), 0) loop
		update head h set last = last - 1, bytes = bytes - sizes[i], segment_start = 0 where h.queue = undone[i];
	end loop;
	perform note_change(p_process, p_tags);
	return query select * from unnest(added, pushes);
end $$;

-- trim removes the entries up to a number, at most p_most of them, and the
-- segments that only they had. The caller has locked the head. It returns how
-- many are left to remove.
create function trim_queue(p_queue uuid, p_upto bigint, p_most integer, p_overhead integer) returns bigint
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	h head;
	upto bigint;
	freed bigint;
	first entry;
begin
	select * into h from head where queue = p_queue;
	upto := least(p_upto, h.last, h.floor + p_most);
	if upto <= h.floor then
		return 0;
	end if;
	with d as (
		delete from entry where queue = p_queue and seq > h.floor and seq <= upto returning octet_length(ciphertext) + p_overhead as size
	) select coalesce(sum(size), 0) into freed from d;
	select * into first from entry where queue = p_queue and seq > upto order by seq limit 1;
	delete from segment where queue = p_queue and start < coalesce(first.segment, h.segment_start);
	update head set floor = upto, bytes = bytes - freed, oldest = coalesce(first.day, oldest) where queue = p_queue;
	return least(p_upto, h.last) - upto;
end $$;

-- trim_expired removes the oldest entries that have expired, about p_most.
create function trim_expired(p_queue uuid, p_today integer, p_most integer, p_overhead integer) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	h head;
	keep bigint;
begin
	select * into h from head where queue = p_queue;
	if h.last = h.floor or h.oldest + h.ttl >= p_today then
		return;
	end if;
	select seq into keep from entry where queue = p_queue and seq > h.floor and seq <= h.floor + p_most and day + h.ttl >= p_today order by seq limit 1;
	perform trim_queue(p_queue, coalesce(keep - 1, h.floor + p_most), p_most, p_overhead);
end $$;

-- append_one adds one entry or says why not. The checks are in the order of
-- what they tell. An entry that this very call added before is fresh again: its
-- answer was lost, a moment ago, so that it is among the last.
create function append_one(p_today integer, p_queue uuid, p_mark uuid, p_parent uuid, p_claim uuid, p_brief boolean, p_number bigint,
	p_tag bigint, p_segment bigint, p_kem_output bytea, p_counter integer, p_ciphertext bytea, p_overhead integer, p_max_marks integer,
	out outcome integer, out fresh boolean, out push boolean)
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	size constant integer := octet_length(p_ciphertext) + p_overhead;
	h head;
	m mark;
	begun bigint;
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
	loop
		select * into h from head where queue = p_queue;
		exit when h.last - h.floor < h.max_entries and h.bytes + size <= h.max_bytes;
		if not h.drop_oldest or h.last = h.floor then
			return;
		end if;
		perform trim_queue(p_queue, h.floor + 1, 1, p_overhead);
	end loop;
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

-- append_each adds entries one by one. They are in the order of queues, and those
-- of one queue in theirs.
create function append_each(p_today integer, p_nth integer[], p_queue uuid[], p_mark uuid[], p_parent uuid[], p_claim uuid[], p_brief boolean[],
	p_number bigint[], p_tag bigint[], p_segment bigint[], p_kem_output bytea[], p_counter integer[], p_ciphertext bytea[], p_overhead integer, p_max_marks integer,
	p_process uuid, p_tags bigint[])
returns table (nth integer, outcome integer, fresh boolean, push boolean)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	for i in 1 .. array_length(p_nth, 1) loop
		nth := p_nth[i];
		select * into outcome, fresh, push from append_one(p_today, p_queue[i], p_mark[i], p_parent[i], p_claim[i], p_brief[i], p_number[i],
			p_tag[i], p_segment[i], p_kem_output[i], p_counter[i], p_ciphertext[i], p_overhead, p_max_marks);
		return next;
	end loop;
	perform note_change(p_process, p_tags);
end $$;

-- read_queue returns the entries after a number that have not expired, each with
-- the day on which the owner last used the queue, and the first of a segment with
-- what opens it. A queue without any has one row without an entry.
create function read_queue(p_queue uuid, p_today integer, p_after bigint, p_limit integer)
returns table (used integer, seq bigint, start bigint, counter integer, ciphertext bytea, segment bigint, kem_output bytea)
language plpgsql security definer set search_path = queues, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
	return query
	select h.used, e.seq, e.segment, e.counter, e.ciphertext, s.segment, s.kem_output
	from head h left join lateral (
		select e.seq, e.segment, e.counter, e.ciphertext, lag(e.segment) over (order by e.seq) is distinct from e.segment as first
		from (
			select * from entry e where e.queue = p_queue and e.seq > greatest(p_after, h.floor) and e.day + h.ttl >= p_today order by e.seq limit p_limit
		) e
	) e on true left join segment s on e.first and s.queue = p_queue and s.start = e.segment
	where h.queue = p_queue order by e.seq;
end $$;

create function touch_queue(p_queue uuid, p_today integer) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	update head set used = p_today where queue = p_queue and used < p_today;
end $$;

-- ack_queue returns how many entries are left to remove, nothing if there is no
-- such queue.
create function ack_queue(p_queue uuid, p_today integer, p_upto bigint, p_most integer, p_overhead integer) returns bigint
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	perform from head where queue = p_queue for update;
	if not found then
		return null;
	end if;
	perform touch_queue(p_queue, p_today);
	return trim_queue(p_queue, p_upto, p_most, p_overhead);
end $$;
