create table note (name text primary key, body text not null);

create function put(name text, body text) returns integer
	language plpgsql security definer set search_path = sample, pg_temp as $$
begin
	insert into note values (put.name, put.body) on conflict do nothing;
	return (select count(*) from note);
end $$;

create function body(name text) returns text
	language sql stable security definer set search_path = sample, pg_temp
	as 'select n.body from note n where n.name = $1';

create function nap(seconds float8) returns integer
	language sql security definer as 'select 1 from pg_sleep(seconds)';

create function clash(state text) returns integer
	language plpgsql security definer as $$
begin
	raise exception 'a clash' using errcode = state;
end $$;
