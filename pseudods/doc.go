// Package pseudods holds the vocabulary of the delivery service and the rules
// that hold between its parts. It has no code: the roles are packages of their
// own, so that each can be built, run and reviewed without the others.
//
// # Roles
//
//	role      keeps                                      never sees
//	DS        encrypted group records, outbox, spent     identities, queue ids, message content
//	          tokens
//	QS        queues of sealed entries, KeyPackage       group ids, MLS framing, identities
//	          pools, queue keys
//	issuer    issuance keys, key epochs                  what a token buys, where it is spent
//	attester  accounts, allowances                       groups, queues, redemptions
//
// # Words
//
// A group has an owner, the provider whose DS orders its commits; other
// providers are guests. Members stand at leaves under pseudonyms that are random
// per group. A rejoin restores membership by an external commit, never history.
// Fan-out delivers a message to the members' queues, which the DS knows by
// encrypted queue addresses alone. A token is redeemed once; its nullifier is
// what the DS remembers of it.
package pseudods
