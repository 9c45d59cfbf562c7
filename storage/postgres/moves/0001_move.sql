-- Stores that are moved here from another engine: how far each is, in the mover's
-- words.
create table store (
	name text primary key,
	state text not null
);

-- A row as soon as a move begins. Until it has ended no server may use the database.
create table state (
	one boolean primary key default true check (one),
	ended boolean not null default false
);

create function in_move() returns boolean
	language sql stable security definer
	set search_path = move, pg_temp
	as 'select exists (select from state where not ended)';
