// Package queues keeps what a queue service stores in the embedded store: it
// implements [qs.Store].
//
// An append is a part of one request to the database's committer, so that the
// entry, the queue's counters and the mark of its address become durable
// together. Many appends share a request, and many requests a sync.
//
// Entries of a queue have consecutive numbers from the queue's floor on. Those
// that come while the kernel has the last ones in memory share a record, a page,
// which so costs the engine once. The queue's head says where its first and last
// pages are, and each page how many entries it has, so that readers go from one to
// the next. An entry that was acknowledged stays until all of its page are.
// Payloads lie behind their last day and are dropped a day at a time.
//
// Whoever controls the database can at most do what [qs.Queues], [qs.Payloads]
// and [qs.Pools] say of their stores. Beside that, the kernel's journal tells, for
// up to half a minute, which queues got entries at the same time; the engine's
// versions tell in which half minute a record was last written, for as long as it
// stays; and heads count entries, octets and addresses in clear. A user's two
// queues are alike in all of that, as package bench/link/snapshot measures.
package queues
