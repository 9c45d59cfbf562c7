-- How many cases are open here, unless the case named is of this shard: with that of
-- all the others, what the limit of its own has to leave room for.
create function waiting_beside(id bytea) returns bigint
	language plpgsql stable security definer
	set search_path = reports, pg_temp as $$
begin
	return (select case when shard.place_of(waiting_beside.id, 0) & (p.count - 1) = p.number then 0 else c.open end from open_count c, shard.place p);
end $$;
