-- One row: the check value of the nullifier key, and the next ordinal. It is locked
-- by whoever opens or closes epochs.
create table registry (
	one boolean primary key default true check (one),
	check_value bytea not null,
	next_ordinal integer not null default 1
);

-- The epochs that have a partition.
create table epoch (
	key bytea primary key,
	ordinal integer not null unique,
	capacity bigint not null check (capacity > 0),
	spent bigint not null default 0,
	closing boolean not null default false -- closed, and the partition is to be dropped
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Keys that are closed for good.
create table closed (
	key bytea primary key,
	fenced boolean not null
);

create table nullifier (
	epoch integer,
	nullifier bytea,
	tag bytea not null,
	primary key (epoch, nullifier)
) partition by list (epoch);

-- Keeps the check value, and tells whether it is the one that was kept.
create function begin_with(check_value bytea) returns boolean
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
#variable_conflict use_column
begin
	insert into registry (check_value) values (begin_with.check_value) on conflict do nothing;
	return (select check_value = begin_with.check_value from registry);
end $$;

-- What the database says of a key: 'open', 'retired', 'fenced' or 'unknown'.
create function state(key bytea) returns text
	language sql stable security definer
	set search_path = spent, pg_temp as $$
	select case
		when exists (select from closed c where c.key = $1 and c.fenced) then 'fenced'
		when exists (select from closed c where c.key = $1) then 'retired'
		when exists (select from epoch e where e.key = $1) then 'open'
		else 'unknown' end
$$;

-- Opens an epoch, or sets the capacity of one that is open. Returns its state, or
-- 'too many'.
create function open_epoch(key bytea, capacity bigint, most integer, witness bytea, number bigint) returns text
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
#variable_conflict use_column
declare
	next integer;
begin
	select next_ordinal into next from registry for update;
	perform fence.advance(witness, open_epoch.number);
	if exists (select from closed where key = open_epoch.key) then
		return state(open_epoch.key);
	end if;
	update epoch set capacity = open_epoch.capacity where key = open_epoch.key;
	if found then
		return 'open';
	end if;
	if (select count(*) from epoch where not closing) >= most then
		return 'too many';
	end if;
	execute format('create table spent.nullifier_%s partition of spent.nullifier for values in (%s)', next, next);
	insert into epoch (key, ordinal, capacity) values (open_epoch.key, next, open_epoch.capacity);
	update registry set next_ordinal = next + 1;
	return 'open';
end $$;

-- Binds tokens of one key to requests. The nullifiers are all different. Each row
-- tells the tag that was there before, or that there is no room for one more, and the
-- witness's number, which grows if a token was bound. No row comes if the epoch is
-- not open.
create function spend(key bytea, nullifiers bytea[], tags bytea[], witness bytea, number bigint)
	returns table (ordinal integer, stored bytea, full_up boolean, at bigint)
	language plpgsql security definer
	set search_path = spent, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
	this record;
	before bytea[]; -- their tags, before this call
	added bigint;
begin
	select e.ordinal, e.capacity - e.spent as room into this
		from epoch e where e.key = spend.key and not e.closing for update;
	if not found then
		return;
	end if;
	-- Nobody adds to the epoch meanwhile.
	before := array(
		select n.tag from unnest(spend.nullifiers) with ordinality u (nullifier, ordinal)
		left join nullifier n on n.epoch = this.ordinal and n.nullifier = u.nullifier
		order by u.ordinal);
	insert into nullifier (epoch, nullifier, tag)
		select this.ordinal, u.nullifier, u.tag from (
			select b.nullifier, b.tag, row_number() over (order by b.ordinal) as nth
			from unnest(spend.nullifiers, spend.tags, before) with ordinality b (nullifier, tag, stored, ordinal)
			where b.stored is null) u
		where u.nth <= this.room
		on conflict do nothing;
	get diagnostics added = row_count;
	if added > 0 then
		update epoch set spent = spent + added where key = spend.key;
		at := fence.advance(witness, spend.number);
	else
		at := fence.hold(witness, spend.number);
	end if;
	return query
		select b.ordinal::integer, b.stored,
			b.stored is null and count(*) filter (where b.stored is null) over (order by b.ordinal) > this.room, spend.at
		from unnest(before) with ordinality b (stored, ordinal);
end $$;

-- Closes an epoch for good.
create function retire(key bytea, witness bytea, number bigint) returns void
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
#variable_conflict use_column
begin
	perform from registry for update;
	insert into closed (key, fenced) values (retire.key, false) on conflict do nothing;
	update epoch set closing = true where key = retire.key;
	perform fence.advance(witness, retire.number);
end $$;

-- Drops the partition of a closed epoch.
create function drop_epoch(key bytea) returns void
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
#variable_conflict use_column
declare
	this integer;
begin
	perform from registry for update;
	select ordinal into this from epoch where key = drop_epoch.key and closing for update;
	if found then
		execute format('drop table spent.nullifier_%s', this);
		delete from epoch where key = drop_epoch.key;
	end if;
end $$;

create function epochs() returns table (key bytea, closing boolean)
	language sql stable security definer
	set search_path = spent, pg_temp
	as 'select e.key, e.closing from epoch e';

create function usage(key bytea) returns table (spent bigint, capacity bigint)
	language sql stable security definer
	set search_path = spent, pg_temp
	as 'select e.spent, e.capacity from epoch e where e.key = $1 and not e.closing';

-- Closes what an older copy cannot judge: all epochs, if it is one that nobody
-- closed yet, and those of the given keys that it does not know.
create function fence_epochs(keys bytea[], whole boolean) returns void
	language plpgsql security definer
	set search_path = spent, pg_temp as $$
#variable_conflict use_column
begin
	perform from registry for update;
	insert into closed (key, fenced)
		select k, true from unnest(fence_epochs.keys) k where whole or not exists (select from epoch where key = k)
		union select key, true from epoch where whole
		order by 1
		on conflict do nothing;
	if whole then
		update epoch set closing = true;
	end if;
end $$;
