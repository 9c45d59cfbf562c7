// Package ledger is the PostgreSQL driver of [tokens.Ledger].
//
// A spent token is one row: the ordinal of its epoch, the nullifier, and the tag of
// its request. The rows of an epoch are a LIST partition, which is dropped with it.
// The row of the epoch has the count, and is locked by those who spend: calls that
// come together are one call of the database, so that the lock is held for many
// tokens at a time. A closed key leaves its name for good.
//
// Order of steps, and what a crash leaves:
//
//   - Open an epoch: registry and partition, then the list of known keys in the
//     fence (see [postgres.Fence]). Only then does Spend accept its tokens, so the
//     fence of a process names every key under which it accepted anything.
//   - Spend: rows, count and the fence's number in one transaction, then the
//     fence's file, then the answer. A crash before the answer leaves the token bound
//     to its request, which resumes.
//   - Retire: the key is closed; then the partition is dropped. [Open] finishes
//     what was begun.
//
// Several processes may share the database, each with a fence of its own. A database
// that is older than the fence of one of them has all its epochs closed, and those
// that the fence names.
//
// Whoever controls database and fences together can roll them back unseen: fence by
// rotating the issuer's keys then.
package ledger
