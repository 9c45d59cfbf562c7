// Package queues keeps what a queue service stores in the embedded store: it
// implements [qs.Store].
//
// An append is a part of one request to the database's committer, so that the
// entry, the queue's counters and the mark of its address become durable
// together. Many appends share a request, and many requests a sync.
//
// Entries of a queue have consecutive numbers from the queue's floor on, which
// each read starts at: deleted records cost reads until they are compacted, and
// the floor passes over them. Each entry holds the sum of octets up to it, so
// that acknowledging a thousand entries reads one. Payloads lie behind their last
// day and are dropped a day at a time.
//
// Whoever controls the database can at most do what [qs.Queues], [qs.Payloads]
// and [qs.Pools] say of their stores. Beside that, the engine versions its
// records: who has the files can tell what was written in one batch until it is
// compacted, and so that queues got entries at the same time.
package queues
