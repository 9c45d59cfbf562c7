// Package queues keeps what a queue service stores in PostgreSQL: it implements
// [qs.Store]. Several processes may use one database.
//
// # Appending
//
// A delivery is one payload and one call for all its entries in a shard, set-based: for
// each entry one row is added, and the rows of its queue and of its address's mark are
// updated in their pages. Deliveries that come while a call is under way share the next
// one. Queues are locked in order, so that deliveries that overlap wait for one another
// and never deadlock. What is not that simple, an address that is used first, a queue
// that has to make room, goes through a second call that looks at one entry after the
// other.
//
// An entry's number is its queue's count, under the lock that the append holds
// anyway. So entries become readable in the order of their numbers, whichever
// process adds them.
//
// # Expiry
//
// Payloads lie in partitions by their last day and are dropped a day at a time.
// What is read is deleted by its owner's acknowledgement; the rest goes in the
// order of keys, without an index by time that each entry would have to update.
//
// Whoever controls the database can at most do what [qs.Queues], [qs.Payloads]
// and [qs.Pools] say of their stores. Beside that, PostgreSQL writes with each row
// the transaction that made it: who has the files or the write-ahead log can tell
// which entries were added in one call, and in which order calls were, until the
// rows are frozen and the log is gone. A dump has none of it.
package queues
