-- Payloads lie behind their last day, a partition for each, which is dropped as
-- a whole. Who still needs one lies apart from it, so that a recipient who needs
-- it no more changes a narrow row.

create table payload (
	day integer,
	payload uuid,
	octets bytea not null,
	primary key (payload, day)
) partition by list (day);

create table payload_need (
	day integer,
	payload uuid,
	recipients bytea not null, -- a bit for each
	primary key (payload, day)
) partition by list (day);

-- add_day makes a day's partitions. Two that do so at once are of one mind.
create function add_day(p_day integer) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	execute format('create table if not exists payload_%s partition of payload for values in (%s)', p_day, p_day);
	execute format('alter table payload_%s alter column octets set storage external', p_day);
	execute format('create table if not exists payload_need_%s partition of payload_need for values in (%s) with (fillfactor = 70)', p_day, p_day);
exception when duplicate_table or unique_violation or duplicate_object then
	null;
end $$;

-- put_payload returns false if there is no partition for the day.
create function put_payload(p_payload uuid, p_day integer, p_octets bytea, p_recipients bytea) returns boolean
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	insert into payload values (p_day, p_payload, p_octets) on conflict do nothing;
	insert into payload_need values (p_day, p_payload, p_recipients) on conflict do nothing;
	return true;
exception when check_violation then
	return false;
end $$;

create function get_payload(p_payload uuid, p_day integer) returns table (octets bytea)
language plpgsql security definer set search_path = queues, pg_temp as $$
begin
	return query select p.octets from payload p where p.payload = p_payload and p.day = p_day;
end $$;

create function release_payload(p_payload uuid, p_day integer, p_recipients integer[]) returns void
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	needed bytea;
	bits bytea;
	i integer;
begin
	select recipients into needed from payload_need where payload = p_payload and day = p_day for update;
	if not found then
		return;
	end if;
	bits := needed;
	foreach i in array p_recipients loop
		if i < 8 * length(bits) then
			bits := set_bit(bits, i, 0);
		end if;
	end loop;
	if bits = decode(repeat('00', length(bits)), 'hex') then
		delete from payload_need where payload = p_payload and day = p_day;
		delete from payload where payload = p_payload and day = p_day;
	elsif bits <> needed then
		update payload_need set recipients = bits where payload = p_payload and day = p_day;
	end if;
end $$;

-- expire_payloads drops one of the days before p_limit, and returns false if
-- there is none.
create function expire_payloads(p_limit integer) returns boolean
language plpgsql security definer set search_path = queues, pg_temp as $$
declare
	name text;
begin
	select c.relname into name from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
	where i.inhparent = 'queues.payload'::regclass and substr(c.relname, 9)::integer < p_limit limit 1;
	if not found then
		return false;
	end if;
	execute format('drop table if exists %I, %I', 'payload_need_' || substr(name, 9), name);
	return true;
end $$;
