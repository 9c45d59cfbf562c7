-- Cuts fade: see attester.Cut, whose fields From and Full are starts and whole. Those
-- that there were withheld one share until they ended.
alter table standing
	add column starts bigint not null default 0,
	add column whole bigint not null default 0,
	add column strikes integer not null default 0,
	add column last bigint not null default 0;
update standing set whole = until - 1 where until > 0;

-- Verdicts that were applied, with the epoch in which they expire.
create table verdict (
	account bytea,
	epoch bigint,
	id bytea,
	primary key (account, epoch, id)
) partition by list (epoch);

do $$
declare
	e bigint;
begin
	for e in select epoch from epoch where not gone loop
		execute format('create table verdict_%s partition of verdict for values in (%s)', e, e);
	end loop;
end $$;

drop function look(bytea, bigint, bytea, bytea);
create function look(account bytea, epoch bigint, class bytea, request bytea)
	returns table (seen boolean, first bigint, percent integer, starts bigint, whole bigint, until bigint, strikes integer, last bigint, spent bigint, reply bytea)
	language sql stable security definer
	set search_path = allowances, pg_temp set enable_seqscan = off as $$
	select coalesce(s.seen, false), coalesce(s.first, 0), coalesce(s.percent, 0), coalesce(s.starts, 0), coalesce(s.whole, 0), coalesce(s.until, 0),
		coalesce(s.strikes, 0), coalesce(s.last, 0),
		coalesce((select t.spent from slot t where t.account = $1 and t.epoch = $2 and t.class = $3), 0),
		(select c.reply from charge c where c.account = $1 and c.epoch = $2 and c.class = $3 and c.request = $4)
	from (select) one left join standing s on s.account = $1
$$;

-- Makes the partitions of an epoch, once.
create or replace function open_epoch(epoch bigint) returns void
	language plpgsql security definer
	set search_path = allowances, pg_temp as $$
#variable_conflict use_column
begin
	insert into epoch (epoch) values (open_epoch.epoch) on conflict do nothing;
	if found then
		execute format('create table allowances.slot_%s partition of allowances.slot for values in (%s) with (fillfactor = 70)', open_epoch.epoch, open_epoch.epoch);
		execute format('create table allowances.charge_%s partition of allowances.charge for values in (%s)', open_epoch.epoch, open_epoch.epoch);
		execute format('create table allowances.verdict_%s partition of allowances.verdict for values in (%s)', open_epoch.epoch, open_epoch.epoch);
	end if;
end $$;

-- Replaces a cut (percent, starts, whole, until, strikes, last) that was looked at by
-- one that was made of it, and remembers the verdict, unless id is null. Returns
-- 'reduced', 'changed' if the cut is another one meanwhile, 'repeated' or 'past'.
drop function reduce(bytea, integer, bigint, bigint);
create function reduce(account bytea, id bytea, epoch bigint, was bigint[], cut bigint[]) returns text
	language plpgsql security definer
	set search_path = allowances, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
	past boolean;
	present bigint[];
begin
	-- The epoch before the standing, as charge does.
	if reduce.id is not null then
		select dropped into past from epoch where epoch = reduce.epoch for share;
		if not found then
			perform open_epoch(reduce.epoch);
			select dropped into past from epoch where epoch = reduce.epoch for share;
		end if;
		if past then
			return 'past';
		end if;
	end if;
	insert into standing (account) values (reduce.account) on conflict do nothing;
	select array[percent::bigint, starts, whole, until, strikes::bigint, last] into present from standing where account = reduce.account for update;
	if reduce.id is not null then
		perform from verdict v where v.account = reduce.account and v.epoch = reduce.epoch and v.id = reduce.id;
		if found then
			return 'repeated';
		end if;
	end if;
	if present is distinct from reduce.was then
		return 'changed';
	end if;
	if reduce.id is not null then
		insert into verdict (account, epoch, id) values (reduce.account, reduce.epoch, reduce.id);
	end if;
	update standing set percent = reduce.cut[1], starts = reduce.cut[2], whole = reduce.cut[3], until = reduce.cut[4], strikes = reduce.cut[5], last = reduce.cut[6]
		where account = reduce.account;
	return 'reduced';
end $$;

-- Drops the partitions of an epoch that was ended.
create or replace function drop_epoch(epoch bigint) returns void
	language plpgsql security definer
	set search_path = allowances, pg_temp as $$
#variable_conflict use_column
begin
	perform from epoch where epoch = drop_epoch.epoch and dropped and not gone for update;
	if found then
		execute format('drop table allowances.slot_%s, allowances.charge_%s, allowances.verdict_%s', drop_epoch.epoch, drop_epoch.epoch, drop_epoch.epoch);
		update epoch set gone = true where epoch = drop_epoch.epoch;
	end if;
end $$;
