-- The same as look, admit, rolled_back and advance, in a shard of the caller's choice.
create function look_at(part integer, id bytea) returns table (known boolean, number bigint, others bigint, restores integer)
	language sql stable security definer
	set search_path = fence, pg_temp
	as 'select * from look($2)';

create function admit_at(part integer, id bytea, number bigint) returns integer
	language sql security definer
	set search_path = fence, pg_temp
	as 'select admit($2, $3)';

create function rolled_back_at(part integer, id bytea, number bigint, restores integer) returns integer
	language sql security definer
	set search_path = fence, pg_temp
	as 'select rolled_back($2, $3, $4)';

create function advance_at(part integer, id bytea, number bigint) returns bigint
	language sql security definer
	set search_path = fence, pg_temp
	as 'select advance($2, $3)';
