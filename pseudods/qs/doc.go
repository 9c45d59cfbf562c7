// Package qs is the queue service: it keeps what was delivered until a reader
// has it, and KeyPackages until somebody needs one.
//
// # What it sees
//
// A delivery service calls [Service.Deliver] with one encrypted payload and, for
// each recipient, a sealed address, a hash that ties the address to its group,
// and a small entry that only the recipient opens. So the service learns which
// queues got something at the same time and how large it was, to a size class,
// and nothing of groups, senders or the MLS messages inside.
//
// It seals what it stores under a segment key, which it encapsulates to the
// queue's owner and keeps in memory alone: who copies the store reads neither
// what was delivered before nor what comes after. Entries point to payloads
// inside what is sealed, so that a copy of the store does not tell which queues
// got one payload either.
//
// # Use
//
// [New] a [Service] over a [Store] and a ring of address keys. [Service.Handle]
// answers the signed or paid requests of clients; delivery services, which the
// transport authenticates, call [Service.Deliver]. Call [Service.Maintain] every
// hour or so, and [Service.Close] to end waiting reads.
//
// # Order and repetition
//
// Deliveries by one address are numbered by the delivery service, which sends
// the next when the one before was answered. What comes again or too late is
// known by its number and not added twice. A delivery is durable when it was
// answered; what failed may have been added and can be sent again.
//
// All requests of queue owners are idempotent or carry a version. Replaying an
// old one changes nothing even when a restart has emptied the memory of nonces.
//
// # Bounds
//
// A queue has a number of entries and octets, an age of its entries, and a
// declared rule for what comes when it is full. A queue that nobody reads for
// [Config.IdleDays] is deleted. No queue costs memory or a goroutine while
// nothing is delivered to it and nobody reads it.
package qs
