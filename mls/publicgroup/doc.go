// Package publicgroup is a delivery service's side of an MLS group (RFC 9420):
// it follows a group's handshakes, refuses those that are not valid as far as
// this can be told without group secrets, and serves what newcomers need.
//
// A group starts with [Register] or [Import], whose [Changes] go into an empty
// [Store]. [Open] returns a [Group], an immutable view of one revision.
// [Group.StageProposal] and [Group.StageCommit] check a message and return what
// it would change: a value to apply or to drop.
//
//	g, err := publicgroup.Open(store, cfg)
//	staged, err := g.StageCommit(&publicgroup.Bundle{Commit: msg, Welcome: w, GroupInfo: gi}, now)
//	g, err = g.Apply(staged.Changes)
//
// A caller with more to write, such as an outbox, puts Changes into a
// transaction of its own and opens the group again.
//
// Handshakes must be PublicMessages. A PrivateMessage that is not application
// data is refused: the group could not be followed past it.
//
// # Cost
//
// A commit reads and writes the records of one leaf and the parents above it
// for every leaf that it changes, one record per referenced proposal, and the
// header; [Group.CheckPrivate] reads nothing. Only [Import], [Group.Export],
// [Group.ExternalJoin], additions in bulk, and GroupInfos with an inline
// ratchet_tree (see [Config]) touch more.
//
// # What a server cannot check
//
// The following needs group secrets. For each: what can go wrong, and what
// bounds the damage. In no case does another party learn a secret, for members
// check all of it.
//
//   - The membership tag. Who knows a member's signature key alone can send
//     handshakes that this package accepts and members refuse. Members report
//     such a message; the leaf's keys are compromised then, and the leaf must go.
//   - The confirmation tag. A member can end an epoch with a commit that all
//     others refuse. The service keeps the commit; members report it and rejoin
//     by external commit from there, or fork to a new group.
//   - The path secrets. A committer can encrypt garbage to some or all of the
//     others, who then cannot follow. They rejoin by external commit, which
//     removes their old leaf.
//   - The kem_output of an external commit. A joiner can end an epoch with a
//     secret that nobody else derives. [Config.ExternalJoins] turns external
//     commits off; the caller asks for an authorisation of its own before it
//     passes one on.
//   - Knowledge of pre-shared keys. A commit may name a PSK that some members
//     lack, who then cannot follow. They rejoin.
//   - The contents of a Welcome. A newcomer may be unable to join although the
//     Welcome names its KeyPackage. It joins by external commit instead.
//   - That external_pub belongs to the epoch's external secret. A bad one makes
//     every external join of that epoch fail at the members. Any member can
//     replace it with [Group.StageGroupInfo], and the next commit does.
package publicgroup
