// Package group is a member's side of MLS (RFC 9420): the state of one client
// in one group, and the messages that change it.
//
// A client makes a [Client], publishes KeyPackages with [NewKeyPackage], and
// gets a [Group] by [Create], [JoinWelcome] or [JoinExternal]. It changes the
// group by [Group.Commit], which returns what to send and leaves the group in
// its epoch until [Group.Merge] (the delivery service took the commit) or
// [Group.Discard] (another commit came first; processing that one discards,
// too). Whatever arrives goes to [Group.Process]. [Group.Send] encrypts
// application data. [Group.Marshal] and [Restore] save and load all of it.
//
// # Guarantees
//
// Any error from a method that takes a message leaves the group exactly as it
// was, and the next valid message is accepted. The one change a failed call may
// make is that a message key is used up: a key that may have encrypted something
// is never given out again. That holds as long as no older state is restored: save
// the state before a message, proposal or commit leaves, and never go on from one
// that was saved earlier.
//
// Work per commit is that of one path in the tree and one HPKE encryption per
// node that receives it. Only joining, saving and exporting the tree are linear
// in the number of members.
//
// Secrets are deleted when RFC 9420, Section 9.2, has them consumed. What stays
// is what the epoch needs, the keys of messages that may still arrive (within
// [Config].Window and [Config].PastEpochs), and resumption PSKs as far as
// [Config].ResumptionEpochs asks. A state that was saved earlier holds older
// secrets: forward secrecy is only as good as the caller's deletion of it.
//
// # Limits
//
// A Group is not safe for concurrent use. It reads no clock and does no I/O but
// through [Config]. It trusts its own saved state. It can not know whether the
// GroupInfo an external joiner got is the current one, whether two members were
// given different commits for one epoch before they compare
// [Group.EpochAuthenticator], or whether a GroupInfo's external_pub is good
// before somebody used it.
package group
