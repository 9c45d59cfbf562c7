// Package ledger is the Badger driver of [tokens.Ledger].
//
// A spent token is one record of 37 octets: epoch ordinal and nullifier as key,
// the tag of its request as value; about 60 octets on disk with the tree's own.
// Beside each epoch's records stand its count, written with them, and the
// registry of epochs. A closed key leaves a tombstone of 34 octets for good.
//
// Order of steps, and what a crash leaves:
//
//   - Open an epoch: registry, and the list of open keys in the fence. Only
//     then does Spend accept its tokens, so the fence names every key under
//     which anything was ever accepted.
//   - Spend: record and count in one batch with other requests, then the fence's
//     number, then the answer. A crash before the answer leaves the token bound
//     to its request, which resumes.
//   - Retire: tombstone and "closing" in the registry; drop the partition; take
//     the epoch out of the registry. [Open] finishes what was begun.
//
// A store that is older than its fence (see package badger) fences every key that
// it or the fence knows as open, and drops those partitions.
//
// Whoever controls store and fence together can roll both back unseen, and so
// can a snapshot of the whole machine: fence by rotating the issuer's keys, or
// put a new scope in the challenges, before such a snapshot is put to use.
package ledger
