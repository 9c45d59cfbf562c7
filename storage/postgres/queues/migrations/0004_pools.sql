-- A pool's row is locked by all that changes the pool.

create table pool (
	pool uuid primary key,
	key bytea not null,
	kind integer not null,
	contacts integer not null default 0,
	restores integer not null default 0, -- of the database, when the batch in use was put in use
	batch bigint not null default -9223372036854775808, -- in use
	next integer not null default 0, -- the first that was not handed out
	most integer not null default 0, -- one after the last
	last_resort boolean not null default false,
	staged bigint not null default -9223372036854775808,
	staged_most integer not null default 0,
	staged_received integer not null default 0,
	staged_last_resort boolean not null default false,
	tag bigint not null default 0, -- random, of the call that added the last part
	tag_available integer not null default 0 -- what that call answered
) with (fillfactor = 70);

-- The KeyPackage of last resort has number -1.
create table key_package (
	pool uuid,
	batch bigint,
	number integer,
	last_day integer not null,
	encoded bytea not null,
	primary key (pool, batch, number)
);

create table contact (
	pool uuid,
	contact bytea,
	allowed boolean not null,
	primary key (pool, contact)
);

create table claim (
	pool uuid,
	request bytea,
	day integer not null,
	encoded bytea not null,
	primary key (pool, request)
);

-- restored counts how often an older copy of the database was put in its place.
create table restored (
	one boolean primary key default true check (one),
	times integer not null default 0
);
insert into restored default values;

-- note_restores says how often that was: the database itself, being a copy, does
-- not know. KeyPackages that a copy holds may have left since it was made, and are
-- not handed out again.
create function note_restores(p_times integer) returns void
language sql security definer set search_path = queues, pg_temp as 'update restored set times = p_times where times < p_times';

-- forget_restored deletes the KeyPackages that an older copy brought back. The
-- caller has locked the pool.
create function forget_restored(p_pool uuid) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	now_at integer;
	p pool;
begin
	select times into now_at from restored;
	select * into p from pool where pool = p_pool;
	if p.restores <> now_at then
		delete from key_package where pool = p_pool and batch = p.batch and number >= 0;
		update pool set restores = now_at, next = most where pool = p_pool;
	end if;
end $$;

-- publish returns whether the part fits, and what the pool then has. A call that is
-- repeated answers what it did at first, although some were handed out since.
create function publish(p_pool uuid, p_key bytea, p_kind integer, p_batch bigint, p_first integer, p_encoded bytea[], p_last_day integer[],
	p_last_resort boolean[], p_last boolean, p_tag bigint, out fits boolean, out batch bigint, out available integer, out received integer)
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	n constant integer := coalesce(array_length(p_encoded, 1), 0);
	resorts constant integer := (select count(*) from unnest(p_last_resort) as l where l);
	p pool;
begin
	fits := false;
	insert into pool (pool, key, kind, restores) select p_pool, p_key, p_kind, times from restored on conflict do nothing;
	perform from pool where pool = p_pool for update;
	perform forget_restored(p_pool);
	select * into p from pool where pool = p_pool;
	if p.kind <> p_kind then
		raise exception using errcode = 'QS001';
	end if;
	if p_batch > p.batch and p_batch >= p.staged then
		if p_batch > p.staged then
			delete from key_package k where k.pool = p_pool and k.batch = p.staged and k.batch <> p.batch;
			p.staged := p_batch;
			p.staged_most := 0;
			p.staged_received := 0;
			p.staged_last_resort := false;
		end if;
		if p_first + n > p.staged_received or p_last or n = 0 then
			if p_first <> p.staged_received or resorts > 0 and p.staged_last_resort then
				raise exception using errcode = 'QS001';
			end if;
			insert into key_package
			select p_pool, p_batch, case when u.last_resort then -1 else p.staged_most + (count(*) filter (where not u.last_resort) over (order by u.i))::integer - 1 end, u.last_day, u.encoded
			from unnest(p_encoded, p_last_day, p_last_resort) with ordinality as u (encoded, last_day, last_resort, i);
			p.staged_most := p.staged_most + n - resorts;
			p.staged_received := p.staged_received + n;
			p.staged_last_resort := p.staged_last_resort or resorts > 0;
			if p_last then
				delete from key_package k where k.pool = p_pool and k.batch = p.batch;
				p.batch := p.staged;
				p.next := 0;
				p.most := p.staged_most;
				p.last_resort := p.staged_last_resort;
				p.staged := -9223372036854775808;
				p.staged_most := 0;
				p.staged_received := 0;
				p.staged_last_resort := false;
			end if;
		end if;
		update pool set batch = p.batch, next = p.next, most = p.most, last_resort = p.last_resort, staged = p.staged,
			staged_most = p.staged_most, staged_received = p.staged_received, staged_last_resort = p.staged_last_resort,
			tag = p_tag, tag_available = p.most - p.next where pool = p_pool;
	end if;
	fits := true;
	batch := p.batch;
	available := case when p.tag = p_tag then p.tag_available else p.most - p.next end;
	received := p.staged_received;
exception when sqlstate 'QS001' then -- nothing of it holds
	fits := false;
end $$;

create function pool_key(p_pool uuid) returns table (key bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	return query select p.key from pool p where p.pool = p_pool;
end $$;

-- allow_contact returns 0, 1 if there is no such pool, or 2 if it has too many
-- contacts. A contact that was ended keeps its row.
create function allow_contact(p_pool uuid, p_contact bytea, p_allowed boolean, p_max_contacts integer) returns integer
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	p pool;
begin
	select * into p from pool where pool = p_pool for update;
	if not found then
		return 1;
	end if;
	update contact set allowed = allowed and p_allowed where pool = p_pool and contact = p_contact;
	if not found then
		if p.contacts >= p_max_contacts then
			return 2;
		end if;
		insert into contact values (p_pool, p_contact, p_allowed);
		update pool set contacts = contacts + 1 where pool = p_pool;
	end if;
	return 0;
end $$;

-- take returns nothing if there is none to be had, after it has read the same
-- rows for whatever reason. A KeyPackage is gone and claimed in one step, so that
-- it leaves once and is not lost with an answer.
create function take(p_pool uuid, p_today integer, p_kind integer, p_open boolean, p_contact bytea, p_request bytea) returns bytea
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	p pool;
	allowed boolean;
	claimed bytea;
	taken key_package;
begin
	select * into p from pool where pool = p_pool for update;
	select c.allowed into allowed from contact c where c.pool = p_pool and c.contact = p_contact;
	select c.encoded into claimed from claim c where c.pool = p_pool and c.request = p_request;
	if p.kind is distinct from p_kind or not (p_open or coalesce(allowed, false)) then
		return null;
	end if;
	if claimed is not null then
		return claimed;
	end if;
	perform forget_restored(p_pool);
	select * into p from pool where pool = p_pool;
	for i in p.next .. p.most - 1 loop
		delete from key_package k where k.pool = p_pool and k.batch = p.batch and k.number = i returning * into taken;
		if taken.last_day >= p_today then
			insert into claim values (p_pool, p_request, p_today, taken.encoded);
			update pool set next = i + 1 where pool = p_pool;
			return taken.encoded;
		end if;
	end loop;
	if p.next < p.most then -- none of those that were left is to be had
		update pool set next = most where pool = p_pool;
	end if;
	return (select k.encoded from key_package k where k.pool = p_pool and k.batch = p.batch and k.number = -1 and k.last_day >= p_today);
end $$;

create function delete_pool(p_pool uuid) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	delete from pool where pool = p_pool;
	delete from key_package where pool = p_pool;
	delete from contact where pool = p_pool;
	delete from claim where pool = p_pool;
end $$;
