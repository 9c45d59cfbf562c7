-- Ends an epoch: it takes no more charges, also where it had none yet.
create or replace function end_epoch(epoch bigint) returns void
	language sql security definer
	set search_path = allowances, pg_temp as $$
	insert into epoch as e (epoch, dropped, gone) values ($1, true, true)
	on conflict (epoch) do update set dropped = true where not e.dropped
$$;
