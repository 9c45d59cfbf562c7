-- append as before, with narrow rows between its steps: each carries the subscript of
-- its entry, and what is added is looked up in the arrays, which PL/pgSQL keeps taken
-- apart. What was counted for a mark that then refuses is looked for only where the
-- numbers differ, and changes are noted only where somebody waits for them.
create or replace function append(p_today integer, p_nth integer[], p_queue uuid[], p_mark uuid[], p_claim uuid[], p_number bigint[],
	p_tag bigint[], p_segment bigint[], p_kem_output bytea[], p_counter integer[], p_ciphertext bytea[], p_overhead integer, p_process uuid, p_tags bigint[])
returns table (nth integer, push boolean)
language plpgsql security definer set search_path = queues, pg_temp
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
	counted integer[];
	added integer[];
	pushes boolean[];
	k integer;
begin
	with h as (
		update head h set last = h.last + 1, bytes = h.bytes + octet_length(p_ciphertext[e.i]) + p_overhead, segment = p_segment[e.i],
			segment_start = case when h.segment = p_segment[e.i] and h.segment_start > 0 then h.segment_start else h.last + 1 end,
			oldest = case when h.last = h.floor then p_today else h.oldest end
		from unnest(p_queue) with ordinality e (queue, i)
		where h.queue = e.queue and h.last - h.floor < h.max_entries and h.bytes + octet_length(p_ciphertext[e.i]) + p_overhead <= h.max_bytes
			and (h.last = h.floor or h.oldest + h.ttl >= p_today)
		returning e.i::integer as i, h.last, h.segment_start, h.push
	), m as (
		update mark m set number = p_number[h.i], used = p_today
		from h
		where m.queue = p_queue[h.i] and m.mark = p_mark[h.i] and m.number < p_number[h.i] and m.claim = p_claim[h.i] and not m.revoked
		returning h.i, h.last, h.segment_start, h.push
	), x as (
		insert into entry (queue, seq, segment, tag, day, counter, ciphertext)
		select p_queue[m.i], m.last, m.segment_start, p_tag[m.i], p_today, p_counter[m.i], p_ciphertext[m.i] from m
	), s as (
		insert into segment (queue, start, segment, kem_output)
		select p_queue[m.i], m.last, p_segment[m.i], p_kem_output[m.i] from m where m.last = m.segment_start
	)
	select (select array_agg(h.i) from h), array_agg(m.i), array_agg(m.push) into counted, added, pushes from m;
	if cardinality(counted) > coalesce(cardinality(added), 0) then
		for k in select unnest(counted) except select unnest(added) loop
			update head h set last = last - 1, bytes = bytes - octet_length(p_ciphertext[k]) - p_overhead, segment_start = 0 where h.queue = p_queue[k];
		end loop;
	end if;
	if p_tags[1] is not null then
		perform note_change(p_process, p_tags);
	end if;
	return query select p_nth[a.i], a.push from unnest(added, pushes) a (i, push);
end $$;
