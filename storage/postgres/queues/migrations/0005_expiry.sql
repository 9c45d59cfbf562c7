-- Expiry goes over a table in the order of its key, some rows at a call, and
-- decides on what it has locked. Each function returns where it goes on, or
-- nothing at the end.

create function expire_queues(p_after uuid, p_most integer, p_unused integer, p_today integer, p_overhead integer) returns uuid
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
		end if;
	end loop;
	return case when seen = p_most then q end;
end $$;

create function expire_marks(p_queue uuid, p_mark uuid, p_most integer, p_unused integer, p_brief integer, out next_queue uuid, out next_mark uuid)
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	q uuid;
	gone integer;
	seen integer;
begin
	select count(*), (array_agg(m.queue order by m.queue desc, m.mark desc))[1], (array_agg(m.mark order by m.queue desc, m.mark desc))[1]
	into seen, next_queue, next_mark
	from (select m.queue, m.mark from mark m where (m.queue, m.mark) > (p_queue, p_mark) order by m.queue, m.mark limit p_most) m;
	for q in select distinct m.queue from mark m
		where (m.queue, m.mark) > (p_queue, p_mark) and (m.queue, m.mark) <= (next_queue, next_mark) and (m.used < p_unused or m.brief and m.used < p_brief)
		order by 1 loop
		perform from head h where h.queue = q for update;
		delete from mark m where m.queue = q and (m.queue, m.mark) > (p_queue, p_mark) and (m.queue, m.mark) <= (next_queue, next_mark)
			and (m.used < p_unused or m.brief and m.used < p_brief);
		get diagnostics gone = row_count;
		update head h set marks = marks - gone where h.queue = q;
	end loop;
	if seen < p_most then
		next_queue := null;
	end if;
end $$;

create function expire_claims(p_pool uuid, p_request bytea, p_most integer, p_limit integer, out next_pool uuid, out next_request bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	seen integer;
begin
	select count(*), (array_agg(c.pool order by c.pool desc, c.request desc))[1], (array_agg(c.request order by c.pool desc, c.request desc))[1]
	into seen, next_pool, next_request
	from (select c.pool, c.request from claim c where (c.pool, c.request) > (p_pool, p_request) order by c.pool, c.request limit p_most) c;
	delete from claim c where (c.pool, c.request) > (p_pool, p_request) and (c.pool, c.request) <= (next_pool, next_request) and c.day < p_limit;
	if seen < p_most then
		next_pool := null;
	end if;
end $$;
