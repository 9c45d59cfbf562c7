-- What is kept about an account for good.
create table standing (
	account bytea primary key,
	seen boolean not null default false,
	first bigint not null default 0,
	percent integer not null default 0,
	until bigint not null default 0
) with (fillfactor = 80);

-- The epochs that have or had charges. Their charges are partitions: they are
-- dropped with them.
create table epoch (
	epoch bigint primary key,
	dropped boolean not null default false, -- takes no more charges
	gone boolean not null default false     -- has no partitions any more
);

create table slot (
	account bytea,
	epoch bigint,
	class bytea,
	spent bigint not null,
	primary key (account, epoch, class)
) partition by list (epoch);

create table charge (
	account bytea,
	epoch bigint,
	class bytea,
	request bytea,
	reply bytea not null,
	primary key (account, epoch, class, request)
) partition by list (epoch);

create function look(account bytea, epoch bigint, class bytea, request bytea)
	returns table (seen boolean, first bigint, percent integer, until bigint, spent bigint, reply bytea)
	language sql stable security definer
	set search_path = allowances, pg_temp set enable_seqscan = off as $$
	select coalesce(s.seen, false), coalesce(s.first, 0), coalesce(s.percent, 0), coalesce(s.until, 0),
		coalesce((select t.spent from slot t where t.account = $1 and t.epoch = $2 and t.class = $3), 0),
		(select c.reply from charge c where c.account = $1 and c.epoch = $2 and c.class = $3 and c.request = $4)
	from (select) one left join standing s on s.account = $1
$$;

-- Makes the partitions of an epoch, once.
create function open_epoch(epoch bigint) returns void
	language plpgsql security definer
	set search_path = allowances, pg_temp as $$
#variable_conflict use_column
begin
	insert into epoch (epoch) values (open_epoch.epoch) on conflict do nothing;
	if found then
		execute format('create table allowances.slot_%s partition of allowances.slot for values in (%s) with (fillfactor = 70)', open_epoch.epoch, open_epoch.epoch);
		execute format('create table allowances.charge_%s partition of allowances.charge for values in (%s)', open_epoch.epoch, open_epoch.epoch);
	end if;
end $$;

-- Returns 'charged' with the reply that is stored, 'exhausted' or 'past'.
create function charge(account bytea, epoch bigint, class bytea, request bytea, tokens integer, most bigint, reply bytea, once boolean)
	returns table (verdict text, stored bytea)
	language plpgsql security definer
	set search_path = allowances, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
	past boolean;
	before bigint;
begin
	select dropped into past from epoch where epoch = charge.epoch for share;
	if not found then
		perform open_epoch(charge.epoch);
		select dropped into past from epoch where epoch = charge.epoch for share;
	end if;
	if past then
		return query select 'past', null::bytea;
		return;
	end if;
	insert into slot (account, epoch, class, spent) values (charge.account, charge.epoch, charge.class, 0) on conflict do nothing;
	select spent into before from slot
		where account = charge.account and epoch = charge.epoch and class = charge.class for update;
	select c.reply into stored from charge c
		where c.account = charge.account and c.epoch = charge.epoch and c.class = charge.class and c.request = charge.request;
	if found then
		return query select 'charged', charge.stored;
		return;
	end if;
	if before + charge.tokens > charge.most then
		delete from slot
			where account = charge.account and epoch = charge.epoch and class = charge.class and spent = 0
			and not exists (select from charge c where c.account = charge.account and c.epoch = charge.epoch and c.class = charge.class);
		return query select 'exhausted', null::bytea;
		return;
	end if;
	update slot set spent = spent + charge.tokens
		where account = charge.account and epoch = charge.epoch and class = charge.class;
	insert into charge (account, epoch, class, request, reply)
		values (charge.account, charge.epoch, charge.class, charge.request, charge.reply);
	if not charge.once then
		insert into standing as s (account, seen, first) values (charge.account, true, charge.epoch)
			on conflict (account) do update set seen = true, first = excluded.first where not s.seen;
	end if;
	return query select 'charged', charge.reply;
end $$;

create function reduce(account bytea, percent integer, until bigint, now bigint) returns void
	language sql security definer
	set search_path = allowances, pg_temp as $$
	insert into standing as s (account, percent, until) values ($1, $2, $3)
	on conflict (account) do update set
		percent = greatest(case when s.until > $4 then s.percent else 0 end, excluded.percent),
		until = greatest(case when s.until > $4 then s.until else 0 end, excluded.until)
$$;

-- The epochs before a given one that have partitions.
create function epochs_before(epoch bigint) returns setof bigint
	language sql stable security definer
	set search_path = allowances, pg_temp
	as 'select e.epoch from epoch e where not e.gone and e.epoch < $1 order by 1';

-- Ends an epoch: it takes no more charges.
create function end_epoch(epoch bigint) returns void
	language sql security definer
	set search_path = allowances, pg_temp
	as 'update epoch e set dropped = true where e.epoch = $1 and not e.dropped';

-- Drops the partitions of an epoch that was ended.
create function drop_epoch(epoch bigint) returns void
	language plpgsql security definer
	set search_path = allowances, pg_temp as $$
#variable_conflict use_column
begin
	perform from epoch where epoch = drop_epoch.epoch and dropped and not gone for update;
	if found then
		execute format('drop table allowances.slot_%s, allowances.charge_%s', drop_epoch.epoch, drop_epoch.epoch);
		update epoch set gone = true where epoch = drop_epoch.epoch;
	end if;
end $$;
