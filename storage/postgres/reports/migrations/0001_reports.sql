-- A case: open (state 1) with what was reported, or decided, of which the outcome
-- stays and its verdict until that was sent.
create table report (
	id bytea primary key,
	state smallint not null check (state between 1 and 4),
	weight smallint not null default 0,
	day bigint,
	commitment bytea,
	sealed bytea,
	attempt bytea, -- names the call that added it
	verdict bytea,
	check ((state = 1) = (sealed is not null)),
	check (verdict is null or state = 2)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);

create index report_open on report (id) where state = 1;
create index report_outgoing on report (id) where verdict is not null;

-- What is sealed does not compress.
alter table report alter sealed set storage external;

-- How many cases of this database are open.
create table open_count (
	one boolean primary key default true check (one),
	open bigint not null check (open >= 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
insert into open_count values (true, 0);

-- Returns 'added' if the case is in by this attempt, now or by an earlier call,
-- 'known' or 'full'. The case is locked before the count, also by decide.
create function add(id bytea, attempt bytea, day bigint, commitment bytea, sealed bytea, most bigint) returns text
	language plpgsql security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
begin
	if (select open from open_count) >= add.most and not exists (select from report where id = add.id) then
		return 'full';
	end if;
	insert into report (id, state, day, commitment, sealed, attempt)
		values (add.id, 1, add.day, add.commitment, add.sealed, add.attempt) on conflict do nothing;
	if not found then
		return case when exists (select from report where id = add.id and attempt = add.attempt) then 'added' else 'known' end;
	end if;
	update open_count set open = open + 1 where open < add.most;
	if not found then
		delete from report where id = add.id;
		return 'full';
	end if;
	return 'added';
end $$;

create function look(id bytea) returns table (state smallint, weight smallint, day bigint, commitment bytea, sealed bytea)
	language sql stable security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
	select r.state, r.weight, r.day, r.commitment, r.sealed from report r where r.id = $1
$$;

-- Returns 'decided' if the case is decided so, now or before, 'otherwise' or 'none'.
create function decide(id bytea, state smallint, weight smallint, verdict bytea) returns text
	language plpgsql security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
	same boolean;
begin
	update report set state = decide.state, weight = decide.weight, verdict = decide.verdict,
			day = null, commitment = null, sealed = null, attempt = null
		where id = decide.id and state = 1;
	if found then
		update open_count set open = open - 1;
		return 'decided';
	end if;
	select state = decide.state and weight = decide.weight into same from report where id = decide.id;
	return case when same is null then 'none' when same then 'decided' else 'otherwise' end;
end $$;

create function sent(id bytea) returns void
	language sql security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
	update report r set verdict = null where r.id = $1 and r.verdict is not null
$$;

create function open_cases(first bytea, most integer) returns table (id bytea, day bigint, commitment bytea, sealed bytea)
	language sql stable security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
	select r.id, r.day, r.commitment, r.sealed from report r where r.state = 1 and r.id >= $1 order by r.id limit $2
$$;

create function verdicts(first bytea, most integer) returns table (id bytea, verdict bytea)
	language sql stable security definer
	set search_path = reports, pg_temp set enable_seqscan = off as $$
	select r.id, r.verdict from report r where r.verdict is not null and r.id >= $1 order by r.id limit $2
$$;

create function waiting() returns bigint
	language sql stable security definer
	set search_path = reports, pg_temp
	as 'select c.open from open_count c';
