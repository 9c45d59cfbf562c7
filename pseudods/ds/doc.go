// Package ds is the delivery service: it orders the messages of MLS groups whose
// members it does not know, and sends them to queues that it cannot name.
//
// A [Service] answers encoded requests with [Service.Handle]; a [Dispatcher]
// takes the messages that follow from them to queue services. Both work on a
// [Store], in which a group is one partition: what a request changes, the answer
// to it, and the messages that follow from it, become durable in one step.
//
// # What it knows
//
// A group's records are sealed under keys that its members hold, see package
// atrest. A request brings the group state key of its epoch, with which the
// service opens what it needs and which it then forgets. Knowing the key allows
// nothing by itself: every change is signed by a leaf, or by the leaf that a
// newcomer brings. While a request is served the service sees the pseudonyms,
// roles and timing of one group; it never sees content, identities or queues, but for what members report.
// Whoever holds [Config.Key] and the store can read the messages that wait, which
// are encrypted to their recipients, and count these.
//
// # Operations
//
// Drawing a group identifier, creating and deleting a group; adding and removing
// users, adding and removing clients of one's own user, updating one's leaf,
// changing the policy, rejoining, joining from outside, and reinitialising, each
// by a commit whose effects must be what its operation says and what the group's
// policy allows; proposing, proposing to leave, sending messages to all or to one
// member, changing one's queue address; asking the members for access; the
// information that it takes to join by a Welcome or from outside; which commit
// began an epoch; the keys by which the service signs; and reporting abuse.
//
// # Franking and reports
//
// The service signs each message of a member with a [wire.PseudonymousCredential],
// without seeing its content: who brought it, in which epoch and on which day, and
// the tag by which the sender committed itself, see package seal. A member who got
// it can show it to the service in a report, and open the sender's identity link:
// so the service learns who is behind one pseudonym of one group, and some messages.
// What it has verified it gives to [Config.Reports], without who reported, and keeps
// nothing. Messages of bare pseudonyms, of accounts and to one member alone cannot be
// reported.
//
// Beside a group the service keeps its roster, which it cannot read, as the parts
// that commits brought: a newcomer gets those of the epoch that it joins.
//
// A removal begins a new generation of keys: requests with older group state
// keys no longer open the group. Clients that were offline meanwhile get the new
// one with the commits in their queues, joiners by the record that waits for
// them, and others by an access request. The service cannot check one before
// somebody brings a key. Then it does, and hands it to that member with the
// answer, once.
//
// # Order
//
// Messages to all members of a group have places that follow one another without
// gaps; one for a single member has the place of the last one before it. At the
// queue services every message has a higher number than those before, see
// [seal.Number].
//
// # What the service does by itself
//
// It has no key, so that what it wants to do waits for a request that brings one.
// The dispatcher notes addresses that are dead; the next request forgets them,
// and once it is answered, members whose queues are gone are proposed to be
// removed, and so are those who made no request for [Config.IdleDays]. That takes
// an entry in the group's external_senders with the service's domain as its basic
// credential and one of [Config.Signers]; these are Ed25519 keys, and so for
// suites that sign by it. Without one, dead addresses are only forgotten. Each
// proposal is a message of its own after the request's, so that no request fails
// over one that came with it. Of an address that its owner revoked nobody hears.
//
// # Policy
//
// A group has the policy in its GroupContext, or [wire.DefaultPolicy], under
// which clients that know RFC 9420 alone take part: as bare pseudonyms, with full
// GroupInfos. It changes by a commit that changes nothing else, and may remove
// those it bans. Admins, if there are any, are the only ones to add and remove
// others, change the policy, reinitialise and delete; an admin among the members
// must be left by every change. What a member proposes it must be allowed to do.
// A group of a profile that is not among [Config.Profiles] is refused, and the
// profile never changes. Messages of identified groups are given to
// [Config.Retain] before they are stored.
//
// # Cost
//
// A message reads the group's header, one leaf, and one page for each 64
// members; it writes two small records beside the message itself. A commit
// writes the header, the nodes above each leaf that it changes, and the pages of
// members who come or go. See the benchmarks of this package.
//
// # Limits
//
// A message goes to all members in one step of the store, so that a group has at
// most [Config.MaxMembers]. One step cannot remove more than some thousands of
// them. A generation of the roster has at most 256 parts and 1 MiB; the commits
// that began the last 32 epochs are known; 8 access requests wait in a group, for
// up to two days, of 12 KiB each; a request proposes to remove at most 4 members.
//
// A member can lock all others out of the group's state by a false group state
// key for the next epoch. The commits still arrive, so that members see it, can
// tell who did it, and begin a new group without that member.
package ds
