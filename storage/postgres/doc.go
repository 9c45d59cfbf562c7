// Package postgres is the storage kernel on PostgreSQL: a pool of connections,
// migrations, the check that the database loses nothing, and one meaning for each
// of its errors. Drivers in its subdirectories implement the store interfaces of
// the roles on it; nothing of the protocol's client leaves these packages.
//
// # Use
//
// A driver has a [Schema]: an SQL schema with its tables and with one function
// for each method of its store. An owner creates and migrates it ([Migrate]); the
// server signs in as somebody who may call those functions and nothing else, and
// opens it with [Open]. [DB.Read] and [DB.Write] call one function each, as one
// transaction of one statement, READ COMMITTED.
//
// # Writing a function
//
//   - The partition key is the first argument and the first column of every key.
//     A function touches that partition alone, or is set-based over many, each
//     for itself.
//   - It decides on what it has locked: a compare-and-set on a row taken FOR
//     UPDATE, INSERT ... ON CONFLICT DO NOTHING. Rows are locked in the order of
//     their keys.
//   - It gives the same outcome when it is repeated with the same arguments:
//     DB.Write repeats a call whose answer was lost.
//   - It is SECURITY DEFINER with a search path of its own.
//   - What is called for each message or token is in PL/pgSQL, of which a session
//     keeps the plans; a function in SQL is planned anew with each call.
//
// It uses only what plain PostgreSQL (15 and later), PL/Proxy, Citus and
// YugabyteDB share: tables with primary keys that begin with the partition key, LIST
// partitions, functions in SQL and PL/pgSQL with scalars and arrays as arguments
// and rows as results, unnest with ordinality, ON CONFLICT, FOR UPDATE, identity
// and check constraints. It does without LISTEN and NOTIFY, sequences that are
// read from, triggers, foreign keys, advisory locks (but for migrations), large
// objects, extensions, SERIALIZABLE, and transactions over several statements.
// PostgreSQL 15 is tested; Citus and YugabyteDB are not.
//
// # Shards
//
// A database may be a router ([RouterScript]): PL/Proxy functions of the same names,
// in front of shards that each have the tables ([MigrateShards]). Each [Schema]
// declares, in its [Routing], how its functions find their shards:
//
//   - by a key, whose shard is told by two of its random octets ([Place]); set-based
//     functions take parallel arrays, of which each shard gets its part;
//   - by the number of a shard, for what goes over all keys: walks, and what
//     processes tell one another. The driver asks shard by shard ([DB.Shards]);
//   - on all of them, with a query that makes one answer of theirs;
//   - on the first, for what there is in one place.
//
// A call is a transaction in each shard that it reaches, and none over all. Where one
// fails the whole call does, to be repeated: others have done their part then. Open
// looks at every shard through the router.
//
// # Durability
//
// Open refuses, with a [*RiskError], a database that may forget what it
// acknowledged: each such loss makes spent tokens good again. An operator who
// knows better says so in [Config.Accept].
//
// # Outcomes
//
// Read and Write return nil, the context's error or an error for which
// [ErrUnavailable], [ErrBusy] or [ErrRefused] holds (nothing was written), or
// [ErrAmbiguous] (it may have been). A Write that was sent is seen through even
// when its context ends: a cancelled context never hides an outcome.
package postgres
