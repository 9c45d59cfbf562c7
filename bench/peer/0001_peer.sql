create table queue (
	queue uuid primary key,
	last bigint not null
) with (fillfactor = 50);

create table message (
	queue uuid,
	seq bigint,
	payload bytea not null,
	primary key (queue, seq)
);
alter table message alter column payload set storage external;

-- deliver is one transaction for one recipient.
create function deliver(p_queue uuid, p_payload bytea) returns void
language plpgsql security definer set search_path = peer, pg_temp as $$
declare
	number bigint;
begin
	insert into queue as q values (p_queue, 1) on conflict (queue) do update set last = q.last + 1 returning last into number;
	insert into message values (p_queue, number, p_payload);
	perform pg_notify('peer', p_queue::text);
end $$;
