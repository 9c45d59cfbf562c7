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
// roles and timing of one group; it never sees content, identities or queues.
// Whoever holds [Config.Key] and the store can read the messages that wait, which
// are encrypted to their recipients, and count these.
//
// # Operations
//
// Drawing a group identifier, creating and deleting a group; adding and removing users,
// adding and removing clients of one's own user, updating one's leaf, rejoining,
// joining from outside, and reinitialising, each by a commit whose effects must
// be what its operation says and what the group's policy allows; proposing,
// proposing to leave, sending messages, changing one's queue address; and the
// information that it takes to join by a Welcome or from outside. Every other
// operation is refused.
//
// A removal begins a new generation of keys: requests with older group state
// keys no longer open the group. Clients that were offline meanwhile get the new
// one with the commits in their queues, and joiners by the record that waits for
// them.
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
// most [Config.MaxMembers]. Changing the GroupContext, messages to one member,
// access across a removal for members who did not get their messages, removing
// members whose queues are gone, and reports of abuse are not among the
// operations.
//
// A member can lock all others out of the group's state by a false group state
// key for the next epoch. The commits still arrive, so that members see it, can
// tell who did it, and begin a new group without that member.
package ds
