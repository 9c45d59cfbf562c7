-- fence_epochs in a shard of the caller's choice.
create function fence_epochs_at(part integer, keys bytea[], whole boolean) returns void
	language sql security definer
	set search_path = spent, pg_temp
	as 'select fence_epochs($2, $3)';

-- Drops the partitions of keys that a split sent to another shard.
create function drop_strays() returns void
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
declare
	name text;
begin
	for name in select c.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'spent.nullifier'::regclass and not exists (select from epoch e where c.relname = 'nullifier_' || e.ordinal) loop
		execute format('drop table spent.%I', name);
	end loop;
end $$;
