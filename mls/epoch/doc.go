// Package epoch computes the public part of a group's next epoch from a commit:
// everything that RFC 9420 lets be checked and derived without group secrets.
//
// Members (package group) and the delivery service (package publicgroup) both
// stand on it, so that they agree on what a valid commit is and on the tree,
// the GroupContext and the transcript that follow from it.
//
// The steps are, in order:
//
//	State.VerifyContent   the message: group, epoch, sender, signature
//	State.CheckProposal   one proposal by itself
//	State.Apply           a commit's whole list: its rules, then its effects -> Applied
//	Applied.MergePath     the commit's UpdatePath, if it has one
//	Applied.Context       the GroupContext that path secrets are encrypted under
//	Applied.Next          tree, GroupContext and transcript of the new epoch -> State
//
// Nothing here changes a [State]: an [Applied] is an overlay that the caller
// keeps or drops. The package reads no clock and keeps no state; credentials,
// lifetimes and policy are the caller's to judge, through [Rules] or from the
// lists that an Applied shows.
package epoch
