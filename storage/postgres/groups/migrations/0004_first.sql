-- The number of a lane's first message is looked up apart from what is in it, which
-- whoever has just put it there need not read back; and a removal tells the next one. 0: none waits.

create function first(id bytea, lane bytea) returns bigint
	language plpgsql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	return coalesce((select p.sequence from message_part p where p.id = $1 and p.lane = $2 order by p.sequence limit 1), 0);
end $$;

create function message(id bytea, lane bytea, sequence bigint) returns table (content bytea)
	language plpgsql stable security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	return query select p.content from message_part p where p.id = $1 and p.lane = $2 and p.sequence = $3 order by p.part;
end $$;

drop function oldest(bytea, bytea);
drop function done(bytea, bytea, bigint);

create function done(id bytea, lane bytea, sequence bigint) returns bigint
	language plpgsql security definer
	set search_path = groups, pg_temp set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
	delete from message_part p where p.id = $1 and p.lane = $2 and p.sequence <= $3;
	return coalesce((select p.sequence from message_part p where p.id = $1 and p.lane = $2 and p.sequence > $3 order by p.sequence limit 1), 0);
end $$;
